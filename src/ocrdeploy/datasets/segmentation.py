"""Polygons of annotations, checked."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import AnnotationError
from ocrdeploy.metrics.truth import DetectionTruth

MAX_COORDINATE = 1e7
"""No image is so large that a corner lies farther out, and areas of larger polygons would not be exact."""
MIN_POINTS = 4
"""MMOCR evaluates polygons of at least four points."""

_FIX_NUMBERS = f"Coordinates are pixels, at most {MAX_COORDINATE:.0f}."
_FIX = "A segmentation is a list of one polygon [x1, y1, x2, y2, ...] of at least four points."


def first_polygon(segmentation: object, origin: str) -> NDArray[np.float64]:
    """Return the first polygon of a `segmentation`, the one that MMOCR evaluates; the others are not looked at.

    Source: `get_gt_masks` in `mmocr.core.evaluation.hmean`, MMOCR v0.6.3.

    Args:
        segmentation: A list of polygons, each `[x1, y1, x2, y2, ...]`.
        origin: Where it is written, for messages.

    Returns:
        Shape (K, 2), float64, K >= 4: corners as (x, y), in pixels of the original image.

    Raises:
        AnnotationError: There is none, or it is no polygon.
    """
    if not isinstance(segmentation, list) or not segmentation:
        raise AnnotationError(f"{origin}: expected a 'segmentation' with a polygon, got {_name(segmentation)}", _FIX)
    polygon = segmentation[0]
    if not isinstance(polygon, list):
        raise AnnotationError(f"{origin}: expected a list of polygons, got a list of {_name(polygon)}", _FIX)
    wrong = [value for value in polygon if isinstance(value, bool) or not isinstance(value, int | float)]
    if wrong:
        raise AnnotationError(f"{origin}: expected a polygon of numbers, got {wrong[0]!r} among them", _FIX)
    return to_polygon(polygon, origin)


def to_polygon(numbers: list[float], origin: str) -> NDArray[np.float64]:
    """Return `[x1, y1, x2, y2, ...]` as an array of shape (K, 2), float64, K >= 4.

    Raises:
        AnnotationError: There are too few numbers, an odd number of them, or one that is not finite or is huge.
    """
    polygon = to_corners(numbers, origin)
    if len(polygon) < MIN_POINTS:
        raise AnnotationError(f"{origin}: expected a polygon of at least {MIN_POINTS} points, got {len(polygon)}", _FIX)
    return polygon


def to_corners(numbers: list[float], origin: str) -> NDArray[np.float64]:
    """Return `[x1, y1, x2, y2, ...]` as an array of shape (K, 2), float64, however many they are.

    Raises:
        AnnotationError: There is an odd number of numbers, or one that is not finite or is huge.
    """
    if len(numbers) % 2:
        raise AnnotationError(f"{origin}: expected a polygon of x and y in turn, got {len(numbers)} numbers", _FIX)
    wrong = [value for value in numbers if not -MAX_COORDINATE <= value <= MAX_COORDINATE]
    if wrong:
        got = str(wrong[0])[:20]
        raise AnnotationError(f"{origin}: expected a polygon of finite numbers, got {got}", _FIX_NUMBERS)
    return np.array(numbers, np.float64).reshape(-1, 2)


def make_truth(polygons: Iterable[tuple[NDArray[np.float64], bool]]) -> DetectionTruth:
    """Return the truth of one image, of polygons and whether each is ignored."""
    marked = list(polygons)
    return DetectionTruth(
        polygons=tuple(polygon for polygon, is_ignored in marked if not is_ignored),
        ignored=tuple(polygon for polygon, is_ignored in marked if is_ignored),
    )


def _name(value: object) -> str:
    match value:
        case None:
            return "none"
        case []:
            return "an empty list"
        case dict():
            return "an object (a run-length encoded mask?)"
        case _:
            return type(value).__name__
