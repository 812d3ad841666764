"""Masks to lines one pixel wide: what scikit-image's `skeletonize` computes.

T. Y. Zhang and C. Y. Suen, "A Fast Parallel Algorithm for Thinning Digital Patterns", Communications of the ACM 27,
1984. scikit-image is not needed for it: with what it depends on it takes more space than all other packages together.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = np.array([[1, 2, 4], [128, 0, 8], [64, 32, 16]], np.uint8)
"""What each neighbour that is set adds to the number of a neighbourhood: clockwise from the upper left."""

REMOVED_TOO = ((10, 11, 40, 130, 134, 160, 161, 194, 198), (10, 26, 40, 104, 108, 130, 160, 176))
"""Neighbourhoods of which each of the two passes removes the pixel, as scikit-image has it, beside those of the paper:
most have two neighbours over edges, at a right angle."""
NOT_REMOVED = ((24, 48, 56, 96, 129, 192, 224), (3, 6, 12, 14, 48, 129, 131))
"""Neighbourhoods of which a pass keeps the pixel, as scikit-image has it, other than in the paper."""

Mask = NDArray[np.uint8]


def thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Remove pixels from the edges of a mask until what is left is lines.

    Two passes take turns. In each of them all pixels are looked at as the pass before left them; they are removed where
    their eight neighbours say that they are no ends of lines and that nothing falls apart, in the first pass from the
    right and bottom or a corner at the upper left, in the second the other way round.

    Args:
        mask: Shape (H, W). What lies outside it is not set.

    Returns:
        Shape (H, W).
    """
    lines = np.asarray(mask, np.uint8)
    left = int(lines.sum())
    while left:
        for kept in _kept():
            numbers = cv2.filter2D(lines, cv2.CV_8U, NEIGHBOURS, borderType=cv2.BORDER_CONSTANT)
            lines = lines * kept[numbers]
        before, left = left, cv2.countNonZero(lines)
        if left == before:
            break
    return lines.astype(np.bool_)


@cache
def _kept() -> tuple[Mask, Mask]:
    """Return for each pass and each number of a neighbourhood 1 where the pixel is kept, else 0; shape (256,) each."""
    rings = (np.arange(256)[:, np.newaxis] >> np.arange(8)) & 1
    set_neighbours = rings.sum(axis=1)
    beginnings = ((rings == 0) & (np.roll(rings, -1, axis=1) == 1)).sum(axis=1)
    is_edge = (set_neighbours >= 2) & (set_neighbours <= 6) & (beginnings == 1)
    above, right, below, beside = rings[:, 1::2].astype(np.bool_).T
    tables = []
    for triples, more, less in zip(
        (((above, right, below), (right, below, beside)), ((above, right, beside), (above, below, beside))),
        REMOVED_TOO,
        NOT_REMOVED,
        strict=True,
    ):
        removed = is_edge & ~np.logical_and.reduce(triples[0]) & ~np.logical_and.reduce(triples[1])
        removed[list(more)], removed[list(less)] = True, False
        tables.append((~removed).astype(np.uint8))
    return tables[0], tables[1]
