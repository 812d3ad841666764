"""The pipeline as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import ConfigError, ImageError
from ocrdeploy.images.reading import is_grayscale
from ocrdeploy.model_spec.preprocessing import (
    LoadImageFromFile,
    Normalize,
    NormalizeOCR,
    Pad,
    Resize,
    ResizeOCR,
    Step,
    ToTensorOCR,
)

from .geometry import Size, pad, padded_size, resize, resized_size, word_size
from .lazy_image import LazyImage
from .normalization import normalize, normalize_unit, scale_to_unit
from .tensor_buffers import Allocate, new_tensor


@dataclass(frozen=True, slots=True, eq=False)
class Preprocessed:
    """An image as the network takes it.

    Attributes:
        tensor: C×H×W float32, C-contiguous, normalised and padded.
        scale_factor: (width, height) after Resize by those before, float32; None without Resize.
        valid_ratio: Part of the width that the word takes, in (0, 1]; None without ResizeOCR.
        original_shape: (height, width) in pixels of the image that was given.
        resized_shape: (height, width) in pixels after resizing, before padding.
    """

    tensor: NDArray[np.float32]
    scale_factor: NDArray[np.float32] | None
    valid_ratio: float | None
    original_shape: Size
    resized_shape: Size


def preprocess(image: NDArray[np.uint8], steps: Sequence[Step], allocate: Allocate = new_tensor) -> Preprocessed:
    """Apply a test pipeline to one image, as mmdet 2.28.2 and MMOCR 0.6.3 do.

    With bilinear resizing of bytes, which is what all of MMOCR's pipelines do, the tensor is MMOCR's to the last bit
    (OpenCV 4.10 to 5.0 on x86-64). Between these versions, bicubic resizing of bytes differs by one grey level in a few
    pixels, and resizing of floating-point numbers (`to_float32`, Resize after Normalize) by at most 1e-3 grey levels.

    What MMOCR does and one might not expect: `channel_order='rgb'` is honoured for `color_type='color'` alone;
    `to_rgb` does nothing to a grey image; a padding value that is one number goes to the first channel only.
    Where MMOCR fails, on images so narrow that an edge would vanish, the edge keeps the smallest size that makes sense.

    Args:
        image: H×W×3 uint8 in the order BGR, or H×W uint8 if the pipeline reads grey images; 0 to 255. It is not
            written to.
        steps: The pipeline. LoadImageFromFile, which comes first, stands for what is done after reading: the order of
            the channels, and conversion to float32. The conversion to channels-first float32 at the end is implied.
        allocate: Gives the tensor's memory, where the tensor is not made of other values than bytes.

    Returns:
        The tensor, and what is needed to go back to the original image.

    Raises:
        ImageError: The image has not the channels that the pipeline reads, or its tensor would be too large.
        ConfigError: As `check_steps`.
    """
    channels = check_steps(steps)
    _check_image(image, channels)
    original_shape = (image.shape[0], image.shape[1])
    resized_shape, scale_factor, valid_ratio = original_shape, None, None
    current = LazyImage(image, allocate)
    for step in steps:
        match step:
            case LoadImageFromFile():
                current = _load(current, step, allocate)
            case Resize():
                before = current.size
                resized_shape = resized_size(step, before)
                scale_factor = np.array((resized_shape[1] / before[1], resized_shape[0] / before[0]), np.float32)
                current = LazyImage(resize(current.pixels(), resized_shape, step.interpolation), allocate)
            case ResizeOCR():
                word = word_size(step, current.size)
                resized_shape, valid_ratio = word.resized, word.valid_ratio
                resized = resize(current.pixels(), word.resized)
                current = LazyImage(pad(resized, word.padded, step.img_pad_value, step.padding_mode), allocate)
            case Pad():
                current.pad(padded_size(step, current.size), step.pad_val)
            case Normalize() | ToTensorOCR() | NormalizeOCR():
                _map_values(current, step)
    return Preprocessed(current.tensor(), scale_factor, valid_ratio, original_shape, resized_shape)


def output_size(size: Size, steps: Sequence[Step]) -> tuple[int, int, int]:
    """Return the shape (channels, height, width) of the tensor that `preprocess` makes, without an image.

    Args:
        size: (height, width) in pixels of the original image.
        steps: The pipeline.

    Raises:
        ImageError: The tensor would be too large.
        ConfigError: As `check_steps`.
    """
    channels = check_steps(steps)
    for step in steps:
        match step:
            case Resize():
                size = resized_size(step, size)
            case ResizeOCR():
                size = word_size(step, size).padded
            case Pad():
                size = padded_size(step, size)
            case LoadImageFromFile() | Normalize() | ToTensorOCR() | NormalizeOCR():
                pass
    return channels, *size


def check_steps(steps: Sequence[Step]) -> int:
    """Return the number of channels of a pipeline, 3 (also without LoadImageFromFile) or 1.

    Raises:
        ConfigError: The steps are in an order in which MMOCR fails, or a step has another number of channels.
    """
    first = steps[0] if steps else None
    channels = 1 if isinstance(first, LoadImageFromFile) and is_grayscale(first.color_type) else 3
    resizes = 0
    is_tensor = False
    for index, step in enumerate(steps):
        name = type(step).__name__
        if isinstance(step, LoadImageFromFile) and index > 0:
            raise ConfigError(f"LoadImageFromFile comes first in a pipeline, and here it is step {index + 1}")
        if isinstance(step, NormalizeOCR) and not is_tensor:
            raise ConfigError("NormalizeOCR comes after ToTensorOCR in a pipeline, and here it does not")
        if is_tensor and not isinstance(step, NormalizeOCR):
            raise ConfigError(f"only NormalizeOCR may come after ToTensorOCR in a pipeline, and here {name} does")
        resizes += isinstance(step, Resize)
        is_tensor = is_tensor or isinstance(step, ToTensorOCR)
        _check_channels(step, channels)
    if resizes > 1:
        raise ConfigError(f"a pipeline has at most one Resize, and this one has {resizes}")
    return channels


def _check_channels(step: Step, channels: int) -> None:
    """Raise ConfigError if a step has numbers for another number of channels than the image has."""
    match step:
        case Normalize(mean=numbers) | NormalizeOCR(mean=numbers):
            allowed: tuple[int, ...] = (1, channels)
        case Pad(pad_val=tuple(numbers)) | ResizeOCR(img_pad_value=tuple(numbers)):
            allowed = (channels,)
        case _:
            return
    if len(numbers) not in allowed:
        raise ConfigError(
            f"{type(step).__name__} has {len(numbers)} numbers for the channels of an image that has {channels}",
            "Give one number a channel, or read the image with another color_type.",
        )


def _check_image(image: NDArray[np.uint8], channels: int) -> None:
    """Raise ImageError unless the image is what the pipeline's first step reads."""
    expected = 2 if channels == 1 else 3
    fits = image.ndim == expected and (expected == 2 or image.shape[2] == channels)
    if not fits or image.dtype != np.uint8 or image.size == 0:
        wanted = "H x W" if channels == 1 else f"H x W x {channels}"
        raise ImageError(
            f"the pipeline takes images of {wanted} uint8, got {' x '.join(map(str, image.shape))} {image.dtype}",
            "Read the image with the color_type of the pipeline.",
        )


def _load(image: LazyImage, step: LoadImageFromFile, allocate: Allocate) -> LazyImage:
    """Apply what LoadImageFromFile does after decoding (`imfrombytes` of mmcv)."""
    pixels = image.pixels()
    if step.channel_order == "rgb" and step.color_type == "color":
        pixels = np.ascontiguousarray(pixels[..., ::-1])
    return LazyImage(pixels.astype(np.float32) if step.to_float32 else pixels, allocate)


def _map_values(image: LazyImage, step: Normalize | ToTensorOCR | NormalizeOCR) -> None:
    """Apply a step that treats each value alone."""
    match step:
        case Normalize():
            if step.to_rgb and image.channels == 3:
                image.reverse_channels()
            image.map_values(lambda values: normalize(values, step))
        case ToTensorOCR():
            if image.is_bytes:
                image.map_values(scale_to_unit)
        case NormalizeOCR():
            image.map_values(lambda values: normalize_unit(values, step))
