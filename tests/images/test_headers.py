import struct
import zlib

import cv2
import numpy as np
import pytest

from ocrdeploy.images.headers import PNG_SIGNATURE, count_pages, lacks_png_end, memory_factor, read_size

WIDTH, HEIGHT = 301, 77
SIZE = (HEIGHT, WIDTH)
WRITABLE = (".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm", ".pgm", ".pbm", ".pfm", ".jp2", ".ras", ".hdr")


def encode(extension: str, *options: int) -> bytes:
    """Return an image of SIZE, encoded."""
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    if extension in (".pgm", ".pbm"):
        image = image[..., 0]
    if extension in (".pfm", ".hdr"):
        return bytes(cv2.imencode(extension, image.astype(np.float32) / 255)[1])
    return bytes(cv2.imencode(extension, image, options)[1])


def jpeg(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments)


def segment(marker: int, contents: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(contents) + 2) + contents


def frame(marker: int = 0xC0, height: int = HEIGHT, width: int = WIDTH) -> bytes:
    return segment(marker, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00")


SCAN = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"pixels\xff\x00pixels"
THUMBNAIL = segment(0xE1, b"Exif\0\0" + jpeg(frame(height=8, width=9), SCAN, b"\xff\xd9"))


def png_chunk(kind: bytes, contents: bytes) -> bytes:
    return struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", zlib.crc32(kind + contents))


def tiff(order: str, kind: str) -> bytes:
    """Return the header of a TIFF file whose entries have the given format."""
    mark = b"II" if order == "<" else b"MM"
    code = {"H": 3, "I": 4, "Q": 16}[kind]
    if kind == "Q":
        entries = [struct.pack(order + "HHQQ", tag, code, 1, value) for tag, value in ((256, WIDTH), (257, HEIGHT))]
        return mark + struct.pack(order + "HHHQQ", 43, 8, 0, 16, len(entries)) + b"".join(entries)
    pad = b"\0\0" if kind == "H" else b""
    entries = [
        struct.pack(order + "HHI" + kind, tag, code, 1, value) + pad
        for tag, value in ((254, 0), (256, WIDTH), (257, HEIGHT))
    ]
    return mark + struct.pack(order + "HIH", 42, 8, len(entries)) + b"".join(entries)


@pytest.mark.parametrize("extension", WRITABLE)
def test_size_is_that_of_the_decoded_image(extension: str) -> None:
    data = encode(extension)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert read_size(data) == decoded.shape[:2] == SIZE


@pytest.mark.parametrize(
    "data",
    [
        encode(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encode(".webp", cv2.IMWRITE_WEBP_QUALITY, 30),
        jpeg(THUMBNAIL, frame()),
        jpeg(b"\xff\xff\xff\xff", segment(0xC4, b"tables"), b"junk", frame(0xC2)),
        jpeg(b"\xff\x01", frame(0xCF)),
        b"BM" + bytes(12) + struct.pack("<IHH", 12, WIDTH, HEIGHT),
        b"BM" + bytes(12) + struct.pack("<Iii", 40, WIDTH, -HEIGHT),
        b"GIF87a" + struct.pack("<HH", WIDTH, HEIGHT),
        b"GIF89a" + struct.pack("<HH", WIDTH, HEIGHT),
        b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little"),
        b"RIFF\0\0\0\0WEBPVP8L" + bytes(4) + b"\x2f" + struct.pack("<I", (HEIGHT - 1) << 14 | (WIDTH - 1)),
        *(tiff(order, kind) for order in "<>" for kind in "HIQ"),
        b"P6\n# a comment\n#another\n301 # width\n77\n255\n",
        b"#?RGBE\nFORMAT=32-bit_rle_rgbe\n\n-Y 77 +X 301\n",
        b"\0\0\0\x20ftypavif" + bytes(40) + b"\0\0\0\x14ispe\0\0\0\0" + struct.pack(">II", WIDTH, HEIGHT),
    ],
)
def test_size_of_other_kinds(data: bytes) -> None:
    assert read_size(data) == SIZE


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPabcd", jpeg(SCAN)])
def test_no_size(data: bytes) -> None:
    assert read_size(data) is None


@pytest.mark.parametrize("extension", WRITABLE)
def test_a_cut_header_is_no_error(extension: str) -> None:
    data = encode(extension)
    sizes = {read_size(data[:length]) for length in range(200)}
    assert sizes <= {None, SIZE} | ({(7, WIDTH)} if extension in (".ppm", ".pgm", ".pbm", ".pfm") else set())


def test_a_png_file_that_is_cut_anywhere_is_noticed() -> None:
    data = encode(".png")
    cuts = [*range(8, 400), *range(400, len(data), 997), len(data) - 1]
    assert all(lacks_png_end(data[:cut]) for cut in cuts)
    assert not lacks_png_end(data + b"and something behind it")
    assert not lacks_png_end(encode(".jpg")[:99])


def test_png_ends_with_its_last_chunk() -> None:
    start = PNG_SIGNATURE + png_chunk(b"IDAT", b"IEND and more")
    assert lacks_png_end(start)
    assert not lacks_png_end(start + png_chunk(b"IEND", b""))


@pytest.mark.parametrize(
    "data", [b"II+\0\x08\0\0\0" + b"\xff" * 8, b"II*\0\xff\xff\xff\xff", b"GIF89a", b"RIFF\0\0\0\0WEBP"]
)
def test_headers_that_make_no_sense_are_no_error(data: bytes) -> None:
    assert read_size(data) is None
    assert count_pages(data) == 1


def test_pages_are_counted() -> None:
    pages = [np.full((*SIZE, 3), value, np.uint8) for value in (0, 99, 255)]
    assert count_pages(cv2.imencodemulti(".tiff", pages)[1].tobytes()) == 3
    assert [count_pages(encode(extension)) for extension in WRITABLE] == [1] * len(WRITABLE)


def animated_png(bits: int) -> bytes:
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, 6, 0, 0, 0)
    return PNG_SIGNATURE + png_chunk(b"IHDR", header) + png_chunk(b"acTL", bytes(8)) + png_chunk(b"IDAT", b"")


def test_formats_that_take_more_memory_are_known() -> None:
    assert memory_factor(animated_png(8)) == 6
    assert memory_factor(animated_png(16)) == 10
    assert memory_factor(b"GIF89a") == 6
    assert [memory_factor(encode(extension)) for extension in (".jpg", ".png", ".webp", ".tif", ".jp2")] == [
        1,
        1,
        1,
        1,
        3,
    ]
