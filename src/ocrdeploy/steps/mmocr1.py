"""The steps of MMOCR 1.x's test pipelines that 0.x has not: those of MMOCR 1.0.1, over mmcv 2.1.0."""

import math
from typing import Self

import msgspec
import numpy as np

from ocrdeploy.spec_part import Length

from .geometry import PaddingMode, PadValue, Size, checked_size, pad, resize
from .lazy_image import LazyImage
from .mmocr0 import check_channels
from .mmocr0_words import WORD_ASPECT_RATIO
from .step import StepPart


class RescaleToHeight(StepPart, frozen=True, tag="mmocr1.RescaleToHeight"):
    """Scale a word to `height`; width by aspect ratio, within bounds, then rounded to a multiple of `width_divisor`."""

    height: Length
    min_width: Length | None = None
    max_width: Length | None = None
    width_divisor: Length = 1

    def apply(self, image: LazyImage) -> None:
        """Scale the word."""
        after = self.size_after(image.size)
        image.resize(resize(image.pixels(), after), after)

    def size_after(self, size: Size) -> Size:
        """Return the size after it.

        The width is rounded up to pixels, brought within the bounds, and rounded to the nearest multiple, halves to
        the even one. Where this gives zero it is one multiple; MMOCR fails there.
        """
        width = math.ceil(self.height / size[0] * size[1])
        if self.min_width is not None:
            width = max(self.min_width, width)
        if self.max_width is not None:
            width = min(self.max_width, width)
        if width % self.width_divisor:
            width = round(width / self.width_divisor) * self.width_divisor
        return checked_size((self.height, width or self.width_divisor), size)

    def multiple_after(self, _before: int) -> int:
        """Return what divides height and width."""
        return math.gcd(self.height, self.width_divisor)

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
        return msgspec.structs.replace(
            self, height=size[0], min_width=size[1], max_width=size[1], width_divisor=size[1]
        )


class PadToWidth(StepPart, frozen=True, tag="mmocr1.PadToWidth"):
    """Pad a word at its right with `pad_val` to a `width`; a wider one stays as it is."""

    width: Length
    pad_val: PadValue = 0.0
    padding_mode: PaddingMode = "constant"

    def apply(self, image: LazyImage) -> None:
        """Pad the word, and keep which part of the width it takes."""
        image.valid_ratio = min(1.0, image.size[1] / self.width)
        image.replace(pad(image.pixels(), self.size_after(image.size), self.pad_val, self.padding_mode))

    def size_after(self, size: Size) -> Size:
        """Return the size after it, which never crops."""
        return checked_size((size[0], max(size[1], self.width)), size)

    def channels_after(self, before: int) -> int:
        """Refuse numbers for other channels."""
        return check_channels(self, self.pad_val, (before,), before)

    def multiple_after(self, before: int) -> int:
        """Return what divides the width, and what divided height and width before."""
        return math.gcd(before, self.width)

    def fixed_to(self, size: Size) -> Self:
        """Return the step that pads to a size."""
        return msgspec.structs.replace(self, width=size[1])


class RescaleToShortSide(StepPart, frozen=True, tag="mmocr1.ShortScaleAspectJitter"):
    """Scale an image so that its shorter edge has `short_size`, both edges rounded up to multiples of `scale_divisor`.

    It is MMOCR's ShortScaleAspectJitter without its jitter, as PANet's test pipelines have it. A `fixed` size goes
    before all that.
    """

    short_size: Length
    scale_divisor: Length = 1
    fixed: tuple[Length, Length] | None = None

    def apply(self, image: LazyImage) -> None:
        """Scale the image, and keep by how much."""
        before = image.size
        after = self.size_after(before)
        image.resize(resize(image.pixels(), after), after)
        image.scale_factor = np.array((after[1] / before[1], after[0] / before[0]), np.float32)

    def size_after(self, size: Size) -> Size:
        """Return the size after it, halves rounded to the even number as Python does."""
        if self.fixed is not None:
            return checked_size(self.fixed, size)
        factor = self.short_size / min(size)
        height, width = (
            math.ceil(max(1, round(length * factor)) / self.scale_divisor) * self.scale_divisor for length in size
        )
        return checked_size((height, width), size)

    def multiple_after(self, _before: int) -> int:
        """Return the divisor."""
        return self.scale_divisor if self.fixed is None else math.gcd(*self.fixed)

    def typical_size(self) -> Size:
        """Return a landscape of 16 to 9."""
        return self.short_size, self.short_size * 16 // 9

    def fixed_to(self, size: Size) -> Self:
        """Return the step that scales to a size."""
        return msgspec.structs.replace(self, fixed=size)
