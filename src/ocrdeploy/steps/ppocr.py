"""The steps of PP-OCR's models: those of RapidOCR 3.10 and of PaddleOCR, which differ in numbers.

Images are BGR throughout, also where the numbers of a normalisation are those of RGB: PP-OCR applies them in the order
in which they are written.
"""

import math
from typing import Literal, Self

import msgspec
import numpy as np

from ocrdeploy.spec_part import Length

from .frame import Frame
from .geometry import Number, Size, checked_size, resize
from .lazy_image import LazyImage
from .mmocr0 import Deviation, check_channels, check_mean_and_std
from .normalization import Values
from .step import StepPart

MULTIPLE = 32
"""What divides the sides of all that PP-OCR's detectors see."""
WIDE_ASPECT = 16 / 9
"""Width over height of a typical photo."""
LONG_MULTIPLE = 128
"""What divides the sides where the longer one has a length of its own."""


def _up(length: int) -> int:
    """Return a side as the next multiple of 128, and at least 128."""
    return max(1, -(-length // LONG_MULTIPLE)) * LONG_MULTIPLE


def rounded_side(length: int) -> int:
    """Return a side as the nearest multiple of 32, halves to the even one, and at least 32."""
    return max(MULTIPLE, round(length / MULTIPLE) * MULTIPLE)


class FrameImage(StepPart, frozen=True, tag="ppocr.FrameImage"):
    """Keep an image's sides within bounds, and put bars above and below one that is flat (RapidOCR's first step).

    Words are cut out of the frame. Where RapidOCR scales twice, an image with one side too long and the other too short
    afterwards, it keeps the second factor alone; here both count.
    """

    min_side: Length = 30
    max_side: Length = 2000
    min_height: Length = 30
    max_aspect: Length = 8

    def frame(self, size: Size) -> Frame:
        """Return the frame of an image of a size."""
        scaled = size
        if max(scaled) > self.max_side:
            scaled = self._scaled(scaled, self.max_side / max(scaled))
        if min(scaled) < self.min_side:
            scaled = self._scaled(scaled, self.min_side / min(scaled))
        height, width = scaled
        bar = 0
        if height <= self.min_height or width / height > self.max_aspect:
            bar = abs(2 * max(int(width / self.max_aspect), self.min_height) - height) // 2
        return Frame(size, scaled, bar)

    def apply(self, image: LazyImage) -> None:
        """Scale the image, and add the bars."""
        frame = self.frame(image.size)
        image.replace(frame.padded(resize(image.pixels(), frame.scaled)))
        image.frame = frame

    def size_after(self, size: Size) -> Size:
        """Return the size of the frame."""
        return checked_size(self.frame(size).size, size)

    def limits_width(self) -> bool:
        """Return True."""
        return True

    @staticmethod
    def _scaled(size: Size, factor: float) -> Size:
        return rounded_side(int(size[0] * factor)), rounded_side(int(size[1] * factor))


class FitSides(StepPart, frozen=True, tag="ppocr.FitSides"):
    """Scale an image to sides that are multiples of 32, which changes its aspect a little (DetResizeForTest).

    With `limit_type` "min" an image whose shorter side is below `limit_side_len` is made larger, with "max" one whose
    longer side is above it smaller; another keeps its size but for the rounding. With "long" the longer side of every
    image gets that length, and sides go up to multiples of 128. `size` (height, width) stands for all of that.
    """

    limit_side_len: Length = 736
    limit_type: Literal["min", "max", "long"] = "min"
    size: tuple[Length, Length] | None = None

    def apply(self, image: LazyImage) -> None:
        """Scale the image."""
        after = self.size_after(image.size)
        image.resize(resize(image.pixels(), after), after)

    def size_after(self, size: Size) -> Size:
        """Return the sides after it."""
        if self.size is not None:
            return checked_size(self.size, size)
        factor = 1.0
        match self.limit_type:
            case "min" if min(size) < self.limit_side_len:
                factor = self.limit_side_len / min(size)
            case "max" if max(size) > self.limit_side_len:
                factor = self.limit_side_len / max(size)
            case "long":
                factor = self.limit_side_len / max(size)
        lengths = int(size[0] * factor), int(size[1] * factor)
        if self.limit_type == "long":
            return checked_size((_up(lengths[0]), _up(lengths[1])), size)
        return checked_size((rounded_side(lengths[0]), rounded_side(lengths[1])), size)

    def multiple_after(self, _before: int) -> int:
        """Return what divides the sides."""
        return MULTIPLE if self.size is None else math.gcd(*self.size)

    def typical_size(self) -> Size:
        """Return a landscape."""
        return self.limit_side_len, round(self.limit_side_len * WIDE_ASPECT)

    def fixed_to(self, size: Size) -> Self:
        """Return the step that scales to a size."""
        return msgspec.structs.replace(self, size=size)


class NormalizeImage(StepPart, frozen=True, tag="ppocr.NormalizeImage"):
    """Scale bytes to 0 to 1, subtract `mean` and divide by `std`, a number a channel in the order BGR."""

    mean: tuple[Number, ...] = (0.5, 0.5, 0.5)
    std: tuple[Deviation, ...] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        """Refuse numbers that do not belong together."""
        check_mean_and_std(self.mean, self.std)

    def apply(self, image: LazyImage) -> None:
        """Normalise each value: float32 times 1 / 255, then float64, rounded to float32 at the end."""
        image.map_values(self._normalized)

    def channels_after(self, before: int) -> int:
        """Refuse numbers for other channels."""
        return check_channels(self, self.mean, (before,), before)

    def _normalized(self, values: Values) -> Values:
        mean, std = (np.array(numbers).reshape(-1, *[1] * (values.ndim - 1)) for numbers in (self.mean, self.std))
        return np.asarray((values * np.float32(1 / 255) - mean) / std, np.float32)


class ResizeWord(StepPart, frozen=True, tag="ppocr.ResizeWord"):
    """Scale a word to `height`, its bytes to -1 to 1, and pad it at the right with 0, a middle grey (RecResizeImg).

    The canvas is `min_width` wide, and wider for a word that is longer than it is high by more; None pads nothing. With
    `max_width` the canvas is no wider, and longer words are pressed into it.
    """

    height: Length = 48
    min_width: Length | None = 320
    max_width: Length | None = None

    def apply(self, image: LazyImage) -> None:
        """Scale, normalise and pad the word."""
        canvas = self.size_after(image.size)
        width = min(math.ceil(self.height * (image.size[1] / image.size[0])), canvas[1])
        word = self.height, width
        image.resize(resize(image.pixels(), word), word)
        image.map_values(_from_minus_one_to_one)
        image.pad(canvas, 0.0)

    def size_after(self, size: Size) -> Size:
        """Return the size of the canvas."""
        aspect = size[1] / size[0]
        if self.min_width is None:
            width = math.ceil(self.height * aspect)
        else:
            width = int(self.height * max(self.min_width / self.height, aspect))
        if self.max_width is not None:
            width = min(width, self.max_width)
        return checked_size((self.height, max(1, width)), size)

    def multiple_after(self, _before: int) -> int:
        """Return what divides height and width."""
        return 1

    def typical_size(self) -> Size:
        """Return a word that fills the canvas."""
        return self.height, self.min_width or 3 * self.height

    def fixed_height(self) -> int:
        """Return the height that words are scaled to."""
        return self.height

    def limits_width(self) -> bool:
        """Return whether there is a `max_width`."""
        return self.max_width is not None

    def fixed_to(self, size: Size) -> Self:
        """Return the step with a canvas of one size."""
        return msgspec.structs.replace(self, height=size[0], min_width=size[1], max_width=size[1])


def _from_minus_one_to_one(values: Values) -> Values:
    """Return bytes as numbers from -1 to 1, each operation in float32."""
    half = np.float32(0.5)
    return (values / np.float32(255) - half) / half
