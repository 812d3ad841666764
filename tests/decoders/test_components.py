import cv2
import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrdeploy.decoders.components import filled_components


def drawn(text: str) -> NDArray[np.bool_]:
    """Return a mask of rows of # and dots."""
    return np.array([[character == "#" for character in row] for row in text.split()])


def test_parts_touch_at_corners_and_have_no_holes() -> None:
    found = filled_components(drawn("###.... #.#..#. ###...# ...#..."))
    np.testing.assert_array_equal(found.labels > 0, drawn("###.... ###..#. ###...# ...#..."))
    left, right = found.labels[0, 0], found.labels[1, 5]
    assert left != right
    assert found.labels[3, 3] == left
    assert found.labels[2, 6] == right
    assert len(found.contours) == 2


def test_what_is_open_over_an_edge_is_no_hole() -> None:
    found = filled_components(drawn("### #.. ###"))
    assert found.labels[1, 1] == 0


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (3, 5)])
def test_an_empty_mask_has_no_parts(shape: tuple[int, int]) -> None:
    found = filled_components(np.zeros(shape, np.bool_))
    assert found.contours == ()
    assert found.labels.shape == shape
    assert not found.labels.any()


@settings(max_examples=200, deadline=None)
@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14))))
def test_a_part_is_what_its_contour_fills(mask: NDArray[np.bool_]) -> None:
    found = filled_components(mask)
    assert (found.labels > 0)[mask].all()
    assert found.labels.max(initial=0) == len(found.contours)
    for number, contour in enumerate(found.contours):
        filled = cv2.drawContours(np.zeros(mask.shape, np.uint8), [contour], -1, 1, cv2.FILLED)
        np.testing.assert_array_equal(found.labels == number + 1, filled > 0)
