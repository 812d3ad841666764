"""Images: broken, absurd, odd but fine, and one of these among many good ones."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ocrdeploy.images.reading import read_image
from tests.robustness.case import Case, Check, Make, Outcome, Place, fine

PREDICT = "predict {det} {input} --json - --quiet"
MANY = "predict {det} {input} --json r.jsonl --quiet"
EVALUATE = "evaluate {det} --ann-file {input} --img-prefix {folder}/imgs --json r.json --quiet"
DATA = Path(__file__).parent.parent / "data" / "robustness"
PIXELS = np.array([[200]], np.uint8)
IS_ROOT = os.name != "posix" or os.geteuid() == 0

Pixels = np.ndarray


def jpeg(place: Place) -> bytes:
    return place.image.read_bytes()


def content(change: Callable[[bytes], bytes], name: str = "a.jpg") -> Make:
    """Write what is made of a good JPEG file."""
    return lambda place: place.new(name, change(jpeg(place)))


def encoded(change: Callable[[Pixels], Pixels], name: str = "a.png", size: slice = slice(None)) -> Make:
    """Write what is made of a good image's pixels, in the format that the name tells, or a part of that file."""

    def make(place: Place) -> Path:
        done, data = cv2.imencode(Path(name).suffix, change(read_image(place.image, "color")))
        assert done
        return place.new(name, data.tobytes()[size])

    return make


def png_header(width: int, height: int) -> bytes:
    """Return a PNG file that claims a size and has hardly any content."""
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def rotated(data: bytes) -> bytes:
    """Add the tag that asks for a quarter turn to a JPEG file."""
    tag = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    body = b"Exif\0\0" + tag
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def stored(name: str) -> Make:
    """Copy an image of the test data."""
    return lambda place: Path(shutil.copy(DATA / name, place.folder / name))


def polygons(outcome: Outcome) -> list[list[list[float]]]:
    """Return the polygons of each line of JSON on standard output."""
    return [json.loads(line)["polygons"] for line in outcome.out.splitlines()]


def same_as(expected: Make) -> Check:
    """Ask for the polygons that another image has."""

    def check(place: Place, outcome: Outcome) -> None:
        from ocrdeploy import open_predictor

        (place.folder / "expected").mkdir()
        other = Place(**{**{name: getattr(place, name) for name in Place.__dataclass_fields__},
                         "folder": place.folder / "expected"})  # fmt: skip
        with open_predictor(place.det) as predictor:
            wanted = [detection.polygon.ravel() for detection in predictor(expected(other))]  # type: ignore[union-attr]
        shutil.rmtree(place.folder / "expected")
        (found,) = polygons(outcome)
        assert len(wanted) > 0
        np.testing.assert_allclose(found, wanted, atol=1e-3)

    return check


def no_text(_place: Place, outcome: Outcome) -> None:
    assert polygons(outcome) == [[]]


def some_text(_place: Place, outcome: Outcome) -> None:
    (found,) = polygons(outcome)
    assert len(found) >= 4


def grey(pixels: Pixels) -> Pixels:
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)


def with_alpha(pixels: Pixels) -> Pixels:
    return np.dstack([pixels, np.full(pixels.shape[:2], 7, np.uint8)])


def in_16_bit(pixels: Pixels) -> Pixels:
    return pixels.astype(np.uint16) * 257


def same(pixels: Pixels) -> Pixels:
    return pixels


def sized(height: int, width: int) -> Callable[[Pixels], Pixels]:
    return lambda _: np.full((height, width, 3), 200, np.uint8)


def unreadable(place: Place) -> Path:
    path = place.new("a.jpg", jpeg(place))
    path.chmod(0)
    return path


def folder_of_many(place: Place) -> Path:
    """Write three good images with broken ones of several kinds between them."""
    folder = place.folder / "imgs"
    folder.mkdir()
    for index, data in enumerate(
        [jpeg(place), b"", jpeg(place), png_header(30_000, 30_000), jpeg(place)[:900], jpeg(place)]
    ):
        (folder / f"{index}.jpg").write_bytes(data)
    return folder


def one_bad(place: Place) -> Path:
    """Write annotations of two images, one of which is broken."""
    document = json.loads(place.ann.read_text())
    (place.folder / "imgs").mkdir()
    first, second = (image["file_name"] for image in document["images"])
    (place.folder / "imgs" / first).write_bytes((place.imgs / first).read_bytes())
    (place.folder / "imgs" / second).write_bytes(jpeg(place)[:900])
    return place.ann


def the_good_ones(place: Place, outcome: Outcome) -> None:
    all_lines = [json.loads(line) for line in (place.out / "r.jsonl").read_text().splitlines()]
    assert [Path(line["image"]).name for line in all_lines] == [f"{index}.jpg" for index in range(6)]
    lines = [line for line in all_lines if "error" not in line]
    assert [Path(line["image"]).name for line in lines] == ["0.jpg", "2.jpg", "5.jpg"]
    assert all(line["polygons"] == lines[0]["polygons"] for line in lines)


def one_counts(place: Place, _outcome: Outcome) -> None:
    (row,) = json.loads((place.out / "r.json").read_text())["rows"]
    assert (row["images"], row["broken"]) == (1, 1)


def bad(name: str, make: Make, says: str, command: str = PREDICT, skip: str = "") -> Case:
    """Return a row of an image that fails, which for predict is an item."""
    return Case(name, make, command, says, 1 if command.startswith("predict") else 2, skip=skip)


def good(name: str, make: Make, check: Check) -> Case:
    return fine(name, make, PREDICT, check)


PLAIN = encoded(same)

IMAGES = [
    bad("missing", lambda place: place.folder / "none.jpg", r"the image .*none\.jpg does not exist\. Check the path\."),
    bad("empty", content(lambda _: b""), r"the image .*a\.jpg is empty \(0 bytes\)\. Restore the file\."),
    bad("a truncated JPEG file", content(lambda data: data[:9000]), r"a\.jpg is not an image that OpenCV .* or it is broken or cut off"),
    bad("a JPEG file's first bytes", content(lambda data: data[:3]), r"a\.jpg is not an image that OpenCV"),
    bad("a truncated PNG file", encoded(same, size=slice(9000)), r"a\.png is truncated: its end is missing"),
    bad("a truncated BMP file", encoded(same, "a.bmp", slice(40)), r"a\.bmp is not an image that OpenCV .* or it is broken"),
    bad("a truncated WebP file", encoded(same, "a.webp", slice(300)), r"a\.webp is not an image that OpenCV"),
    bad("a truncated TIFF file", encoded(same, "a.tif", slice(300)), r"a\.tif is not an image that OpenCV"),
    bad("a text file", content(lambda _: b"hello\n"), r"a\.jpg is not an image that OpenCV .* can decode, or it is broken"),
    bad("random bytes", content(lambda _: bytes(range(256)) * 99), r"a\.jpg is not an image that OpenCV"),
    bad("a web page", content(lambda _: b"<!DOCTYPE html><html></html>"), r"an image was expected, and .*a\.jpg is an HTML page"),
    bad("a header of 30,000 x 30,000", content(lambda _: png_header(30_000, 30_000), "a.png"), r"has 30000 x 30000 pixels"),
    bad("a header of 2^31 x 2^31", content(lambda _: png_header(2**31 - 1, 2**31 - 1), "a.png"), r"has 2147483647 x 2147"),
    bad("a header of 0 x 0", content(lambda _: png_header(0, 0), "a.png"), r"a\.png is not an image that OpenCV"),
    Case("a folder without images", lambda place: place.out, PREDICT, r"there is no image in the folder .*out; with --recursive"),
    Case("a pattern without images", lambda place: place.folder / "*.jpg", PREDICT, r"no image matches .*\*\.jpg\. Images are files"),
    bad("a device", lambda _: Path("/dev/zero"), r"an image file was expected, and /dev/zero is a device or a pipe\."),
    bad("a name that is too long", lambda place: place.folder / ("a" * 300 + ".jpg"), r"cannot be read: File name too long"),
    bad("a path through a file", lambda place: place.image / "a.jpg", r"a\.jpg cannot be read: Not a directory"),
    bad("no permission", unreadable, r"a\.jpg may not be read: permission denied", skip="root reads all" if IS_ROOT else ""),
    bad("a bad image to draw on", content(lambda _: b""), r"is empty \(0 bytes\)", "predict {det} {input} --draw {folder}"),
    bad("a bad image to verify on", content(lambda _: b""), r"is empty \(0 bytes\)", "verify {det} {det} --images {input} -q"),
    bad("a bad image to measure on", content(lambda _: b""), r"is empty \(0 bytes\)", "benchmark {det} --images {input} -q"),
    bad("a bad image to export with", content(lambda _: b""), r"is empty \(0", "export {config} {weights} {input}"),
    good("1 x 1", encoded(sized(1, 1)), no_text),
    good("1 x 20,000", encoded(sized(1, 20_000)), no_text),
    good("20,000 x 1", encoded(sized(20_000, 1)), no_text),
    good("grey", encoded(grey), same_as(encoded(lambda pixels: cv2.cvtColor(grey(pixels), cv2.COLOR_GRAY2BGR)))),
    good("16 bit", encoded(in_16_bit), same_as(PLAIN)),
    good("16 bit TIFF", encoded(in_16_bit, "a.tif"), same_as(PLAIN)),
    good("with transparency", encoded(with_alpha), same_as(PLAIN)),
    good("CMYK", stored("cmyk.jpg"), some_text),
    replace(
        good("an animated GIF file, of which the first frame counts", stored("animated.gif"), same_as(stored("first_frame.png"))),
        says=r"^warning: the image .*animated\.gif has 2 pages or frames, of which the first alone is read",
        skip="" if cv2.haveImageReader(str(DATA / "animated.gif")) else "this version of OpenCV reads no GIF files",
    ),
    replace(
        good("turned by its EXIF tag, which this pipeline ignores", content(rotated), same_as(content(bytes))),
        says=r"^warning: an image has an EXIF orientation, which the model's pipeline ignores",
    ),
    good("PNG by the name of JPEG", encoded(same, "a.png"), same_as(PLAIN)),
    good("JPEG by the name of PNG", content(bytes, "a.png"), same_as(content(bytes))),
    good("without a suffix", content(bytes, "scan"), same_as(content(bytes))),
    good("a name in Chinese", content(bytes, "图像 文字.jpg"), same_as(content(bytes))),
    good("a name with blanks and line ends", content(bytes, "a b\nc\t'd\".jpg"), same_as(content(bytes))),
    good("a name with brackets", content(bytes, "a[1]*.jpg"), same_as(content(bytes))),
    good("a name that is no UTF-8", content(bytes, os.fsdecode(b"a\xff.jpg")), same_as(content(bytes))),
    fine("a name that is no UTF-8, on the screen", content(bytes, os.fsdecode(b"a\xff.jpg")), "predict {det} {input}"),
    bad("a broken one with a line end in its name", content(lambda _: b"", "a\nb.jpg"), r"a\\nb\.jpg is empty \(0 bytes\)"),
    Case(
        "bad ones among many", folder_of_many, MANY, r"^warning: .*1\.jpg is empty(.|\n)*3\.jpg has 30000(.|\n)*4\.jpg is not",
        1, the_good_ones, ("out/r.jsonl",),
    ),
    bad("a bad one in a data set", one_bad, r"\.jpg is not an image that OpenCV .* or it is broken or cut off", EVALUATE),
    fine("a bad one that is skipped", one_bad, EVALUATE + " --skip-broken", one_counts, "out/r.json"),
]  # fmt: skip
