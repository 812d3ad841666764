"""Areas of polygons and of their overlaps, for all pairs of one image at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class PolygonSet:
    """Polygons made ready for measuring.

    Attributes:
        shapes: Shape (N,), shapely geometries, all valid: a polygon that crosses or touches itself is replaced by its
            buffer of width zero, which may have several parts or none.
        areas: Shape (N,), float64, square pixels: the areas of the polygons as they were given, before that
            replacement. MMOCR divides by these.
        bounds: Shape (N, 4), float64, pixels: x and y of the upper left, x and y of the lower right corner; NaN where
            a shape has no parts.
    """

    shapes: NDArray[np.object_]
    areas: NDArray[np.float64]
    bounds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.shapes)


def measure(polygons: Sequence[NDArray[np.float64]]) -> PolygonSet:
    """Make polygons ready for measuring.

    Source: `poly_make_valid` in `mmocr.core.evaluation.utils`, MMOCR v0.6.3.

    Args:
        polygons: Shape (K, 2) each, float64, K >= 3, finite: corners as (x, y) in pixels.
    """
    if not polygons:
        return PolygonSet(np.empty(0, np.object_), np.empty(0), np.empty((0, 4)))
    owners = np.repeat(np.arange(len(polygons)), [len(polygon) for polygon in polygons])
    shapes = shapely.polygons(shapely.linearrings(np.concatenate(polygons), indices=owners))
    areas = shapely.area(shapes)
    invalid = ~shapely.is_valid(shapes)
    shapes[invalid] = shapely.buffer(shapes[invalid], 0)
    return PolygonSet(shapes, areas, shapely.bounds(shapes))


def in_one_piece(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return shapes, shape (N,), with the convex hull in place of each that is no single polygon.

    Source: `poly_make_valid` in `mmocr.utils.polygon_utils`, MMOCR v1.0.1, which 0.x does not have.
    """
    apart = shapely.get_type_id(shapes) != shapely.GeometryType.POLYGON
    return np.where(apart, shapely.convex_hull(shapes), shapes)


def intersection_areas(truths: PolygonSet, predictions: PolygonSet) -> NDArray[np.float64]:
    """Return the area that each prediction has in common with each truth: shape (T, P), float64, square pixels."""
    areas = np.zeros((len(truths), len(predictions)))
    rows, columns = _touching_pairs(truths, predictions)
    areas[rows, columns] = shapely.area(shapely.intersection(predictions.shapes[columns], truths.shapes[rows]))
    return areas


def intersection_over_union(truths: PolygonSet, predictions: PolygonSet) -> NDArray[np.float64]:
    """Return the intersection over union of each truth with each prediction: shape (T, P), float64, 0 to 1.

    Where the union is empty it is 0. The union is a polygon of its own, not the sum of two areas less the
    intersection, so that a pair just at a threshold falls on the same side as in MMOCR.

    Source: `poly_iou` in `mmocr.core.evaluation.utils`, MMOCR v0.6.3.
    """
    overlaps = intersection_areas(truths, predictions)
    rows, columns = np.nonzero(overlaps)
    overlaps[rows, columns] /= shapely.area(shapely.union(predictions.shapes[columns], truths.shapes[rows]))
    return overlaps


def lies_in_ignored(predictions: PolygonSet, ignored: PolygonSet, precision_thr: float) -> NDArray[np.bool_]:
    """Tell which predictions do not count, because they cover text that is to be ignored.

    Source: `ignore_pred` in `mmocr.core.evaluation.utils`, MMOCR v0.6.3.

    Args:
        predictions: The predictions of one image.
        ignored: The ignored truths of the same image.
        precision_thr: The share of a prediction's area, 0 to 1, that has to lie in one ignored truth, exclusive.

    Returns:
        Shape (P,), bool.
    """
    inside: NDArray[np.bool_] = share(intersection_areas(ignored, predictions), predictions.areas) > precision_thr
    return np.asarray(inside.any(axis=0), np.bool_)


def share(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide areas (broadcast) and take 0 where there is nothing to divide by."""
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes != 0)


def _touching_pairs(truths: PolygonSet, predictions: PolygonSet) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of the pairs whose bounding boxes meet; no others have an area in common."""
    rows, columns = truths.bounds[:, None], predictions.bounds[None]
    meet = (rows[..., :2] <= columns[..., 2:]) & (columns[..., :2] <= rows[..., 2:])
    pairs = np.argwhere(meet.all(axis=-1))
    return pairs[:, 0], pairs[:, 1]
