"""The steps of a test pipeline, as data: what MMOCR's config says, number by number.

Class and field names are MMOCR's, so that a spec reads like the pipeline that it came from. What the steps do is
in `ocrdeploy.preprocessing`.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from .base import Length, SpecPart

MAX_NUMBER = 1e6
"""Largest mean, deviation or padding value; pixels are 0 to 255, normalised ones some units."""
MIN_DEVIATION = 1e-6

ColorType = Literal["color", "color_ignore_orientation", "grayscale", "grayscale_ignore_orientation"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "area", "lanczos"]
PaddingMode = Literal["constant", "edge", "reflect", "symmetric"]
Number = Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
Deviation = Annotated[float, Meta(ge=MIN_DEVIATION, le=MAX_NUMBER)]
PadValue = Number | tuple[Number, ...]
"""A number a channel, or one that is the first channel's alone, the others being padded with zero as in OpenCV."""


class LoadImageFromFile(SpecPart, frozen=True, tag=True):
    """Read an image; the `_ignore_orientation` kinds do not rotate it as its EXIF tag says.

    `channel_order` is honoured for the color_type `color` alone, as in mmcv.
    """

    color_type: ColorType = "color"
    channel_order: Literal["bgr", "rgb"] = "bgr"
    to_float32: bool = False


class Resize(SpecPart, frozen=True, tag=True):
    """Scale an image to fit in `scale` (long edge, short edge in either order), or exactly to it as (width, height)."""

    scale: tuple[Length, Length]
    keep_ratio: bool = True
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        """Refuse an empty scale."""
        if min(self.scale) < 1:
            raise ValueError(f"the scale of Resize must be positive, got {self.scale}")


class Normalize(SpecPart, frozen=True, tag=True):
    """Subtract `mean` and divide by `std`, a number a channel on the scale 0 to 255, after BGR to RGB if `to_rgb`."""

    mean: tuple[Number, ...]
    std: tuple[Deviation, ...]
    to_rgb: bool = True

    def __post_init__(self) -> None:
        """Refuse numbers that do not belong together."""
        check_mean_and_std(self.mean, self.std)


class Pad(SpecPart, frozen=True, tag=True):
    """Pad right and bottom with `pad_val` to multiples of `size_divisor`, or to `size` (height, width)."""

    size_divisor: Length | None = None
    size: tuple[Length, Length] | None = None
    pad_val: PadValue = 0.0

    def __post_init__(self) -> None:
        """Refuse none or both of the two ways to give the size, and empty sizes."""
        if (self.size_divisor is None) == (self.size is None):
            raise ValueError("Pad takes either size_divisor or size")
        if self.size_divisor is not None and self.size_divisor < 1:
            raise ValueError(f"the size_divisor of Pad must be positive, got {self.size_divisor}")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"the size of Pad must be positive, got {self.size}")


class ResizeOCR(SpecPart, frozen=True, tag=True):
    """Scale a word to `height`; width by aspect ratio, rounded to a multiple, within bounds, padded to `max_width`."""

    height: Length
    min_width: Length | None = None
    max_width: Length | None = None
    keep_aspect_ratio: bool = True
    img_pad_value: PadValue = 0.0
    width_downsample_ratio: Annotated[float, Meta(ge=1 / 1024, le=1)] = 1.0 / 16
    backend: Literal["cv2"] | None = None
    padding_mode: PaddingMode = "constant"

    def __post_init__(self) -> None:
        """Refuse what MMOCR refuses, and empty sizes."""
        if not self.keep_aspect_ratio and self.max_width is None:
            raise ValueError("ResizeOCR needs max_width when keep_aspect_ratio is False")
        for name in ("height", "min_width", "max_width"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"the {name} of ResizeOCR must be positive, got {value}")
        if not 0 < self.width_downsample_ratio <= 1:
            raise ValueError(f"width_downsample_ratio must be in (0, 1], got {self.width_downsample_ratio}")


class ToTensorOCR(SpecPart, frozen=True, tag=True):
    """Bring an image from 0 to 255 to 0 to 1, channels first."""


class NormalizeOCR(SpecPart, frozen=True, tag=True):
    """Subtract `mean` and divide by `std`, a number a channel on the scale 0 to 1, without changing their order."""

    mean: tuple[Number, ...]
    std: tuple[Deviation, ...]

    def __post_init__(self) -> None:
        """Refuse numbers that do not belong together."""
        check_mean_and_std(self.mean, self.std)


Step = LoadImageFromFile | Resize | Normalize | Pad | ResizeOCR | ToTensorOCR | NormalizeOCR


def color_type_of(steps: Sequence[Step]) -> ColorType:
    """Return how a pipeline reads image files; one that does not begin with reading takes them in colour."""
    first = steps[0] if steps else None
    return first.color_type if isinstance(first, LoadImageFromFile) else "color"


def check_mean_and_std(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Raise ValueError unless there is one mean and one positive standard deviation a channel."""
    if not mean or len(mean) != len(std):
        raise ValueError(f"mean and std need one number a channel each, got {len(mean)} and {len(std)}")
    if min(std) <= 0:
        raise ValueError(f"a standard deviation is positive, got {std}")
