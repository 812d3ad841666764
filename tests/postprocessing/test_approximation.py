from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.postprocessing.approximation import approximate
from ocrdeploy.postprocessing.polygons import Rings, make_rings


def contours_of(mask: NDArray[np.uint8]) -> list[NDArray[np.int32]]:
    """Return all contours of a mask."""
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    return [np.asarray(contour, np.int32) for contour in contours]


def perimeters(contours: list[NDArray[np.int32]]) -> NDArray[np.float64]:
    """Return the length of each contour."""
    return np.array([cv2.arcLength(contour, True) for contour in contours])


def one_ring(*vertices: tuple[int, int]) -> Rings:
    """Return a single ring."""
    return make_rings([np.array(vertices, np.int32)])


@pytest.mark.parametrize("min_vertices", [3, 4, 6])
def test_vertices_are_those_of_opencv_4_11(data_dir: Path, min_vertices: int) -> None:
    folder = data_dir / "postprocess_db"
    compared = 0
    with np.load(folder / "maps.npz") as maps, np.load(folder / "approximations.npz") as recorded:
        for key in [name for name in recorded if name.endswith(":counts")]:
            name, ratio, _ = key.split(":")
            counts = recorded[key]
            vertices = np.split(recorded[f"{name}:{ratio}:points"].astype(np.int32), np.cumsum(counts)[:-1])
            contours = contours_of((maps[name] > 76).astype(np.uint8))
            result = approximate(make_rings(contours), float(ratio) * perimeters(contours), min_vertices)
            expected = [item.tolist() for item in vertices if len(item) >= min_vertices]
            assert [item.tolist() for item in result.split()] == expected
            compared += len(expected)
    assert compared > 300


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
    both = approximate(make_rings([np.array(bump, np.int32)] * 2), np.array([0.5, 2.0]), 4)
    assert [len(ring) for ring in both.split()] == [5, 4]
