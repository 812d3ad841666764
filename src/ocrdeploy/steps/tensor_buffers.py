"""Where the memory of tensors comes from.

A detector's tensor has some 10 MB. Taken anew for each image, the system hands them out page by page, each zeroed when
it is first written to, which took longer than filling them.
"""

import math
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Allocate = Callable[[tuple[int, int, int]], NDArray[np.float32]]
"""Gives C×H×W float32 that need not be initialised."""


def new_tensor(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return memory that belongs to one tensor alone."""
    return np.empty(shape, np.float32)


class ThreadBuffers:
    """Gives each thread the same memory for one tensor after the other.

    For streams in which a thread is done with a tensor before it begins the next: what is given is overwritten.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    def __call__(self, shape: tuple[int, int, int]) -> NDArray[np.float32]:
        """Return the calling thread's memory, as a tensor of this shape."""
        size = math.prod(shape)
        buffer: NDArray[np.float32] | None = getattr(self._local, "buffer", None)
        if buffer is None or buffer.size < size:
            buffer = self._local.buffer = np.empty(size, np.float32)
        return buffer[:size].reshape(shape)
