"""Images that are in memory: arrays and Pillow's pictures, brought to the pixels that a pipeline reads."""

import sys
from typing import TYPE_CHECKING, TypeGuard

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import ImageError
from ocrdeploy.steps import ColorType, is_grayscale

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's modes of 16 bits a pixel; it has no conversion to 8 bits that keeps the scale."""


def check_array(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return an image that was given as an array, or refuse it.

    Args:
        image: H×W×3 uint8 in the order BGR, or a grey image, H×W or H×W×1 uint8; 0 to 255.

    Returns:
        H×W×3, or H×W for a grey image.

    Raises:
        ImageError: It is anything else; the message names what it is.
    """
    is_image = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))
    if not is_image or image.dtype != np.uint8 or image.size == 0:
        shape = " x ".join(map(str, image.shape)) or "no dimensions"
        raise ImageError(
            "an image that is given as an array is H x W x 3 uint8 in the order BGR, or H x W uint8 in grey, "
            f"got {shape} {image.dtype}",
            "Convert it with cv2.cvtColor, or give the path of the file; give several images as a list.",
        )
    pixels = np.asarray(image, np.uint8)
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def to_color_type(image: NDArray[np.uint8], color_type: ColorType) -> NDArray[np.uint8]:
    """Bring an image to the channels that a pipeline reads, as MMOCR's LoadImageFromNdarray does.

    A grey image for a pipeline that reads colour has its value in all three channels. The other way grey is a weighted
    sum of the channels (ITU-R BT.601). A JPEG file that is read in grey keeps the luminance that it stores, so the
    same picture as a file may differ by a grey level or two.

    Args:
        image: H×W×3 uint8 in the order BGR, or H×W uint8.
        color_type: The `color_type` of the pipeline's LoadImageFromFile.

    Returns:
        H×W×3 for the color kinds, H×W for the grayscale kinds; the image itself where it is that.
    """
    if (image.ndim == 2) == is_grayscale(color_type):
        return image
    code = cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_BGR2GRAY
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def is_pil_image(image: object) -> TypeGuard["PilImage"]:
    """Tell whether this is an image of Pillow's, which is not loaded to find out."""
    # While another thread imports the module, it has no classes, and there are no images of its yet.
    kind = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return kind is not None and isinstance(image, kind)


def pil_pixels(image: "PilImage", color_type: ColorType) -> NDArray[np.uint8]:
    """Return the pixels of an image of Pillow's, as they would be read from its file.

    Transparency is dropped, 16 bits are cut to 8, and unless the colour type ignores it, the image is turned as its
    EXIF tag says.

    Returns:
        H×W×3 uint8 in the order BGR, or H×W uint8 for a grey image.

    Raises:
        ImageError: The image cannot be decoded, or has pixels of 32 bits, whose scale nobody knows.
    """
    from PIL import ImageOps

    try:
        turned = image if color_type.endswith("_ignore_orientation") else ImageOps.exif_transpose(image)
        if turned.mode in SIXTEEN_BITS:
            pixels = np.asarray(turned, np.uint16) >> 8
        elif turned.mode in ("1", "L"):
            pixels = np.asarray(turned.convert("L"))
        elif turned.mode in ("I", "F"):
            raise ImageError(f"an image of Pillow's with the mode {turned.mode} has no known scale", "Convert it to L.")
        else:
            pixels = np.asarray(turned.convert("RGBA").convert("RGB"))[..., ::-1]
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"the image of Pillow's cannot be decoded: {error}") from error
    return check_array(np.ascontiguousarray(pixels, np.uint8))
