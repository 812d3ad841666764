import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.decoders.suppression import suppress


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    """Return the corners of a rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def kept(polygons: list[list[tuple[float, float]]], scores: list[float], *, hull: bool = False) -> list[int]:
    """Return what is left at a threshold of 0.1."""
    corners: NDArray[np.float64] = np.array(polygons, np.float64).reshape(len(polygons), -1, 2)
    return [int(each) for each in suppress(corners, np.array(scores, np.float32), 0.1, hull_of_parts=hull)]


def test_the_better_of_two_that_overlap_is_kept_and_the_best_comes_first() -> None:
    boxes = [box(0, 0, 10, 10), box(5, 0, 15, 10), box(100, 0, 110, 10), box(14, 0, 24, 10)]
    assert kept(boxes, [0.5, 0.6, 0.9, 0.4]) == [2, 1, 3]


def test_what_is_dropped_drops_nothing() -> None:
    boxes = [box(0, 0, 10, 10), box(5, 0, 15, 10), box(10, 0, 20, 10)]
    assert kept(boxes, [0.9, 0.8, 0.7]) == [0, 2]


def test_at_the_threshold_both_are_kept() -> None:
    assert kept([box(0, 0, 11, 1), box(9, 0, 20, 1)], [0.9, 0.8]) == [0, 1]
    assert kept([box(0, 0, 11, 1), box(8.99, 0, 20, 1)], [0.9, 0.8]) == [0]


def test_of_equal_scores_the_last_comes_first() -> None:
    assert kept([box(0, 0, 10, 10), box(0, 0, 10, 10), box(50, 0, 60, 10)], [0.5, 0.5, 0.5]) == [2, 1]


def test_polygons_without_area_overlap_each_other_alone() -> None:
    point, line = [(5.0, 5.0)] * 4, [(0.0, 0.0), (9.0, 0.0), (9.0, 0.0), (0.0, 0.0)]
    assert kept([point, line, box(0, 0, 10, 10)], [0.9, 0.8, 0.7]) == [0, 2]


def test_a_polygon_that_falls_apart_counts_by_its_parts_or_by_its_hull() -> None:
    # Two boxes, joined by a line that is gone there and back.
    left, right = (
        [(5.0, 10.0), (0.0, 10.0), (0.0, 0.0), (5.0, 0.0)],
        [(15.0, 0.0), (20.0, 0.0), (20.0, 10.0), (15.0, 10.0)],
    )
    apart = [*left, *right, right[0], left[-1]]
    between = [*box(6, 0, 14, 10), *[(6.0, 10.0)] * 6]
    assert kept([apart, between], [0.9, 0.8]) == [0, 1]
    assert kept([apart, between], [0.9, 0.8], hull=True) == [0]


@pytest.mark.parametrize("corners", [4, 50])
def test_of_nothing_nothing_is_kept(corners: int) -> None:
    assert suppress(np.zeros((0, corners, 2)), np.zeros(0, np.float32), 0.1).tolist() == []
