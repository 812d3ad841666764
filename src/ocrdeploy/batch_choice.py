"""How many images to run together: measured, because it depends on network, machine and sizes."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ocrdeploy.backends import Batch

SIZES = (1, 2, 4, 8, 16)
LEAST_GAIN = 0.05
"""A larger batch takes more memory, so it must be faster by this part."""
REPEATS = 3
"""The fastest of so many runs counts: whatever else a machine does only ever adds time."""
MAX_SECONDS = 1.0
"""What all runs may take together, so that looking for speed does not cost more than it gains."""
MAX_PIXELS = 2**18
"""Pixels of a batch, at most: sixteen words of 32×512. CRNN's first feature map is then 67 MB large."""


@dataclass(frozen=True, slots=True)
class BatchChoice:
    """A batch size, and what was measured for it.

    Attributes:
        size: Images to run together.
        milliseconds: Time an image by batch size, as far as it was measured.
    """

    size: int
    milliseconds: dict[int, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What was chosen and why, in words."""
        measured = ", ".join(f"{size}: {taken:.2f} ms" for size, taken in self.milliseconds.items())
        return f"batch size {self.size}" + (f" (time an image by batch size: {measured})" if measured else "")


def measure_batch_size(
    run: Callable[[Batch], object],
    one: Batch,
    clock: Callable[[], float] = time.perf_counter,
) -> BatchChoice:
    """Return the batch size from which on the time an image falls by less than `LEAST_GAIN`.

    Args:
        run: Runs the network.
        one: A batch of the one image to measure with.
        clock: Gives seconds.
    """
    started = clock()
    pixels = max(math.prod(array.shape[2:]) for array in one.values())
    milliseconds: dict[int, float] = {}
    chosen = 1
    for size in SIZES:
        previous = milliseconds.get(size // 2, 0.0) * size / 2 / 1000
        # Twice the images take at most about twice the time.
        expected = 2 * previous * REPEATS
        if size > 1 and (clock() - started + expected > MAX_SECONDS or size * pixels > MAX_PIXELS):
            break
        batch = {name: np.repeat(array, size, axis=0) for name, array in one.items()}
        milliseconds[size] = 1000 / size * min(_seconds(run, batch, clock) for _ in range(REPEATS))
        if size > 1 and milliseconds[size] > (1 - LEAST_GAIN) * milliseconds[chosen]:
            break
        chosen = size
    return BatchChoice(chosen, milliseconds)


def _seconds(run: Callable[[Batch], object], batch: Batch, clock: Callable[[], float]) -> float:
    """Return how long a run takes."""
    started = clock()
    run(batch)
    return clock() - started
