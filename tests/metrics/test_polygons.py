import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrdeploy.metrics.polygons import intersection_areas, intersection_over_union, lies_in_ignored, measure

TOLERANCE = 1e-9  # areas of one pair, measured in either order, differ by rounding alone

SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float64)
coordinates = st.floats(-500, 500, allow_nan=False, width=32)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=7).map(lambda p: np.array(p, np.float64))


def test_known_areas() -> None:
    truths, predictions = measure([SQUARE, SQUARE + 5]), measure([SQUARE, SQUARE + 20, SQUARE * 0])
    areas = intersection_areas(truths, predictions).ravel().tolist()
    ratios = intersection_over_union(truths, predictions).ravel().tolist()
    assert areas == pytest.approx([100, 0, 0, 25, 0, 0], abs=TOLERANCE)
    assert ratios == pytest.approx([1, 0, 0, 25 / 175, 0, 0], abs=TOLERANCE)


def test_nothing_has_no_overlap() -> None:
    assert intersection_over_union(measure([]), measure([SQUARE])).shape == (0, 1)
    assert intersection_over_union(measure([SQUARE]), measure([])).shape == (1, 0)
    assert lies_in_ignored(measure([SQUARE]), measure([]), 0.5).tolist() == [False]
    assert lies_in_ignored(measure([]), measure([SQUARE]), 0.5).tolist() == []


def test_keeps_the_area_before_a_polygon_is_made_valid() -> None:
    bow_tie = measure([SQUARE[[0, 2, 1, 3]]])
    assert bow_tie.areas.tolist() == [0]
    # One of its halves is inside the square, but there is no area to take a share of.
    assert intersection_areas(measure([SQUARE]), bow_tie).item() > 0
    assert lies_in_ignored(bow_tie, measure([SQUARE]), 0.0).tolist() == [False]


@given(polygons, polygons)
def test_intersection_over_union_is_symmetric_and_bounded(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> None:
    one, other = measure([first]), measure([second])
    there, back = intersection_over_union(one, other).item(), intersection_over_union(other, one).item()
    assert there == pytest.approx(back, abs=TOLERANCE)
    assert 0 <= there <= 1 + TOLERANCE
