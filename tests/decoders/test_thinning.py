from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrdeploy.decoders.thinning import thin


def test_lines_are_those_of_scikit_image(data_dir: Path) -> None:
    with np.load(data_dir / "thinning" / "masks.npz") as data:
        shapes = data["shapes"].astype(int)
        sizes = shapes.prod(axis=1)
        masks, lines = (
            np.split(np.unpackbits(data[name], count=int(sizes.sum())).astype(np.bool_), np.cumsum(sizes)[:-1])
            for name in ("masks", "lines")
        )
    assert len(shapes) == 200
    for shape, mask, line in zip(shapes, masks, lines, strict=True):
        np.testing.assert_array_equal(thin(mask.reshape(shape)), line.reshape(shape))


@pytest.mark.parametrize("shape", [(0, 0), (0, 7), (7, 0), (1, 1), (5, 9)])
def test_an_empty_mask_has_no_lines(shape: tuple[int, int]) -> None:
    assert not thin(np.zeros(shape, np.bool_)).any()
    assert thin(np.zeros(shape, np.bool_)).shape == shape


def test_a_single_pixel_stays() -> None:
    assert thin(np.ones((1, 1), np.bool_)).all()


def test_a_bar_becomes_a_line_along_its_middle() -> None:
    bar = np.zeros((11, 60), np.bool_)
    bar[3:8, 5:55] = True
    rows, columns = np.nonzero(thin(bar))
    assert set(rows[(columns > 10) & (columns < 49)].tolist()) == {5}
    assert len(columns) == len(set(columns.tolist()))


@settings(max_examples=100, deadline=None)
@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_lines_are_pixels_of_the_mask_and_thinned_already(mask: NDArray[np.bool_]) -> None:
    line = thin(mask)
    assert not (line & ~mask).any()
    np.testing.assert_array_equal(thin(line), line)
