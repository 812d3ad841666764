"""Sizes and their changes: Resize and Pad of mmdet 2.28.2, ResizeOCR of MMOCR 0.6.3, over mmcv 1.7.2.

Sizes are (height, width) in pixels. An image is H×W×C or, with one channel, H×W; uint8 or float32.
"""

import math
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import ImageError
from ocrdeploy.images.reading import MAX_PIXELS
from ocrdeploy.model_spec.preprocessing import Interpolation, Pad, PaddingMode, PadValue, Resize, ResizeOCR

Pixels = NDArray[np.uint8 | np.float32]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class WordSize:
    """What ResizeOCR makes of a word.

    Attributes:
        resized: Height and width that the word is scaled to.
        padded: Height and width after padding at the right.
        valid_ratio: Part of the padded width that the word takes, in (0, 1].
    """

    resized: Size
    padded: Size
    valid_ratio: float


def resized_size(step: Resize, size: Size) -> Size:
    """Return the size after Resize (`Resize` of mmdet, `rescale_size` of mmcv).

    With `keep_ratio` the image fits in `scale`, the longer edge in the longer one. An edge that would vanish keeps one
    pixel; mmdet fails there.

    Raises:
        ImageError: It would have more than `MAX_PIXELS` pixels.
    """
    if not step.keep_ratio:
        return _checked((step.scale[1], step.scale[0]), size)
    factor = min(max(step.scale) / max(size), min(step.scale) / min(size))
    height, width = (max(1, int(length * factor + 0.5)) for length in size)
    return _checked((height, width), size)


def padded_size(step: Pad, size: Size) -> Size:
    """Return the size after Pad, which never crops (`impad` and `impad_to_multiple` of mmcv).

    Raises:
        ImageError: It would have more than `MAX_PIXELS` pixels.
    """
    if step.size is not None:
        return _checked((max(step.size[0], size[0]), max(step.size[1], size[1])), size)
    divisor = step.size_divisor or 1
    height, width = (-(-length // divisor) * divisor for length in size)
    return _checked((height, width), size)


def word_size(step: ResizeOCR, size: Size) -> WordSize:
    """Return the sizes that ResizeOCR gives a word (`ResizeOCR` of MMOCR).

    The width by aspect ratio is rounded up to pixels, then to the nearest multiple of `1 / width_downsample_ratio`,
    halves to the even multiple. A word so narrow that this gives zero gets one such multiple, where MMOCR fails
    unless `min_width` is set.

    Raises:
        ImageError: It would have more than `MAX_PIXELS` pixels.
    """
    if not step.keep_aspect_ratio and step.max_width is not None:
        resized = _checked((step.height, step.max_width), size)
        return WordSize(resized, resized, 1.0)
    width = math.ceil(float(step.height) / size[0] * size[1])
    divisor = int(1 / step.width_downsample_ratio)
    if width % divisor:
        width = round(width / divisor) * divisor
    if step.min_width is not None:
        width = max(step.min_width, width)
    if width == 0:
        width = divisor
    if step.max_width is None:
        resized = _checked((step.height, width), size)
        return WordSize(resized, resized, 1.0)
    resized = _checked((step.height, min(step.max_width, width)), size)
    padded = _checked((step.height, step.max_width), size)
    return WordSize(resized, padded, min(1.0, width / step.max_width))


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


def _checked(size: Size, original: Size) -> Size:
    """Return a size unless it has too many pixels."""
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
