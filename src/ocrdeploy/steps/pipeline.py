"""The pipeline as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import ConfigError, ImageError

from .frame import Frame
from .geometry import Size
from .lazy_image import LazyImage
from .mmocr0 import LoadImageFromFile, Normalize, Pad, Resize
from .mmocr0_words import NormalizeOCR, ResizeOCR, ToTensorOCR
from .mmocr1 import PadToWidth, RescaleToHeight, RescaleToShortSide
from .ppocr import FitSides, FrameImage, NormalizeImage, ResizeWord
from .step import ColorType
from .tensor_buffers import Allocate, new_tensor

Step = (
    LoadImageFromFile
    | Resize
    | Normalize
    | Pad
    | ResizeOCR
    | ToTensorOCR
    | NormalizeOCR
    | RescaleToHeight
    | PadToWidth
    | RescaleToShortSide
    | FrameImage
    | FitSides
    | NormalizeImage
    | ResizeWord
)


@dataclass(frozen=True, slots=True, eq=False)
class Preprocessed:
    """An image as the network takes it.

    Attributes:
        tensor: C×H×W float32, C-contiguous, normalised and padded.
        scale_factor: (width, height) after Resize by those before, float32; None without Resize.
        valid_ratio: Part of the width that the word takes, in (0, 1]; None where no step pads words.
        original_shape: (height, width) in pixels of the image that was given.
        resized_shape: (height, width) in pixels after resizing, before padding.
        frame: The frame that the image was put in before; None for an image that is looked at as it is.
    """

    tensor: NDArray[np.float32]
    scale_factor: NDArray[np.float32] | None
    valid_ratio: float | None
    original_shape: Size
    resized_shape: Size
    frame: Frame | None = None


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
    current = LazyImage(image, allocate)
    for step in steps:
        step.apply(current)
    original = image.shape[0], image.shape[1]
    return Preprocessed(
        current.tensor(), current.scale_factor, current.valid_ratio, original, current.resized, current.frame
    )


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
        size = step.size_after(size)
    return channels, *size


def check_steps(steps: Sequence[Step]) -> int:
    """Return the number of channels of a pipeline, 3 (also without LoadImageFromFile) or 1.

    Raises:
        ConfigError: The steps are in an order in which MMOCR fails, or a step has another number of channels.
    """
    channels, resizes = 3, 0
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
        channels = step.channels_after(channels)
    if resizes > 1:
        raise ConfigError(f"a pipeline has at most one Resize, and this one has {resizes}")
    return channels


def typical_size(steps: Sequence[Step]) -> Size | None:
    """Return height and width of an image as a pipeline expects it; None if it takes images as they are."""
    return next((size for step in steps if (size := step.typical_size()) is not None), None)


def fixed_height(steps: Sequence[Step]) -> int | None:
    """Return the height that a pipeline brings every image to; None where it depends on the image."""
    return next((height for step in steps if (height := step.fixed_height()) is not None), None)


def size_multiple(steps: Sequence[Step]) -> int:
    """Return a number that divides the height and width of all that a pipeline makes."""
    multiple = 1
    for step in steps:
        multiple = step.multiple_after(multiple)
    return multiple


def color_type_of(steps: Sequence[Step]) -> ColorType:
    """Return how a pipeline reads image files; one that does not begin with reading takes them in colour."""
    first = steps[0] if steps else None
    return first.color_type if isinstance(first, LoadImageFromFile) else "color"


def turns_upright(steps: Sequence[Step]) -> bool:
    """Return whether a pipeline turns images as their EXIF tag says."""
    return not color_type_of(steps).endswith("_ignore_orientation")


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
