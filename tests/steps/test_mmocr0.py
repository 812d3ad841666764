from typing import Any

import numpy as np
import pytest

from ocrdeploy.errors import ImageError
from ocrdeploy.steps import (
    LoadImageFromFile,
    Normalize,
    NormalizeOCR,
    Pad,
    Resize,
    ResizeOCR,
    Step,
    ToTensorOCR,
    fixed_height,
    output_size,
    preprocess,
    size_multiple,
    turns_upright,
    typical_size,
)


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
    assert Resize(scale=scale).size_after(size) == expected


def test_exact_size_is_width_and_height() -> None:
    assert Resize(scale=(30, 20), keep_ratio=False).size_after((720, 1280)) == (20, 30)


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
    assert step.size_after((64, 97)) == expected


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
    word = step.word_size(size)
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
    word = ResizeOCR(height=32, **options).word_size((32, 96))
    assert (word.resized, word.padded, word.valid_ratio) == ((32, resized), (32, padded), valid_ratio)


def test_sizes_without_bounds_are_refused() -> None:
    with pytest.raises(ImageError, match="100000 x 100000"):
        Resize(scale=(10**5, 10**5)).size_after((1, 1))
    with pytest.raises(ImageError, match="1000000000"):
        Pad(size_divisor=10**9).size_after((1, 1))
    with pytest.raises(ImageError, match="100000000 x 32"):
        ResizeOCR(height=32, max_width=10**8).word_size((1, 1))


WORD = (LoadImageFromFile("grayscale"), ResizeOCR(32, max_width=160), Normalize((127,), (127,)))
SCENE = (Resize((1333, 736)), Normalize((0, 0, 0), (1, 1, 1)), Pad(size_divisor=32))


@pytest.mark.parametrize("steps", [WORD, SCENE, (Resize((9, 7), keep_ratio=False),), (Pad(size=(32, 64)),)])
def test_steps_that_are_fixed_to_a_size_leave_an_image_of_that_size_as_it_is(steps: tuple[Step, ...]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    pixels = image[..., 0] if steps is WORD else image
    fixed = tuple(step.fixed_to((64, 96)) for step in steps)
    geometric = Resize | ResizeOCR | Pad
    rest = tuple(step for step in steps if not isinstance(step, geometric))
    assert output_size((40, 50), fixed)[1:] == (64, 96)
    np.testing.assert_array_equal(preprocess(pixels, fixed).tensor, preprocess(pixels, rest).tensor)


@pytest.mark.parametrize(
    ("steps", "multiple"),
    [
        (SCENE, 32),
        (SCENE[:2], 1),
        ((Pad(size_divisor=32), Resize((640, 640))), 1),
        ((Resize((64, 96), keep_ratio=False),), 32),
        ((Pad(size=(48, 64)), ToTensorOCR()), 16),
        (WORD, 1),
        ((), 1),
    ],
)
def test_what_divides_the_size_of_all_images(steps: tuple[Step, ...], multiple: int) -> None:
    assert size_multiple(steps) == multiple


def test_what_a_pipeline_expects_of_images() -> None:
    assert (typical_size(SCENE), fixed_height(SCENE)) == ((736, 1333), None)
    assert (typical_size(WORD), fixed_height(WORD)) == ((32, 96), 32)
    assert (typical_size((Pad(size_divisor=32),)), fixed_height(())) == (None, None)
    assert [step.limits_width() for step in (ResizeOCR(32), WORD[1], SCENE[0], SCENE[2])] == [False, True, True, False]


def test_whether_images_are_turned_as_their_tag_says() -> None:
    assert turns_upright(())
    assert turns_upright((LoadImageFromFile("grayscale"), NormalizeOCR((0.5,), (0.5,))))
    assert not turns_upright((LoadImageFromFile("color_ignore_orientation"),))
