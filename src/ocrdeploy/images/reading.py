"""Reading images: files, bytes and arrays to pixels, as mmcv 1.x reads them with its OpenCV backend."""

import os
import stat
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.artifacts import what_it_is
from ocrdeploy.errors import ImageError, warn
from ocrdeploy.native_messages import silent
from ocrdeploy.plain_text import plain
from ocrdeploy.steps import ColorType, is_grayscale
from ocrdeploy.steps.geometry import MAX_PIXELS

from .exif import has_exif, orientation_of
from .headers import count_pages, lacks_png_end, memory_factor, read_size

HEAD = 512
"""First bytes that show what a file is."""
MAX_BYTES = 2**31 - 1
"""Larger files are refused before they are read: OpenCV counts the bytes of a file in 31 bits."""


def read_image(path: Path, color_type: ColorType, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read an image file.

    The pixels are those of `mmcv.imread` (mmcv 1.7.2). Whatever the file holds (16 bits, transparency, a palette,
    CMYK) is converted by OpenCV; transparency is dropped.

    Args:
        path: The file; its name may hold any character.
        color_type: `color` kinds give three channels, `grayscale` kinds one. The `_ignore_orientation` kinds do not
            rotate the image as its EXIF tag says.
        max_pixels: An image with more pixels is refused before it is decoded.

    Returns:
        H×W×3 uint8 in the order BGR, or H×W uint8 for the grayscale kinds; 0 to 255.

    Raises:
        ImageError: The file is missing, is no file, may not be read, is empty, is too large, is truncated, or is not
            an image.
    """
    return decode_image(_read_bytes(path), color_type, str(path), max_pixels=max_pixels)


def decode_image(data: bytes, color_type: ColorType, origin: str, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode an image file that is in memory, as `mmcv.imfrombytes` (mmcv 1.7.2) does.

    A truncated JPEG or PNG file is refused. A file that is broken elsewhere is decoded as far as OpenCV can, which is
    what MMOCR does too. Of a file with several pages or frames the first is decoded, with a warning. The lines that
    decoders write to standard error themselves are kept away in the command: see `native_messages`.

    Args:
        data: The bytes of the file.
        color_type: As for `read_image`.
        origin: What the bytes were found in, for error messages: a file name.
        max_pixels: As for `read_image`.

    Returns:
        As `read_image`.

    Raises:
        ImageError: The bytes are empty, truncated, no image, or an image with more than `max_pixels` pixels.
    """
    name = plain(origin)
    if not data:
        raise ImageError(f"the image {name} is empty (0 bytes)", "Restore the file.")
    size = read_size(data)
    limit = max_pixels // memory_factor(data)
    if size is not None and size[0] * size[1] > limit:
        of_its_kind = "" if limit == max_pixels else " of an image of its kind"
        raise ImageError(
            f"the image {name} has {size[1]} x {size[0]} pixels, and at most {limit} are read in all{of_its_kind}",
            "Scale it down or cut it into parts.",
        )
    if lacks_png_end(data):
        raise ImageError(f"the image {name} is truncated: its end is missing", "Copy or download it again.")
    try:
        with silent():
            image = cv2.imdecode(np.frombuffer(data, np.uint8), _imread_flags(color_type))
    except cv2.error:
        image = None
    if image is None:
        if found := what_it_is(data[:HEAD]):
            raise ImageError(f"an image was expected, and {name} is {found}")
        raise ImageError(
            f"{name} is not an image that OpenCV {cv2.__version__} can decode, or it is broken or cut off",
            "JPEG, PNG, BMP, TIFF and WebP files are read.",
        )
    if color_type.endswith("_ignore_orientation") and has_exif(data) and orientation_of(data) is not None:
        # The same text for all images, so that it is told once.
        warn(
            "an image has an EXIF orientation, which the model's pipeline ignores: it is looked at as it is stored, on "
            "its side or head. predict --auto-orient and read turn it"
        )
    if (n_pages := count_pages(data)) > 1:
        warn(f"the image {name} has {n_pages} pages or frames, of which the first alone is read")
    # Some of OpenCV's decoders do not know the flag.
    if is_grayscale(color_type) and image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    elif not is_grayscale(color_type) and image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return np.asarray(image, np.uint8)


def _imread_flags(color_type: ColorType) -> int:
    """Return OpenCV's flags of a colour type."""
    match color_type:
        case "color":
            return cv2.IMREAD_COLOR
        case "color_ignore_orientation":
            return cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        case "grayscale":
            return cv2.IMREAD_GRAYSCALE
        case "grayscale_ignore_orientation":
            return cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION


def _read_bytes(path: Path) -> bytes:
    """Return a file's bytes; devices and pipes are refused, because they may have no end."""
    name = plain(str(path))
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError(f"an image file was expected, and {name} is a folder", "Name the images in it.")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"an image file was expected, and {name} is a device or a pipe", "Give a file.")
        if status.st_size > MAX_BYTES:
            raise ImageError(
                f"the image {name} has {status.st_size} bytes, and at most {MAX_BYTES} are read",
                "Scale it down or cut it into parts.",
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"the image {name} does not exist", "Check the path.") from error
    except PermissionError as error:
        raise ImageError(f"the image {name} may not be read: permission denied", "Check its permissions.") from error
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise ImageError(f"the image {name} cannot be read: {reason}", "Check the path.") from error
