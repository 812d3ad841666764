"""What an encoded image says of itself before it is decoded: its size, its pages, and what decoding it takes.

OpenCV has no way to ask for the size of an image without decoding it, and a file of some kilobytes can claim
gigabytes of pixels. Nothing here trusts the file: a header that makes no sense is answered with None, and the
decoder finds out. Sizes are not left to Pillow, which refuses headers that OpenCV takes: they would pass the limit.
"""

import io
import re
import struct
from collections.abc import Iterator

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jp2")
"""How the names of image files end, in lower case."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
BIT_DEPTH_AT = 24
"""Place of the bit depth in a PNG file."""
JPEG_SIGNATURE = b"\xff\xd8\xff"
GIF_SIGNATURES = (b"GIF87a", b"GIF89a")
SUN_RASTER_SIGNATURE = b"\x59\xa6\x6a\x95"
TIFF_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
BIG_TIFF_BYTE_ORDERS = {b"II+\0": "<", b"MM\0+": ">"}

MANY_PAGES = (PNG_SIGNATURE, b"GIF8", b"RIFF", *TIFF_BYTE_ORDERS, *BIG_TIFF_BYTE_ORDERS)
"""How files begin that can have several pages or frames."""

JPEG_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_START_OF_SCAN = 0xDA
JPEG_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
JPEG_FILL_BYTES = (0x00, 0xFF)

TIFF_WIDTH, TIFF_HEIGHT = 256, 257
TIFF_INTEGER_FORMATS = {3: "H", 4: "I", 16: "Q"}
BOX_SEARCH_LENGTH = 4096
"""Bytes in which the size of a JPEG 2000 or AVIF file is looked for; it comes before the pixels."""

NETPBM_HEADER = re.compile(rb"P[1-6Ff](?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")
RADIANCE_HEADER = re.compile(rb"#\?(?:RADIANCE|RGBE)\n.*?\n\n-Y (\d+) \+X (\d+)\n", re.DOTALL)


def read_size(data: bytes) -> tuple[int, int] | None:
    """Return (height, width) in pixels as the header of an image file has them.

    Known are JPEG, PNG, BMP, GIF, WebP, TIFF, PBM, PGM, PPM, PFM, JPEG 2000, AVIF, Radiance and Sun raster files.

    Args:
        data: The bytes of the file.

    Returns:
        The size before any rotation that a tag asks for; None if the format is not known or the header is broken.
    """
    try:
        return _read_size(data)
    except (struct.error, ValueError, OverflowError):
        return None


def count_pages(data: bytes) -> int:
    """Return how many pages or frames an image file has; 1 where it cannot be told."""
    if not data.startswith(MANY_PAGES):
        return 1
    from PIL.GifImagePlugin import GifImageFile
    from PIL.ImageFile import ImageFile
    from PIL.PngImagePlugin import PngImageFile
    from PIL.TiffImagePlugin import TiffImageFile
    from PIL.WebPImagePlugin import WebPImageFile

    # The classes are called themselves: `PIL.Image.open` warns of large images, or refuses them, by a limit of its own.
    kinds: dict[bytes, type[ImageFile]] = {b"GIF": GifImageFile, b"RIF": WebPImageFile, b"\x89PN": PngImageFile}
    try:
        return int(getattr(kinds.get(data[:3], TiffImageFile)(io.BytesIO(data)), "n_frames", 1))
    except Exception:  # noqa: BLE001  (Pillow's readers raise what they please at files that are broken)
        return 1


def memory_factor(data: bytes) -> int:
    """Return how much memory OpenCV takes for a pixel of a file, in parts of what it takes for one of a JPEG file.

    Measured with OpenCV 5.0: 6 bytes a pixel of JPEG, PNG, WebP, TIFF and BMP; 7 to 12 of GIF, 11 of an animated PNG
    of 8 bits and 19 of one of 16 bits, whose frames are put together on canvases; 16 of JPEG 2000 and AVIF.
    Animations are held to less: only their first frame is read.
    """
    if data.startswith(PNG_SIGNATURE) and 0 <= data.find(b"acTL") < data.find(b"IDAT"):
        return 10 if data[BIT_DEPTH_AT] == 16 else 6
    if data.startswith(b"GIF8") or (data.startswith(b"RIFF") and b"ANIM" in data[:64]):
        return 6
    return 3 if data[4:8] in (b"jP  ", b"ftyp") else 1


def lacks_png_end(data: bytes) -> bool:
    """Return whether a PNG file is cut off: libpng would write a line of its own about it to standard error."""
    if not data.startswith(PNG_SIGNATURE):
        return False
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        if data[position + 4 : position + 8] == b"IEND":
            return False
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    return True


def _read_size(data: bytes) -> tuple[int, int] | None:
    """Return (height, width), or raise struct.error or ValueError where the file is shorter than its header."""
    size: tuple[int, int] | None = None
    if data.startswith(JPEG_SIGNATURE):
        size = _jpeg_size(data)
    elif data.startswith(PNG_SIGNATURE):
        size = _swapped(struct.unpack_from(">II", data, 16))
    elif data.startswith(b"BM"):
        size = _bmp_size(data)
    elif data.startswith(GIF_SIGNATURES):
        size = _swapped(struct.unpack_from("<HH", data, 6))
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        size = _webp_size(data)
    elif data[:4] in TIFF_BYTE_ORDERS or data[:4] in BIG_TIFF_BYTE_ORDERS:
        size = _tiff_size(data)
    elif data.startswith(SUN_RASTER_SIGNATURE):
        size = _swapped(struct.unpack_from(">II", data, 4))
    elif match := NETPBM_HEADER.match(data):
        size = _swapped((int(match[1]), int(match[2])))
    elif match := RADIANCE_HEADER.match(data[:BOX_SEARCH_LENGTH]):
        size = int(match[1]), int(match[2])
    else:
        size = _box_size(data[:BOX_SEARCH_LENGTH])
    return size


def _swapped(size: tuple[int, ...]) -> tuple[int, int]:
    """Return (height, width) of (width, height)."""
    width, height = size
    return height, width


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of the contents of each JPEG segment up to the first scan."""
    position = 2
    # As libjpeg does, what is no marker is passed over.
    while (position := data.find(b"\xff", position)) >= 0 and position + 4 <= len(data):
        marker = data[position + 1]
        if marker in JPEG_FILL_BYTES:
            position += 1
        elif marker in JPEG_WITHOUT_LENGTH:
            position += 2
        else:
            end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
            yield marker, position + 4, end
            if marker == JPEG_START_OF_SCAN:
                return
            position = end


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return the size in the first start-of-frame segment."""
    for marker, start, _ in _jpeg_segments(data):
        if marker in JPEG_START_OF_FRAME:
            height, width = struct.unpack_from(">HH", data, start + 1)
            return height, width
    return None


def _bmp_size(data: bytes) -> tuple[int, int]:
    """Return the size in a BMP file's old or new header; a negative height means rows from top to bottom."""
    (header_length,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header_length == 12 else "<ii", data, 18)
    return abs(height), abs(width)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Return the size in a WebP file's first chunk: extended, lossless or lossy."""
    match data[12:16]:
        case b"VP8X":
            width, height = (1 + int.from_bytes(data[start : start + 3], "little") for start in (24, 27))
            return height, width
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return height & 0x3FFF, width & 0x3FFF
    return None


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    """Return the size in the first directory of a TIFF or BigTIFF file."""
    if data[:4] in TIFF_BYTE_ORDERS:
        order, offset_at, count_format, entry_format = TIFF_BYTE_ORDERS[data[:4]], 4, "H", "HHI4s"
        offset_format = "I"
    else:
        order, offset_at, count_format, entry_format = BIG_TIFF_BYTE_ORDERS[data[:4]], 8, "Q", "HHQ8s"
        offset_format = "Q"
    (offset,) = struct.unpack_from(order + offset_format, data, offset_at)
    (count,) = struct.unpack_from(order + count_format, data, offset)
    first = offset + struct.calcsize(order + count_format)
    length = struct.calcsize(order + entry_format)
    found: dict[int, int] = {}
    for position in range(first, min(first + count * length, len(data)), length):
        tag, kind, _, value = struct.unpack_from(order + entry_format, data, position)
        if tag in (TIFF_WIDTH, TIFF_HEIGHT) and kind in TIFF_INTEGER_FORMATS:
            (found[tag],) = struct.unpack_from(order + TIFF_INTEGER_FORMATS[kind], value)
    if len(found) < 2:
        return None
    return found[TIFF_HEIGHT], found[TIFF_WIDTH]


def _box_size(head: bytes) -> tuple[int, int] | None:
    """Return the size in the image header box of a JPEG 2000 or AVIF file."""
    if head[4:8] == b"jP  " and (start := head.find(b"ihdr")) >= 0:
        height, width = struct.unpack_from(">II", head, start + 4)
        return height, width
    if head[4:8] == b"ftyp" and (start := head.find(b"ispe")) >= 0:
        return _swapped(struct.unpack_from(">II", head, start + 8))
    return None
