"""The order in which the words of an image are read."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SAME_LINE = 0.5
"""Words are of one line where they share this part of the smaller one's height."""


def lines_of(polygons: Sequence[NDArray[np.float64]]) -> list[list[int]]:
    """Return the lines of text from top to bottom, each as the indices of its words from left to right.

    Words from top to bottom join the line whose last word, or one before it, they share most of their height with, if
    it is half of the smaller one's. Columns are not told apart: what stands beside each other is one line.

    Args:
        polygons: Shape (K, 2) each, float64: corners as (x, y) in pixels.
    """
    lefts = [float(polygon[:, 0].min()) for polygon in polygons]
    tops = [float(polygon[:, 1].min()) for polygon in polygons]
    bottoms = [float(polygon[:, 1].max()) for polygon in polygons]
    lines: list[list[int]] = []
    extents: list[tuple[float, float]] = []
    for index in sorted(range(len(polygons)), key=lambda each: ((tops[each] + bottoms[each]) / 2, lefts[each])):
        top, bottom = tops[index], bottoms[index]
        shares = [
            (min(bottom, low) - max(top, high)) / max(min(bottom - top, low - high), 1e-9) for high, low in extents
        ]
        best = max(range(len(shares)), key=shares.__getitem__, default=-1)
        if best >= 0 and shares[best] >= SAME_LINE:
            lines[best].append(index)
            count = len(lines[best])
            high, low = extents[best]
            # The mean of its words, so that one tall word does not make two lines one.
            extents[best] = high + (top - high) / count, low + (bottom - low) / count
        else:
            lines.append([index])
            extents.append((top, bottom))
    order = sorted(range(len(lines)), key=lambda line: extents[line])
    return [sorted(lines[line], key=lambda each: (lefts[each], tops[each])) for line in order]
