"""Non-maximum suppression: of polygons that overlap, the one with the highest score."""

import numpy as np
import shapely
from numpy.typing import NDArray


def suppress(
    polygons: NDArray[np.float64], scores: NDArray[np.float32], threshold: float, *, hull_of_parts: bool = False
) -> NDArray[np.intp]:
    """Return which polygons have no better one that they overlap: `poly_nms` of MMOCR.

    The polygon of the highest score is kept, all that overlap it are dropped, and so on with what is left. Two
    polygons without any area overlap. A polygon that crosses itself counts as GEOS's `buffer(0)` repairs it.

    Args:
        polygons: Shape (N, K, 2), finite; N may be zero.
        scores: Shape (N,). Of equal ones the last comes first.
        threshold: Polygons overlap whose intersection over union is above it.
        hull_of_parts: Take the convex hull of a polygon that falls apart when it is repaired, as MMOCR 1.x does, and
            not its parts, as 0.x does.

    Returns:
        The indices of what is kept, by descending score.
    """
    shapes = _repaired(np.asarray(shapely.polygons(polygons)), hull_of_parts=hull_of_parts)
    areas, boxes = shapely.area(shapes), shapely.bounds(shapes)
    left = np.argsort(scores, kind="stable")[::-1]
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        sums = areas[best] + areas[left]
        overlaps = sums == 0
        # What two polygons have in common is at most what the boxes around them have.
        sides = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2])
        common = np.maximum(sides, 0).prod(axis=1)
        near = np.flatnonzero(~overlaps & (common * (1 + threshold) >= threshold * sums))
        common = shapely.area(shapely.intersection(shapes[best], shapes[left[near]]))
        overlaps[near] = common / (sums[near] - common) > threshold
        left = left[~overlaps]
    return np.array(kept, np.intp)


def _repaired(shapes: NDArray[np.object_], *, hull_of_parts: bool) -> NDArray[np.object_]:
    """Return polygons that do not cross themselves."""
    wrong = np.flatnonzero(~shapely.is_valid(shapes))
    shapes[wrong] = shapely.buffer(shapes[wrong], 0)
    if hull_of_parts:
        parts = wrong[shapely.get_type_id(shapes[wrong]) != shapely.GeometryType.POLYGON]
        shapes[parts] = shapely.convex_hull(shapes[parts])
    return shapes
