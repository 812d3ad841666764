import cv2
import numpy as np
import pytest

from ocrdeploy import Detection, Recognition
from ocrdeploy.images.drawing import draw_outlines, draw_result, encode_image, fit_within, grey_map, heat_map

GREY = np.full((60, 80, 3), 90, np.uint8)
BOX = Detection(np.array([(10, 10), (60, 10), (60, 40), (10, 40)], float), 0.9)


def test_outlines_have_their_colour_and_the_image_is_not_written_to() -> None:
    before = GREY.copy()
    drawn = draw_outlines(GREY, [([BOX], (255, 0, 0), 1), ([], (0, 0, 255), 1)])
    np.testing.assert_array_equal(before, GREY)
    blue, green, red = drawn[10, 30].tolist()
    assert blue > 250
    assert max(green, red) < 40
    assert drawn[25, 30].tolist() == [90, 90, 90]


def test_a_picture_is_made_smaller_but_never_larger() -> None:
    assert fit_within(GREY, 40).shape == (30, 40, 3)
    assert fit_within(GREY, 100) is GREY
    assert fit_within(np.zeros((1, 1000, 3), np.uint8), 10).shape == (1, 10, 3)


def test_a_grey_map_is_black_at_0_and_white_at_1() -> None:
    picture = grey_map(np.array([[0, 0.5], [1, 7]], np.float32), 10)
    assert picture[:, :, 0].tolist() == [[0, 128], [255, 255]]


def test_a_heat_map_keeps_a_single_pixel_when_it_is_made_smaller() -> None:
    values = np.zeros((100, 203), np.float32)
    values[57, 201] = 1.0
    picture = heat_map(values, 1.0, 51)
    assert picture.shape == (25, 51, 3)
    hot, cold = picture[57 // 4, 201 // 4], picture[0, 0]
    assert hot.astype(int).sum() > 500
    assert cold.astype(int).sum() < 20
    assert (picture.astype(int).sum(axis=2) > 100).sum() == 1


def test_a_heat_map_of_nothing_is_dark() -> None:
    assert heat_map(np.zeros((4, 4), np.float32), 0.0, 10).max() < 10


@pytest.mark.parametrize(("lossless", "magic"), [(True, b"\x89PNG"), (False, b"\xff\xd8\xff")])
def test_pictures_are_encoded(lossless: bool, magic: bytes) -> None:
    data = encode_image(GREY, lossless=lossless)
    assert data.startswith(magic)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    np.testing.assert_allclose(decoded, GREY, atol=2)


def test_a_tall_word_is_drawn_within_bounds() -> None:
    drawn = draw_result(np.zeros((20000, 1, 3), np.uint8), Recognition("a", (1.0,)))
    assert drawn.shape[1] == 320
    assert drawn.shape[0] <= 2**14 + 28
