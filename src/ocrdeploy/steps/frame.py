"""The frame that an image is put in before anything looks at it: other sides, and black bars above and below."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import Pixels, Size


@dataclass(frozen=True, slots=True)
class Frame:
    """Where an image lies in its frame.

    Attributes:
        original: Height and width of the image in pixels.
        scaled: Height and width that it is scaled to.
        bar: Height of the black bar above it, and of the one below, in pixels.
    """

    original: Size
    scaled: Size
    bar: int = 0

    @property
    def size(self) -> Size:
        """Height and width of the frame."""
        return self.scaled[0] + 2 * self.bar, self.scaled[1]

    def to_original(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points K×2, as (x, y) in pixels of the frame, in pixels of the image; those beside it go to its edge.

        The corners of an image of W×H pixels are (0, 0) and (W, H).
        """
        height, width = self.original
        scale = np.array([width / self.scaled[1], height / self.scaled[0]])
        return np.asarray(np.clip((points - (0, self.bar)) * scale, 0, (width, height)), np.float64)

    def padded(self, pixels: Pixels) -> Pixels:
        """Return the scaled image with its bars."""
        if not self.bar:
            return pixels
        bars = ((self.bar, self.bar), (0, 0), (0, 0))[: pixels.ndim]
        return np.pad(pixels, bars)
