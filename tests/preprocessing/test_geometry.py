from typing import Any

import numpy as np
import pytest

from ocrdeploy.errors import ImageError
from ocrdeploy.model_spec.preprocessing import Pad, Resize, ResizeOCR
from ocrdeploy.preprocessing.geometry import pad, pad_values, padded_size, resize, resized_size, word_size


@pytest.mark.parametrize(
    ("scale", "size", "expected"),
    [
        ((1333, 736), (720, 1280), (736, 1308)),
        ((736, 1333), (720, 1280), (736, 1308)),
        ((1333, 736), (1280, 720), (1308, 736)),
        ((3000, 640), (720, 1280), (640, 1138)),
        ((2240, 2240), (720, 1280), (1260, 2240)),
        ((10, 10), (3, 4), (8, 10)),  # 7.5 is rounded up
        ((10, 10), (1, 21), (1, 10)),  # mmdet fails: 10 / 21 is rounded to nothing
    ],
)
def test_resize_keeps_the_ratio(scale: tuple[int, int], size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert resized_size(Resize(scale=scale), size) == expected


def test_exact_size_is_width_and_height() -> None:
    assert resized_size(Resize(scale=(30, 20), keep_ratio=False), (720, 1280)) == (20, 30)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Pad(size_divisor=32), (64, 128)),
        (Pad(size_divisor=1), (64, 97)),
        (Pad(size=(70, 100)), (70, 100)),
        (Pad(size=(10, 100)), (64, 100)),
    ],
)
def test_pad_never_crops(step: Pad, expected: tuple[int, int]) -> None:
    assert padded_size(step, (64, 97)) == expected


@pytest.mark.parametrize(
    ("size", "ratio", "width"),
    [
        ((32, 24), 1 / 16, 32),  # one and a half multiples: to the even one
        ((32, 40), 1 / 16, 32),  # two and a half: to the even one
        ((32, 41), 1 / 16, 48),
        ((31, 100), 1 / 16, 96),  # 103.2 is rounded up to 104, six and a half: to the even one
        ((32, 8), 1 / 16, 16),  # MMOCR fails: half a multiple is rounded to none
        ((32, 1), 1 / 16, 16),
        ((32, 50), 1.0, 50),
        ((32, 50), 0.3, 51),  # multiples of 3
    ],
)
def test_width_of_a_word(size: tuple[int, int], ratio: float, width: int) -> None:
    step = ResizeOCR(height=32, width_downsample_ratio=ratio)
    word = word_size(step, size)
    assert word.resized == word.padded == (32, width)
    assert word.valid_ratio == 1


@pytest.mark.parametrize(
    ("options", "resized", "padded", "valid_ratio"),
    [
        ({"max_width": 160}, 96, 160, 0.6),
        ({"max_width": 96}, 96, 96, 1.0),
        ({"max_width": 40}, 40, 40, 1.0),
        ({"min_width": 128, "max_width": 160}, 128, 160, 0.8),
        ({"min_width": 128}, 128, 128, 1.0),
        ({"min_width": 200, "max_width": 160}, 160, 160, 1.0),
        ({"max_width": 77, "keep_aspect_ratio": False}, 77, 77, 1.0),
        ({"min_width": 8, "max_width": 7, "keep_aspect_ratio": False}, 7, 7, 1.0),
    ],
)
def test_bounds_of_a_word(options: dict[str, Any], resized: int, padded: int, valid_ratio: float) -> None:
    word = word_size(ResizeOCR(height=32, **options), (32, 96))
    assert (word.resized, word.padded, word.valid_ratio) == ((32, resized), (32, padded), valid_ratio)


def test_sizes_without_bounds_are_refused() -> None:
    with pytest.raises(ImageError, match="100000 x 100000"):
        resized_size(Resize(scale=(10**5, 10**5)), (1, 1))
    with pytest.raises(ImageError, match="1000000000"):
        padded_size(Pad(size_divisor=10**9), (1, 1))
    with pytest.raises(ImageError, match="100000000 x 32"):
        word_size(ResizeOCR(height=32, max_width=10**8), (1, 1))


def test_an_image_of_the_right_size_is_returned() -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    assert resize(image, (4, 5)) is image
    assert pad(image, (4, 5), 1.0) is image


def test_one_padding_value_is_the_first_channels() -> None:
    assert pad(np.ones((1, 1, 3), np.uint8), (1, 2), 126.5)[0].tolist() == [[1, 1, 1], [126, 0, 0]]
    assert pad(np.ones((1, 1), np.uint8), (2, 1), 127.5).tolist() == [[1], [128]]
    assert pad(np.ones((1, 1), np.float32), (2, 1), -0.25).tolist() == [[1], [-0.25]]
    assert pad_values((1.0, 2.0, 3.0), 3) == (1.0, 2.0, 3.0)
    assert pad_values(4.0, 3) == (4.0, 0.0, 0.0)
