import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.decoders.polygons import make_rings, min_area_quad, unclip


def polygon(*vertices: tuple[int, int]) -> NDArray[np.int32]:
    """Return vertices as an array."""
    return np.array(vertices, np.int32)


SQUARE = polygon((0, 0), (0, 10), (10, 10), (10, 0))
TRIANGLE = polygon((20, 5), (23, 9), (20, 9))


def test_rings_are_measured_each_on_its_own() -> None:
    rings = make_rings([SQUARE, TRIANGLE])
    areas, lengths = rings.areas_and_lengths()
    assert areas.tolist() == [100, 6]
    assert lengths.tolist() == [40, 12]
    assert rings.bounding_boxes().tolist() == [[0, 0, 10, 10], [20, 5, 23, 9]]
    assert [ring.tolist() for ring in rings.split()] == [SQUARE.tolist(), TRIANGLE.tolist()]
    contours = make_rings([SQUARE[:, np.newaxis], TRIANGLE[:, np.newaxis]])
    np.testing.assert_array_equal(contours.points, rings.points)
    np.testing.assert_array_equal(contours.offsets, rings.offsets)


def test_no_rings() -> None:
    rings = make_rings([])
    assert len(rings) == 0
    assert rings.split() == []
    assert rings.bounding_boxes().shape == (0, 4)
    assert [values.shape for values in rings.areas_and_lengths()] == [(0,), (0,)]


def test_a_line_has_no_area_to_measure() -> None:
    with pytest.raises(ValueError, match="at least 3 vertices, not 2"):
        make_rings([SQUARE, SQUARE[:2]]).areas_and_lengths()


def test_degenerate_rings_have_no_area() -> None:
    rings = make_rings([polygon((5, 5), (5, 5), (5, 5), (5, 5)), polygon((0, 0), (10, 10), (10, 0), (0, 10))])
    areas, lengths = rings.areas_and_lengths()
    assert areas.tolist() == [0, 0]
    assert lengths[0] == 0


@pytest.mark.parametrize("vertices", [SQUARE, SQUARE[::-1]])
def test_unclip_moves_every_edge_and_rounds_corners(vertices: NDArray[np.int32]) -> None:
    grown = unclip(vertices, 5.0)
    assert grown is not None
    assert grown.min(axis=0).tolist() == [-5, -5]
    assert grown.max(axis=0).tolist() == [15, 15]
    assert len(grown) > 8
    assert [-5, -5] not in grown.tolist()


def test_what_becomes_nothing_or_rings_of_unequal_lengths_is_dropped() -> None:
    assert unclip(polygon((0, 0), (5, 0), (10, 0)), 0.0) is None
    assert unclip(SQUARE, -6.0) is None
    dumbbell = polygon(
        (0, 0), (0, 10), (10, 10), (10, 6), (20, 6), (20, 10), (30, 10), (30, 0), (20, 0), (20, 4), (10, 4), (10, 0)
    )
    assert unclip(dumbbell, -0.5) is not None
    joined = unclip(dumbbell, -2.0)
    assert joined is not None
    assert joined.tolist() == [[28, 2], [28, 8], [22, 8], [22, 2], [2, 8], [2, 2], [8, 2], [8, 8]]
    lopsided = polygon(
        (0, 0), (0, 10), (10, 10), (10, 6), (20, 6), (20, 10), (25, 14), (30, 10), (30, 0), (20, 0), (20, 4), (10, 4),
        (10, 0),
    )  # fmt: skip
    assert unclip(lopsided, -2.0) is None
    clasp = polygon(
        (0, 0), (0, 30), (30, 30), (30, 17), (26, 17), (26, 26), (4, 26), (4, 4), (26, 4), (26, 13), (30, 13), (30, 0)
    )
    assert unclip(clasp, 1.0) is not None
    assert unclip(clasp, 3.0) is None


def test_the_rectangle_of_least_area() -> None:
    quad, width = min_area_quad(polygon((10, 0), (20, 10), (15, 15), (5, 5)))
    assert width == pytest.approx(50**0.5, abs=1e-4)
    found = sorted(tuple(corner) for corner in np.rint(quad).tolist())
    assert found == [(5, 5), (10, 0), (15, 15), (20, 10)]


@pytest.mark.parametrize("vertices", [SQUARE[:1], SQUARE[:2], polygon((3, 3), (3, 3), (3, 3))])
def test_a_rectangle_around_points_on_a_line_has_no_width(vertices: NDArray[np.int32]) -> None:
    assert min_area_quad(vertices)[1] == pytest.approx(0, abs=1e-6)
