"""Times of functions that are run in turn, and their ratios."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

PAUSE = 0.3
"""Seconds before each run, in which threads of the one before stop looking for work."""


def seconds(work: Callable[[], object]) -> float:
    """Return how long a function takes."""
    time.sleep(PAUSE)
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interleaved(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Run each function once a round, after a round to warm up, and return the seconds of each by its name."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for done in range(-1, rounds):
        for name, work in works.items():
            taken = seconds(work)
            if done >= 0:
                times[name].append(taken)
    return times


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median, with the smallest and the largest value."""
    return f"{np.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def ratios(times: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return the ratio of two times round by round."""
    return [one / other for one, other in zip(times, others, strict=True)]
