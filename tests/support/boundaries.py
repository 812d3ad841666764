"""Comparing detections with boundaries that MMOCR recorded, whatever their order."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon, make_valid

from ocrdeploy.results import Detection

CORNER_TOLERANCE = 1e-3
"""Rotating calipers in float32 leave the corners of one and the same rectangle some 1e-5 apart."""


def overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the IoU of two polygons, shape (K, 2); 1 for the same vertices, which need not span an area."""
    if _same_vertices(first, second):
        return 1.0
    one, other = make_valid(Polygon(first)), make_valid(Polygon(second))
    union = float(one.union(other).area)
    return float(one.intersection(other).area) / union if union else 0.0


def unmatched(
    detections: Sequence[Detection],
    boundaries: Sequence[Sequence[float]],
    min_iou: float,
    score_tolerance: float,
) -> list[str]:
    """Pair detections with boundaries `[x1, y1, ..., score]` one to one, and describe what stays alone."""
    open_boundaries = {number: np.array(boundary) for number, boundary in enumerate(boundaries)}
    lonely = []
    for detection in detections:
        for number, boundary in open_boundaries.items():
            near = abs(detection.score - boundary[-1]) <= score_tolerance
            if near and overlap(detection.polygon, boundary[:-1].reshape(-1, 2)) >= min_iou:
                del open_boundaries[number]
                break
        else:
            lonely.append(f"extra: {detection}")
    return lonely + [f"missing: {boundary}" for boundary in open_boundaries.values()]


def _same_vertices(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Tell whether each vertex of either polygon lies on one of the other."""
    distances = np.abs(first[:, np.newaxis] - second[np.newaxis]).max(axis=2)
    nearest = max(distances.min(axis=0).max(), distances.min(axis=1).max())
    return len(first) == len(second) and bool(nearest <= CORNER_TOLERANCE)
