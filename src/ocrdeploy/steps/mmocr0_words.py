"""The steps of MMOCR 0.x's test pipelines for words: those of MMOCR 0.6.3, over mmcv 1.7.2."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from ocrdeploy.spec_part import Length

from .geometry import Number, PaddingMode, PadValue, Size, checked_size, pad, resize
from .lazy_image import LazyImage
from .mmocr0 import Deviation, check_channels, check_mean_and_std
from .normalization import normalize_unit, scale_to_unit
from .step import StepPart

WORD_ASPECT_RATIO = 3
"""Width over height of a typical word."""


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


class ResizeOCR(StepPart, frozen=True, tag=True):
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

    def apply(self, image: LazyImage) -> None:
        """Scale and pad the word."""
        word = self.word_size(image.size)
        pixels = pad(resize(image.pixels(), word.resized), word.padded, self.img_pad_value, self.padding_mode)
        image.resize(pixels, word.resized)
        image.valid_ratio = word.valid_ratio

    def word_size(self, size: Size) -> WordSize:
        """Return the sizes that a word gets (`ResizeOCR` of MMOCR).

        The width by aspect ratio is rounded up to pixels, then to the nearest multiple of `1 / width_downsample_ratio`,
        halves to the even multiple. A word so narrow that this gives zero gets one such multiple, where MMOCR fails
        unless `min_width` is set.

        Raises:
            ImageError: It would be too large.
        """
        if not self.keep_aspect_ratio and self.max_width is not None:
            resized = checked_size((self.height, self.max_width), size)
            return WordSize(resized, resized, 1.0)
        width = math.ceil(float(self.height) / size[0] * size[1])
        divisor = int(1 / self.width_downsample_ratio)
        if width % divisor:
            width = round(width / divisor) * divisor
        if self.min_width is not None:
            width = max(self.min_width, width)
        if width == 0:
            width = divisor
        if self.max_width is None:
            resized = checked_size((self.height, width), size)
            return WordSize(resized, resized, 1.0)
        resized = checked_size((self.height, min(self.max_width, width)), size)
        padded = checked_size((self.height, self.max_width), size)
        return WordSize(resized, padded, min(1.0, width / self.max_width))

    def size_after(self, size: Size) -> Size:
        """Return the size after padding."""
        return self.word_size(size).padded

    def channels_after(self, before: int) -> int:
        """Refuse numbers for other channels."""
        return check_channels(self, self.img_pad_value, (before,), before)

    def multiple_after(self, _before: int) -> int:
        """Return 1: nothing divides the size of every word."""
        return 1

    def typical_size(self) -> Size:
        """Return a word of usual proportions."""
        return self.height, self.height * WORD_ASPECT_RATIO

    def fixed_height(self) -> int:
        """Return the height that words are scaled to."""
        return self.height

    def limits_width(self) -> bool:
        """Return whether there is a `max_width`."""
        return self.max_width is not None

    def fixed_to(self, size: Size) -> Self:
        """Return the step that scales to a size."""
        return msgspec.structs.replace(self, height=size[0], max_width=size[1], keep_aspect_ratio=False)


class ToTensorOCR(StepPart, frozen=True, tag=True):
    """Bring an image from 0 to 255 to 0 to 1, channels first."""

    def apply(self, image: LazyImage) -> None:
        """Scale bytes; torchvision's `to_tensor` leaves other values as they are."""
        if image.is_bytes:
            image.map_values(scale_to_unit)


class NormalizeOCR(StepPart, frozen=True, tag=True):
    """Subtract `mean` and divide by `std`, a number a channel on the scale 0 to 1, without changing their order."""

    mean: tuple[Number, ...]
    std: tuple[Deviation, ...]

    def __post_init__(self) -> None:
        """Refuse numbers that do not belong together."""
        check_mean_and_std(self.mean, self.std)

    def apply(self, image: LazyImage) -> None:
        """Normalise each value."""
        image.map_values(lambda values: normalize_unit(values, self.mean, self.std))

    def channels_after(self, before: int) -> int:
        """Refuse numbers for other channels."""
        return check_channels(self, self.mean, (1, before), before)
