"""The orientation that an image's EXIF tag tells."""

import io
import os
import warnings
from pathlib import Path
from typing import Any

from .arrays import is_pil_image

ORIENTATION_TAG = 0x0112
UPRIGHT = 1


EXIF_BYTES = 2**16
"""How much of a file is looked through for EXIF: cameras write it first."""


def has_exif(data: bytes) -> bool:
    """Tell whether an image file's first bytes hold EXIF, in JPEG's or PNG's spelling; it costs little."""
    head = data[:EXIF_BYTES]
    return b"Exif" in head or b"eXIf" in head


def orientation_of(image: object) -> int | None:
    """Return the EXIF orientation of an image, from 2 to 8; None where it is upright, tells none, or is an array.

    Args:
        image: A path, encoded bytes, or an image of Pillow's. What is no image tells none.
    """
    if is_pil_image(image):
        return _tag(image)
    source: Any
    match image:
        case str() | os.PathLike():
            source = Path(image)
        case bytes() | bytearray() | memoryview():
            source = io.BytesIO(image)
        case _:
            return None
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source) as opened:
                return _tag(opened)
    except Exception:  # noqa: BLE001  (Pillow raises whatever; whether the image can be read, OpenCV says)
        return None


def _tag(image: Any) -> int | None:
    value = image.getexif().get(ORIENTATION_TAG)
    return value if isinstance(value, int) and UPRIGHT < value <= 8 else None
