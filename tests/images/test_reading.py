import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrdeploy.errors import ImageError, OcrDeployWarning
from ocrdeploy.images.reading import decode_image, read_image
from ocrdeploy.steps import ColorType, is_grayscale

GREY_TOLERANCE = 1
"""OpenCV computes grey in fixed point, so the last level may differ from the formula."""
FUZZ_PIXELS = 10**6
"""A broken header must not make a test take gigabytes."""


def picture(height: int = 40, width: int = 60) -> NDArray[np.uint8]:
    """Return a smooth picture."""
    coarse = np.random.default_rng(1).integers(0, 256, (5, 6, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def encode(extension: str) -> bytes:
    return bytes(cv2.imencode(extension, picture())[1])


@pytest.mark.parametrize(
    "name", ["图像.png", "a name with spaces.png", "two\nlines.png", "%20#?.png", "-x.png", "no_suffix"]
)
def test_any_file_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(encode(".png"))
    np.testing.assert_array_equal(read_image(path, "color"), picture())


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tif", ".ppm", ".jp2", ".ras"])
@pytest.mark.parametrize(
    "color_type", ["color", "color_ignore_orientation", "grayscale", "grayscale_ignore_orientation"]
)
def test_shape_and_type(extension: str, color_type: ColorType) -> None:
    image = decode_image(encode(extension), color_type, "x")
    assert image.dtype == np.uint8
    assert image.shape == ((40, 60) if is_grayscale(color_type) else (40, 60, 3))


@pytest.mark.parametrize("extension", [".pfm", ".hdr"])
def test_grey_where_the_decoder_does_not_know_it(extension: str) -> None:
    data = bytes(cv2.imencode(extension, picture().astype(np.float32) / 255)[1])
    assert decode_image(data, "grayscale", "x").shape == (40, 60)


def missing(folder: Path) -> Path:
    return folder / "none.png"


def a_folder(folder: Path) -> Path:
    return folder


def empty(folder: Path) -> Path:
    path = folder / "empty.png"
    path.touch()
    return path


def text(folder: Path) -> Path:
    path = folder / "text.png"
    path.write_text("this is not an image")
    return path


def below_a_file(folder: Path) -> Path:
    return text(folder) / "x.png"


def pipe(folder: Path) -> Path:
    path = folder / "pipe.png"
    os.mkfifo(path)
    return path


def null_byte(folder: Path) -> Path:
    return folder / "a\0b.png"


def too_long(folder: Path) -> Path:
    return folder / ("x" * 5000)


def sparse(folder: Path) -> Path:
    path = folder / "sparse.png"
    path.touch()
    os.truncate(path, 2**31)
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (missing, "does not exist"),
        (a_folder, "is a folder"),
        (empty, "is empty"),
        (text, "is not an image"),
        (below_a_file, "cannot be read"),
        (pipe, "a device or a pipe"),
        (null_byte, "null"),
        (too_long, "cannot be read"),
        (sparse, "2147483648 bytes"),
    ],
)
def test_unreadable_files_are_named_in_one_line(tmp_path: Path, make: object, reason: str) -> None:
    assert callable(make)
    path = make(tmp_path)
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(path, "color")
    assert "\n" not in str(caught.value)
    assert path.name.replace("\0", "\\x00") in str(caught.value)


def test_name_with_a_line_break_is_shown_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"two\\nlines\.png") as caught:
        read_image(tmp_path / "two\nlines.png", "color")
    assert "\n" not in str(caught.value)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = text(tmp_path)

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    # A test that is run by root may read everything.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ImageError, match=r"text\.png may not be read: permission denied"):
        read_image(path, "color")


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 30000, 30000),
        b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 30000, 30000) + bytes(20),
        b"BM" + bytes(12) + struct.pack("<Iii", 40, 30000, -30000) + bytes(30),
        b"P6 30000 30000 255\n",
    ],
)
def test_a_huge_image_is_refused_before_it_is_decoded(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(ImageError, match=r"big\.png has 30000 x 30000 pixels"):
        decode_image(data, "color", "big.png")


@pytest.mark.parametrize("bits", [8, 16])
def test_an_animation_may_have_fewer_pixels(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(ImageError, match=r"a\.png has 8192 x 8192 pixels, and at most \d+ are read .* of its kind"):
        decode_image(animated_png(bits, 8192), "color", "a.png")


def animated_png(bits: int, side: int) -> bytes:
    """Return the beginning of an animated PNG that claims a size."""
    header = struct.pack(">IIBBBBB", side, side, bits, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"acTL", struct.pack(">II", 2, 0)), (b"IDAT", b""), (b"IEND", b""))
    packed = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_pages_that_are_left_out_are_told() -> None:
    pages = [np.full((8, 9, 3), value, np.uint8) for value in (0, 99)]
    data = cv2.imencodemulti(".tiff", pages)[1].tobytes()
    with pytest.warns(OcrDeployWarning, match=r"the image scan\.tiff has 2 pages or frames, of which the first alone"):
        assert decode_image(data, "color", "scan.tiff").max() == 0


def test_a_bigtiff_that_makes_no_sense_is_an_image_error() -> None:
    with pytest.raises(ImageError, match="is not an image"):
        decode_image(b"II+\0\x08\0\0\0" + b"\xff" * 8, "color", "b.tif")


def test_one_channel_is_read_in_colour() -> None:
    data = bytes(cv2.imencode(".pfm", picture()[..., 0].astype(np.float32) / 255)[1])
    assert decode_image(data, "color", "x").shape == (40, 60, 3)
    assert decode_image(data, "grayscale", "x").shape == (40, 60)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            r"a\.jpg is a Git LFS pointer: run git lfs pull",
        ),
        (b"<!doctype html><html></html>", r"a\.jpg is an HTML page: download the file again"),
        (b"PK\x03\x04" + bytes(50), r"a\.jpg is a zip archive: unpack it"),
    ],
)
def test_what_stands_in_the_place_of_an_image_is_named(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode_image(data, "color", "a.jpg")


def test_limit_is_the_number_of_pixels() -> None:
    data = encode(".png")
    assert decode_image(data, "color", "x", max_pixels=2400).shape == (40, 60, 3)
    with pytest.raises(ImageError, match="at most 2399"):
        decode_image(data, "color", "x", max_pixels=2399)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm", ".ras"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 1.0])
def test_truncated_files_are_refused(extension: str, part: float) -> None:
    data = encode(extension)
    with pytest.raises(ImageError, match=r"cut\.x"):
        decode_image(data[: int((len(data) - 2) * part)], "color", "cut.x")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm"]), st.data())
def test_a_broken_file_gives_an_image_or_an_image_error(extension: str, draw: st.DataObject) -> None:
    data = bytearray(encode(extension))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, min(len(data), 400) - 1))] = draw.draw(st.integers(0, 255))
    try:
        image = decode_image(bytes(data), "color", "x", max_pixels=FUZZ_PIXELS)
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"P6 "]), st.binary(max_size=200))
def test_bytes_without_meaning(signature: bytes, data: bytes) -> None:
    try:
        image = decode_image(signature + data, "grayscale", "x", max_pixels=FUZZ_PIXELS)
    except ImageError:
        return
    assert image.ndim == 2
