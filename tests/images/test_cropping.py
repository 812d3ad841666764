import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.images.cropping import crop_word, upright_corners

WIDTH, HEIGHT = 96, 32
"""Of the word that is drawn."""
MEAN_DIFFERENCE = 6.0
"""Grey levels: turning a picture and turning it back blurs edges."""


def word() -> NDArray[np.uint8]:
    """A picture whose left and right, top and bottom differ."""
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    cv2.rectangle(picture, (4, 4), (30, 27), (0, 0, 200), -1)
    cv2.rectangle(picture, (40, 18), (90, 27), (0, 120, 0), -1)
    return cv2.GaussianBlur(picture, (5, 5), 0).astype(np.uint8)


def scene(degrees: float, centre: tuple[float, float] = (150, 150)) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The word turned clockwise in a larger picture, and its corners from the top left one clockwise."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    half = np.array([WIDTH, HEIGHT]) / 2
    corners = (np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half) @ turn.T + centre
    source = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT]], np.float32) - 0.5
    matrix = cv2.getAffineTransform(source, corners[:3].astype(np.float32) - 0.5)
    picture = cv2.warpAffine(word(), matrix, (300, 300), flags=cv2.INTER_CUBIC, borderValue=(255, 255, 255))
    return picture.astype(np.uint8), corners


def difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    assert first.shape == second.shape
    return float(np.abs(first.astype(np.float64) - second).mean())


def test_a_level_box_is_cut_out_pixel_by_pixel() -> None:
    image = np.random.default_rng(7).integers(0, 256, (60, 80, 3), np.uint8)
    polygon = np.array([[10, 20], [50, 20], [50, 36], [10, 36]], np.float64)
    assert np.array_equal(crop_word(image, polygon), image[20:36, 10:50])
    assert np.array_equal(crop_word(image[:, :, 0], polygon), image[20:36, 10:50, 0])


@pytest.mark.parametrize("degrees", [0, 20, -20, 45, -45, 65, -65])
@pytest.mark.parametrize("start", range(4))
@pytest.mark.parametrize("step", [1, -1])
def test_a_tilted_word_comes_out_level_wherever_its_polygon_begins(degrees: float, start: int, step: int) -> None:
    image, corners = scene(degrees)
    crop = crop_word(image, np.roll(corners, start, axis=0)[::step])
    assert difference(crop, word()) < MEAN_DIFFERENCE


@pytest.mark.parametrize("points", [5, 12])
def test_of_any_other_polygon_the_rectangle_around_it_is_cut_out(points: int) -> None:
    image, corners = scene(25)
    on_sides = [
        corners[side] + (corners[(side + 1) % 4] - corners[side]) * step / (points // 4 + 1)
        for side in range(4)
        for step in range(points // 4 + 1)
    ]
    crop = crop_word(image, np.array(on_sides))
    expected = word()
    assert abs(crop.shape[0] - expected.shape[0]) <= 1
    assert abs(crop.shape[1] - expected.shape[1]) <= 1
    assert difference(cv2.resize(crop, (WIDTH, HEIGHT)).astype(np.uint8), expected) < 2 * MEAN_DIFFERENCE


def test_a_perspective_is_rectified() -> None:
    corners = np.array([[40, 60], [240, 20], [250, 160], [50, 120]], np.float64)
    source = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, corners.astype(np.float32) - 0.5)
    image = cv2.warpPerspective(word(), matrix, (300, 200), borderValue=(255, 255, 255)).astype(np.uint8)
    crop = crop_word(image, corners)
    assert crop.shape == (140, 204, 3)
    assert difference(cv2.resize(crop, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8), word()) < 8


def test_a_narrow_character_stays_upright() -> None:
    image = np.random.default_rng(7).integers(0, 256, (60, 80, 3), np.uint8)
    polygon = np.array([[10, 10], [18, 10], [18, 40], [10, 40]], np.float64)
    assert np.array_equal(crop_word(image, polygon), image[10:40, 10:18])
    slanted = polygon + np.array([[4, 0], [4, 0], [0, 0], [0, 0]])
    assert crop_word(image, slanted).shape[0] > crop_word(image, slanted).shape[1]


def test_corners_begin_at_the_top_left_and_go_clockwise() -> None:
    polygon = np.array([[50, 36], [10, 36], [10, 20], [50, 20]], np.float64)
    assert upright_corners(polygon).tolist() == [[10, 20], [50, 20], [50, 36], [10, 36]]


@pytest.mark.parametrize(
    "polygon",
    [
        [[5, 5], [5, 5], [5, 5], [5, 5]],
        [[0, 0], [10, 10], [20, 20], [30, 30]],
        [[0, 0], [10, 0], [20, 0]],
        [[1, 1], [1.2, 1], [1.2, 1.1], [1, 1.1]],
        [[-50, -50], [-10, -50], [-10, -30], [-50, -30]],
        [[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [-1e6, 1e6]],
    ],
)
def test_degenerate_polygons_and_such_outside_give_an_image_all_the_same(polygon: list[list[float]]) -> None:
    image = np.full((40, 60, 3), 77, np.uint8)
    crop = crop_word(image, np.array(polygon, np.float64))
    assert min(crop.shape[:2]) >= 1
    assert max(crop.shape[:2]) <= 2 * 73
    assert (crop == 77).all()
