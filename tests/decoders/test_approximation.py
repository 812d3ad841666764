from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.decoders.approximation import approximate
from ocrdeploy.decoders.polygons import Rings, make_rings


def read_rings(data: Mapping[str, NDArray[Any]], name: str) -> list[NDArray[np.int32]]:
    """Return the polygons that were recorded under a name."""
    counts = data[f"{name}:counts"]
    return np.split(data[f"{name}:points"].astype(np.int32), np.cumsum(counts)[:-1])


def one_ring(*vertices: tuple[int, int]) -> Rings:
    """Return a single ring."""
    return make_rings([np.array(vertices, np.int32)])


@pytest.mark.parametrize("min_vertices", [3, 4, 6])
@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("group", ["polygons", "jagged", "blobs", "noise", "shapes"])
def test_vertices_are_those_of_opencv_4_11(data_dir: Path, group: str, ratio: float, min_vertices: int) -> None:
    with np.load(data_dir / "postprocess_db" / "approximations.npz") as data:
        contours = read_rings(data, f"{group}:contours")
        expected = [item.tolist() for item in read_rings(data, f"{group}:{ratio}") if len(item) >= min_vertices]
    tolerances = np.array([ratio * cv2.arcLength(contour, True) for contour in contours])
    result = approximate(make_rings(contours), tolerances, min_vertices)
    assert [item.tolist() for item in result.split()] == expected
    assert expected


def test_no_contours() -> None:
    assert len(approximate(make_rings([]), np.empty(0), 3)) == 0


def test_contours_with_too_few_vertices_are_left_out() -> None:
    line = np.array([[0, 0], [9, 0]], np.int32)
    square = np.array([[0, 0], [0, 9], [9, 9], [9, 0]], np.int32)
    rings = approximate(make_rings([line, square, line]), np.zeros(3), 4)
    assert [ring.tolist() for ring in rings.split()] == [[[0, 0], [0, 9], [9, 9], [9, 0]]]


def test_what_fits_into_the_tolerance_is_left_out() -> None:
    assert len(approximate(one_ring((0, 0), (0, 2), (2, 2), (2, 0)), np.array([3.0]), 3)) == 0


def test_equal_vertices_do_not_raise() -> None:
    assert len(approximate(one_ring(*[(5, 5)] * 6), np.zeros(1), 3)) == 0


def test_each_contour_has_its_own_tolerance() -> None:
    bump = [(0, 0), (0, 20), (10, 21), (20, 20), (20, 0)]
    rings = approximate(make_rings([np.array(bump, np.int32)] * 3), np.array([0.999, 1.0, 2.0]), 4)
    assert [len(ring) for ring in rings.split()] == [5, 4, 4]
