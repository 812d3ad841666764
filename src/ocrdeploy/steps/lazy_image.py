"""An image on its way through a pipeline, whose floating-point numbers are written once, at the end.

A byte has 256 values, so a normalisation is computed for those instead of for a million pixels, and the tensor is
filled by looking them up, channel by channel, straight into its padded place. This gives the same bits as computing
each pixel, in about a tenth of the time.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .frame import Frame
from .geometry import PadValue, Pixels, Size, pad, pad_values
from .normalization import Values
from .tensor_buffers import Allocate, new_tensor


class LazyImage:
    """Pixels, with what has been decided about their values but not yet computed.

    Args:
        pixels: H×W×3, or H×W for one channel; uint8 or float32. It is never written to.
        allocate: Gives the memory of a tensor that is looked up.

    Attributes:
        resized: Height and width after scaling, before padding.
        scale_factor: (width, height) after Resize by those before, float32; None without Resize.
        valid_ratio: Part of the width that a word takes, in (0, 1]; None where no step pads words.
        frame: Where the image lies in the frame that it was put in; None without one.
    """

    def __init__(self, pixels: Pixels, allocate: Allocate = new_tensor) -> None:
        self._allocate = allocate
        self.scale_factor: Values | None = None
        self.valid_ratio: float | None = None
        self.frame: Frame | None = None
        self.replace(pixels)
        self.resized = self.size

    def replace(self, pixels: Pixels) -> None:
        """Go on with other pixels, of any size and number of channels."""
        self._pixels = pixels
        # What each byte becomes, C×256; row i is for channel self._order[i] of the pixels.
        self._table: Values | None = None
        self._order = list(range(1 if pixels.ndim == 2 else pixels.shape[2]))
        self._tensor: Values | None = None

    def resize(self, pixels: Pixels, resized: Size) -> None:
        """Go on with pixels that have been scaled to a size and then, it may be, padded."""
        self.replace(pixels)
        self.resized = resized

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self._order)

    @property
    def size(self) -> Size:
        """Height and width."""
        height, width = self._pixels.shape[:2] if self._tensor is None else self._tensor.shape[1:]
        return height, width

    @property
    def is_bytes(self) -> bool:
        """Whether the values are still the bytes of the image."""
        return self._tensor is None and self._table is None and self._pixels.dtype == np.uint8

    def pixels(self) -> Pixels:
        """Return the image as OpenCV takes it: H×W×3, or H×W for one channel."""
        if self._table is not None or self._tensor is not None:
            tensor = self.tensor()
            return np.ascontiguousarray(np.moveaxis(tensor, 0, -1)) if len(tensor) > 1 else tensor[0]
        return self._pixels

    def tensor(self) -> Values:
        """Return the image as the network takes it: C×H×W float32, C-contiguous."""
        if self._tensor is None and self._pixels.dtype == np.uint8:
            self._tensor = self._look_up(self.size, (0.0,) * self.channels)
        elif self._tensor is None:
            channels_first = np.moveaxis(np.atleast_3d(self._pixels), -1, 0)
            self._tensor = np.ascontiguousarray(channels_first, np.float32)
        return self._tensor

    def map_values(self, function: Callable[[Values], Values]) -> None:
        """Replace each value by a function of it alone, which may differ between channels."""
        if self._tensor is None and self._pixels.dtype == np.uint8:
            self._table = function(self._current_table())
        else:
            self._tensor = function(self.tensor())

    def reverse_channels(self) -> None:
        """Put the channels in reverse order."""
        if self._tensor is None and self._pixels.dtype == np.uint8:
            self._table = self._current_table()[::-1]
            self._order.reverse()
        else:
            self._tensor = np.ascontiguousarray(self.tensor()[::-1])

    def pad(self, size: Size, value: PadValue) -> None:
        """Pad at the right and bottom, with values on the scale that the image now has."""
        if self._tensor is None and self._table is not None:
            self._tensor = self._look_up(size, pad_values(value, self.channels))
        else:
            self.replace(pad(self.pixels(), size, value))

    def _current_table(self) -> Values:
        """Return what each byte has become until now."""
        if self._table is not None:
            return self._table
        return np.tile(np.arange(256, dtype=np.float32), (self.channels, 1))

    def _look_up(self, size: Size, border: tuple[float, ...]) -> Values:
        """Return the tensor of the pixels' table values, padded to a size."""
        height, width = self._pixels.shape[:2]
        planes = [self._pixels] if self._pixels.ndim == 2 else cv2.split(self._pixels)
        table = self._current_table()
        tensor = self._allocate((self.channels, *size))
        for channel, source in enumerate(self._order):
            plane = tensor[channel]
            plane[height:] = border[channel]
            plane[:height, width:] = border[channel]
            _look_up_plane(planes[source], table[channel], plane[:height, :width])
        return tensor


def _look_up_plane(plane: NDArray[np.integer | np.floating], table: Values, out: Values) -> None:
    """Write the table's value of each byte to `out`, a view of a larger array."""
    result = cv2.LUT(plane, table, dst=out)
    if not np.may_share_memory(result, out):  # OpenCV allocates anew where it cannot use `out`
        out[...] = result
