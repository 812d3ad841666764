"""The steps of MMOCR 0.x's test pipelines that come from mmdet 2.28.2, over mmcv 1.7.2.

Class and field names are MMOCR's, so that a spec reads like the pipeline that it came from.
"""

import math
from typing import Annotated, Literal, Self

import msgspec
import numpy as np
from msgspec import Meta

from ocrdeploy.errors import ConfigError
from ocrdeploy.spec_part import Length

from .geometry import MAX_NUMBER, Interpolation, Number, PadValue, Size, checked_size, resize
from .lazy_image import LazyImage
from .normalization import normalize
from .step import ColorType, StepPart, is_grayscale

MIN_DEVIATION = 1e-6
Deviation = Annotated[float, Meta(ge=MIN_DEVIATION, le=MAX_NUMBER)]


class LoadImageFromFile(StepPart, frozen=True, tag=True):
    """Read an image; the `_ignore_orientation` kinds do not rotate it as its EXIF tag says.

    `channel_order` is honoured for the color_type `color` alone, as in mmcv.
    """

    color_type: ColorType = "color"
    channel_order: Literal["bgr", "rgb"] = "bgr"
    to_float32: bool = False

    def apply(self, image: LazyImage) -> None:
        """Do what is done after decoding (`imfrombytes` of mmcv): put the channels in order, convert to float32."""
        if self.channel_order == "rgb" and self.color_type == "color":
            image.replace(np.ascontiguousarray(image.pixels()[..., ::-1]))
        if self.to_float32:
            image.replace(image.pixels().astype(np.float32))

    def channels_after(self, _before: int) -> int:
        """Return 3 or, of grey images, 1."""
        return 1 if is_grayscale(self.color_type) else 3


class Resize(StepPart, frozen=True, tag=True):
    """Scale an image to fit in `scale` (long edge, short edge in either order), or exactly to it as (width, height)."""

    scale: tuple[Length, Length]
    keep_ratio: bool = True
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        """Refuse an empty scale."""
        if min(self.scale) < 1:
            raise ValueError(f"the scale of Resize must be positive, got {self.scale}")

    def apply(self, image: LazyImage) -> None:
        """Scale the image, and keep by how much."""
        before = image.size
        after = self.size_after(before)
        image.resize(resize(image.pixels(), after, self.interpolation), after)
        image.scale_factor = np.array((after[1] / before[1], after[0] / before[0]), np.float32)

    def size_after(self, size: Size) -> Size:
        """Return the size after it (`Resize` of mmdet, `rescale_size` of mmcv).

        With `keep_ratio` the image fits in `scale`, the longer edge in the longer one. An edge that would vanish keeps
        one pixel; mmdet fails there.
        """
        if not self.keep_ratio:
            return checked_size((self.scale[1], self.scale[0]), size)
        factor = min(max(self.scale) / max(size), min(self.scale) / min(size))
        height, width = (max(1, int(length * factor + 0.5)) for length in size)
        return checked_size((height, width), size)

    def multiple_after(self, _before: int) -> int:
        """Return what divides the exact size; nothing divides a size that keeps the ratio."""
        return 1 if self.keep_ratio else math.gcd(*self.scale)

    def typical_size(self) -> Size:
        """Return a landscape that fills the scale."""
        return min(self.scale), max(self.scale)

    def limits_width(self) -> bool:
        """Return True."""
        return True

    def fixed_to(self, size: Size) -> Self:
        """Return the step that scales to a size."""
        return msgspec.structs.replace(self, scale=(size[1], size[0]), keep_ratio=False)


class Normalize(StepPart, frozen=True, tag=True):
    """Subtract `mean` and divide by `std`, a number a channel on the scale 0 to 255, after BGR to RGB if `to_rgb`."""

    mean: tuple[Number, ...]
    std: tuple[Deviation, ...]
    to_rgb: bool = True

    def __post_init__(self) -> None:
        """Refuse numbers that do not belong together."""
        check_mean_and_std(self.mean, self.std)

    def apply(self, image: LazyImage) -> None:
        """Normalise each value."""
        if self.to_rgb and image.channels == 3:
            image.reverse_channels()
        image.map_values(lambda values: normalize(values, self.mean, self.std))

    def channels_after(self, before: int) -> int:
        """Refuse numbers for other channels."""
        return check_channels(self, self.mean, (1, before), before)


class Pad(StepPart, frozen=True, tag=True):
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

    def apply(self, image: LazyImage) -> None:
        """Pad the image, with values on the scale that it now has."""
        image.pad(self.size_after(image.size), self.pad_val)

    def size_after(self, size: Size) -> Size:
        """Return the size after it, which never crops (`impad` and `impad_to_multiple` of mmcv)."""
        if self.size is not None:
            return checked_size((max(self.size[0], size[0]), max(self.size[1], size[1])), size)
        divisor = self.size_divisor or 1
        height, width = (-(-length // divisor) * divisor for length in size)
        return checked_size((height, width), size)

    def channels_after(self, before: int) -> int:
        """Refuse numbers for other channels."""
        return check_channels(self, self.pad_val, (before,), before)

    def multiple_after(self, _before: int) -> int:
        """Return what divides the size of every image that is not larger than `size`."""
        return self.size_divisor or math.gcd(*(self.size or ()))

    def fixed_to(self, size: Size) -> Self:
        """Return the step that pads to a size."""
        return msgspec.structs.replace(self, size=size, size_divisor=None)


def check_mean_and_std(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Raise ValueError unless there is one mean and one positive standard deviation a channel."""
    if not mean or len(mean) != len(std):
        raise ValueError(f"mean and std need one number a channel each, got {len(mean)} and {len(std)}")
    if min(std) <= 0:
        raise ValueError(f"a standard deviation is positive, got {std}")


def check_channels(step: StepPart, numbers: PadValue, allowed: tuple[int, ...], channels: int) -> int:
    """Return the channels of an image; refuse a step that has numbers for others. A number alone is for any."""
    if isinstance(numbers, tuple) and len(numbers) not in allowed:
        raise ConfigError(
            f"{type(step).__name__} has {len(numbers)} numbers for the channels of an image that has {channels}",
            "Give one number a channel, or read the image with another color_type.",
        )
    return channels
