from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.images.reading_order import lines_of
from ocrdeploy.images.straightening import cut_out, straighten

GREY_LEVELS = 0 if int(cv2.__version__.split(".")[0]) >= 5 else 1
"""The recordings are of OpenCV 5.0, whose bicubic warping rounds otherwise than that of 4.11."""


def test_crops_of_four_corners_are_those_of_rapidocr(data_dir: Path) -> None:
    with np.load(data_dir / "ppocr" / "words.npz") as file:
        arrays = dict(file)
    for index, quad in enumerate(arrays["quads"]):
        crop = cut_out(arrays["photo"], quad.astype(np.float64), ordered=True)
        assert crop.shape == arrays[f"crop{index}"].shape
        np.testing.assert_allclose(crop.astype(int), arrays[f"crop{index}"], atol=GREY_LEVELS, rtol=0)


def test_corners_in_any_order_give_an_upright_word() -> None:
    image = np.zeros((60, 200, 3), np.uint8)
    image[20:40, 30:100] = 255
    corners = np.array([[30.0, 20], [170, 20], [170, 40], [30, 40]])
    expected = cut_out(image, corners, ordered=True)
    for shift in range(4):
        np.testing.assert_array_equal(cut_out(image, np.roll(corners, shift, axis=0)), expected)
        np.testing.assert_array_equal(cut_out(image, np.roll(corners[::-1], shift, axis=0)), expected)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shift", [0, 5])
def test_a_curved_word_comes_out_straight(reverse: bool, shift: int) -> None:
    """A band along an arc, whose brightness grows from left to right and which has a bright upper edge."""
    angles = np.linspace(np.pi * 0.9, np.pi * 0.1, 24)
    rims = [np.stack([150 + r * np.cos(angles), 160 - r * np.sin(angles)], axis=1) for r in (120, 90)]
    image = np.zeros((200, 300), np.uint8)
    for step in range(len(angles) - 1):
        part = np.array([rims[0][step], rims[0][step + 1], rims[1][step + 1], rims[1][step]])
        cv2.fillPoly(image, [np.rint(part).astype(np.int32)], 60 + 6 * step)
    cv2.polylines(image, [np.rint(rims[0]).astype(np.int32)], False, 255, 7)
    outline = np.vstack([rims[0], rims[1][::-1]])
    crop = straighten(image, np.roll(outline[::-1] if reverse else outline, shift, axis=0))
    height, width = crop.shape
    assert 20 < height < 36
    assert 230 < width < 300
    middle = crop[height // 2 + 3, 10:-10].astype(float)
    assert np.polyfit(np.arange(len(middle)), middle, 1)[0] > 0.2
    assert crop[1, 10:-10].mean() > 230


@pytest.mark.parametrize("corners", [[[5.0, 5], [5, 5], [5, 5]], [[0.0, 0], [10, 0], [20, 0], [30, 0], [15, 0]]])
def test_an_outline_without_an_area_gives_a_picture(corners: list[list[float]]) -> None:
    crop = cut_out(np.zeros((20, 40, 3), np.uint8), np.array(corners))
    assert min(crop.shape) >= 1


def box(left: float, top: float, right: float, bottom: float) -> NDArray[np.float64]:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def test_lines_go_from_top_to_bottom_and_words_from_left_to_right() -> None:
    boxes = [box(50, 2, 90, 22), box(0, 40, 30, 60), box(0, 0, 40, 20), box(40, 43, 80, 62)]
    assert lines_of(boxes) == [[2, 0], [1, 3]]
    assert lines_of([]) == []


def test_a_staircase_is_no_line() -> None:
    """Neighbours that overlap a little do not make one line of all."""
    boxes = [box(100 * step, 14 * step, 100 * step + 80, 14 * step + 20) for step in range(4)]
    assert lines_of(boxes) == [[0], [1], [2], [3]]


def test_a_tilted_line_is_one_line() -> None:
    boxes = [box(100 * step, 3 * step, 100 * step + 80, 3 * step + 20) for step in range(4)]
    assert lines_of(boxes) == [[0, 1, 2, 3]]
