"""What every step of a test pipeline can do, and the words that steps share."""

from typing import Literal, Self

from ocrdeploy.spec_part import SpecPart

from .geometry import Size
from .lazy_image import LazyImage

ColorType = Literal["color", "color_ignore_orientation", "grayscale", "grayscale_ignore_orientation"]


class StepPart(SpecPart, frozen=True):
    """A step: its numbers as the config writes them, and what it does with them.

    This is a step that leaves an image as it is; each kind replaces what it changes. Sizes are (height, width) in
    pixels.
    """

    def apply(self, image: LazyImage) -> None:
        """Change an image."""

    def size_after(self, size: Size) -> Size:
        """Return the size that an image has after the step.

        Raises:
            ImageError: It would be too large.
        """
        return size

    def channels_after(self, before: int) -> int:
        """Return the number of channels after the step.

        Raises:
            ConfigError: The step has numbers for another number of channels.
        """
        return before

    def multiple_after(self, before: int) -> int:
        """Return a number that divides every height and width after the step, `before` being one that did before it."""
        return before

    def typical_size(self) -> Size | None:
        """Return the size of an image as the step expects it; None if it takes images as they are."""
        return None

    def fixed_height(self) -> int | None:
        """Return the height that every image has after the step; None where it depends on the image."""
        return None

    def limits_width(self) -> bool:
        """Return whether images have a largest width after the step, however wide they were."""
        return False

    def fixed_to(self, _size: Size, /) -> Self:
        """Return the step that gives every image a size, instead of one that depends on the image."""
        return self


def is_grayscale(color_type: ColorType) -> bool:
    """Return whether images of this kind have one channel."""
    return color_type in ("grayscale", "grayscale_ignore_orientation")
