"""Polygons of the decoders: many at once where that is faster, one at a time where a library takes only one."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import pyclipper
import shapely
from numpy.typing import NDArray

MIN_RING_VERTICES = 3


@dataclass(frozen=True, slots=True)
class Rings:
    """Closed polygons, one after the other in one array, so that array operations reach all of them.

    Attributes:
        points: Shape (M, 2), int32: the vertices of all rings as (x, y), in pixels. The edge from the last vertex of
            a ring to its first is implied.
        offsets: Shape (R + 1,), intp: ring i is `points[offsets[i]:offsets[i + 1]]`. No ring is empty.
    """

    points: NDArray[np.int32]
    offsets: NDArray[np.intp]

    def __len__(self) -> int:
        """Return the number of rings."""
        return len(self.offsets) - 1

    def split(self) -> list[NDArray[np.int32]]:
        """Return each ring on its own, shape (n, 2), without copying its points."""
        return [self.points[start:end] for start, end in pairwise(self.offsets.tolist())]

    def bounding_boxes(self) -> NDArray[np.int32]:
        """Return the smallest and the largest coordinates of each ring: shape (R, 4), (x_min, y_min, x_max, y_max)."""
        if not len(self):
            return np.empty((0, 4), np.int32)
        starts = self.offsets[:-1]
        return np.hstack([np.minimum.reduceat(self.points, starts), np.maximum.reduceat(self.points, starts)])

    def areas_and_lengths(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the area and the perimeter of each ring, shape (R,) each, in pixels squared and pixels.

        Both come from GEOS, as in MMOCR: with another order of summation a perimeter would differ in its last bit.
        Where a ring crosses itself, clockwise parts count against counter-clockwise ones.

        Raises:
            ValueError: A ring has fewer than three vertices.
        """
        counts = np.diff(self.offsets)
        if not len(self):
            return np.empty(0), np.empty(0)
        if counts.min() < MIN_RING_VERTICES:
            raise ValueError(f"a ring has at least {MIN_RING_VERTICES} vertices, not {counts.min()}")
        rings = shapely.linearrings(self.points.astype(np.float64), indices=np.repeat(np.arange(len(self)), counts))
        return np.asarray(shapely.area(shapely.polygons(rings))), np.asarray(shapely.length(rings))


def make_rings(polygons: list[NDArray[np.int32]]) -> Rings:
    """Join polygons, all of shape (n, 2) or all, as OpenCV gives them, of shape (n, 1, 2), with n >= 1."""
    offsets = np.zeros(len(polygons) + 1, np.intp)
    np.cumsum([len(polygon) for polygon in polygons], out=offsets[1:])
    points = np.concatenate(polygons).reshape(-1, 2) if polygons else np.empty((0, 2), np.int32)
    return Rings(points, offsets)


def unclip(polygon: NDArray[np.int32], distance: float, *, first_alone: bool = False) -> NDArray[np.int32] | None:
    """Move every edge of a polygon outwards by a distance and round the corners (Vatti clipping, as in MMOCR).

    Args:
        polygon: Shape (n, 2), n >= 3; its orientation does not matter.
        distance: In pixels; below zero the polygon shrinks.
        first_alone: Take the first of several rings of equal length, as MMOCR 1.x does, and do not join them.

    Returns:
        Shape (k, 2), k >= 3, or None where nothing is left of the polygon, or where it becomes several rings (it falls
        apart, or closes around a hole) of unequal lengths. Rings of equal length are joined, one after the other, into
        one polygon, because MMOCR's array of them is not ragged then: its boxes of such slivers are these.
    """
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(polygon.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    paths = offset.Execute(distance)
    if len({len(path) for path in paths}) != 1:
        return None
    return np.concatenate([np.array(path, np.int32) for path in (paths[:1] if first_alone else paths)])


def min_area_quad(polygon: NDArray[np.int32]) -> tuple[NDArray[np.float64], float]:
    """Find the rectangle of the smallest area around a polygon.

    Args:
        polygon: Shape (n, 2), n >= 1.

    Returns:
        The four corners in order around the rectangle, shape (4, 2), whose first one depends on the version of
        OpenCV, and the length of the shorter side, in pixels.
    """
    rectangle = cv2.minAreaRect(polygon)
    return cv2.boxPoints(rectangle).astype(np.float64), min(rectangle[1])
