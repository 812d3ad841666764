"""Scaling and padding of pixels, as mmcv 1.7.2 does them.

Sizes are (height, width) in pixels. An image is H×W×C or, with one channel, H×W; uint8 or float32.
"""

from typing import Annotated, Literal, cast

import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ocrdeploy.errors import ImageError
from ocrdeploy.spec_part import MAX_AREA

Pixels = NDArray[np.uint8 | np.float32]
Size = tuple[int, int]
Interpolation = Literal["nearest", "bilinear", "bicubic", "area", "lanczos"]
PaddingMode = Literal["constant", "edge", "reflect", "symmetric"]
MAX_NUMBER = 1e6
"""Largest mean, deviation or padding value; pixels are 0 to 255, normalised ones some units."""
Number = Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
PadValue = Number | tuple[Number, ...]
"""A number a channel, or one that is the first channel's alone, the others being padded with zero as in OpenCV."""

MAX_PIXELS = MAX_AREA
"""Larger images are refused before they are decoded or scaled: their pixels would take more than 0.8 GB."""


def resize(image: Pixels, size: Size, interpolation: Interpolation = "bilinear") -> Pixels:
    """Return the image scaled to a size (`imresize` of mmcv); the image itself if it has that size."""
    if image.shape[:2] == size:
        return image
    flag = _interpolation_flag(interpolation)
    return cast("Pixels", cv2.resize(image, (size[1], size[0]), interpolation=flag))


def pad(image: Pixels, size: Size, value: PadValue, mode: PaddingMode = "constant") -> Pixels:
    """Return the image padded at the right and bottom to a size (`impad` of mmcv); the image itself if it has it.

    Values are rounded and clipped to the type of the image. As in MMOCR, a number alone is padded into the first
    channel, and zero into the others.
    """
    bottom, right = size[0] - image.shape[0], size[1] - image.shape[1]
    if not bottom and not right:
        return image
    flag = _border_flag(mode)
    return cast("Pixels", cv2.copyMakeBorder(image, 0, bottom, 0, right, flag, value=pad_values(value, 4)))


def pad_values(value: PadValue, channels: int) -> tuple[float, ...]:
    """Return the padding value of each channel; those that are not given are zero."""
    values = value if isinstance(value, tuple) else (value,)
    return (*values, *[0.0] * (channels - len(values)))[:channels]


def checked_size(size: Size, original: Size) -> Size:
    """Return the size that an image gets, `original` being the one that it had.

    Raises:
        ImageError: It has more than `MAX_PIXELS` pixels.
    """
    if size[0] * size[1] > MAX_PIXELS:
        raise ImageError(
            f"the pipeline scales an image of {original[1]} x {original[0]} pixels to {size[1]} x {size[0]}, "
            f"and at most {MAX_PIXELS} are processed in all",
            "Crop the image, or set a maximum size in the config.",
        )
    return size


def _interpolation_flag(interpolation: Interpolation) -> int:
    """Return OpenCV's flag of an interpolation."""
    match interpolation:
        case "nearest":
            return cv2.INTER_NEAREST
        case "bilinear":
            return cv2.INTER_LINEAR
        case "bicubic":
            return cv2.INTER_CUBIC
        case "area":
            return cv2.INTER_AREA
        case "lanczos":
            return cv2.INTER_LANCZOS4


def _border_flag(mode: PaddingMode) -> int:
    """Return OpenCV's flag of a padding mode."""
    match mode:
        case "constant":
            return cv2.BORDER_CONSTANT
        case "edge":
            return cv2.BORDER_REPLICATE
        case "reflect":
            return cv2.BORDER_REFLECT_101
        case "symmetric":
            return cv2.BORDER_REFLECT
