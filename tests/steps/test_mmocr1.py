import numpy as np
import pytest

from ocrdeploy.errors import ConfigError, ImageError
from ocrdeploy.steps import (
    LoadImageFromFile,
    Normalize,
    PadToWidth,
    RescaleToHeight,
    RescaleToShortSide,
    fixed_height,
    output_size,
    preprocess,
    size_multiple,
    typical_size,
)


@pytest.mark.parametrize(
    ("size", "bounds", "width"),
    [
        ((32, 24), (None, None), 32),
        ((32, 41), (None, None), 48),
        ((32, 10), (50, None), 48),  # within bounds before it is rounded, where 0.x gives 50
        ((32, 300), (None, 100), 96),
        ((32, 1), (None, None), 16),  # MMOCR fails: half a multiple is rounded to none
        ((31, 100), (None, None), 96),
    ],
)
def test_the_width_of_a_word_is_bounded_and_then_rounded(
    size: tuple[int, int], bounds: tuple[int | None, int | None], width: int
) -> None:
    step = RescaleToHeight(32, *bounds, 16)
    assert step.size_after(size) == (32, width)
    result = preprocess(np.zeros(size, np.uint8), (LoadImageFromFile("grayscale"), step))
    assert (result.tensor.shape, result.resized_shape, result.scale_factor) == ((1, 32, width), (32, width), None)


@pytest.mark.parametrize(
    ("size", "divisor", "expected"),
    [
        ((720, 1280), 1, (736, 1308)),
        ((1280, 720), 1, (1308, 736)),
        ((720, 1280), 32, (736, 1312)),
        ((2, 736), 1, (736, 270848)),
    ],
)
def test_the_short_side_is_as_long_as_it_says(size: tuple[int, int], divisor: int, expected: tuple[int, int]) -> None:
    assert RescaleToShortSide(736, divisor).size_after(size) == expected


def test_how_much_an_image_was_scaled_is_kept() -> None:
    result = preprocess(np.zeros((72, 128, 3), np.uint8), (RescaleToShortSide(74),))
    assert result.scale_factor is not None
    assert result.resized_shape == (74, 132)
    np.testing.assert_array_equal(result.scale_factor, np.array([132 / 128, 74 / 72], np.float32))


def test_what_the_steps_tell() -> None:
    word, scene = RescaleToHeight(32, 32, None, 16), RescaleToShortSide(736, 32)
    assert (typical_size((word,)), typical_size((scene,))) == ((32, 96), (736, 1308))
    assert (fixed_height((word,)), fixed_height((scene,))) == (32, None)
    assert (size_multiple((word,)), size_multiple((scene,))) == (16, 32)
    assert [step.limits_width() for step in (word, RescaleToHeight(32, max_width=9))] == [False, True]
    assert [step.fixed_to((32, 70)).size_after((9, 500)) for step in (word, scene)] == [(32, 70), (32, 70)]


def test_sizes_without_bounds_are_refused() -> None:
    with pytest.raises(ImageError, match="32"):
        RescaleToHeight(32).size_after((1, 10**8))
    with pytest.raises(ImageError, match="736"):
        RescaleToShortSide(736).size_after((1, 10**6))


@pytest.mark.parametrize(("width", "ratio"), [(40, 0.4), (100, 1.0), (130, 1.0)])
def test_a_word_is_padded_at_its_right_to_a_width(width: int, ratio: float) -> None:
    word = np.full((8, width, 3), 200, np.uint8)
    steps = (PadToWidth(100), Normalize((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), to_rgb=False))
    result = preprocess(word, steps)
    assert result.tensor.shape == (3, 8, max(100, width)) == output_size((8, width), steps)
    assert (result.tensor[:, :, :width] == 200).all()
    assert (result.tensor[:, :, width:] == 0).all()
    assert result.valid_ratio == ratio
    assert result.resized_shape == (8, width)


def test_padding_has_a_value_a_channel_and_a_mode() -> None:
    word = np.full((2, 1, 3), 9, np.uint8)
    padded = preprocess(word, (PadToWidth(3, pad_val=(1.0, 2.0, 3.0)),)).tensor
    assert padded[:, 0].tolist() == [[9, 1, 1], [9, 2, 2], [9, 3, 3]]
    assert (preprocess(word, (PadToWidth(3, padding_mode="edge"),)).tensor == 9).all()
    with pytest.raises(ConfigError, match="PadToWidth has 3 numbers for the channels of an image that has 1"):
        preprocess(word[..., 0], (LoadImageFromFile("grayscale"), PadToWidth(3, pad_val=(1.0, 2.0, 3.0))))


def test_a_static_model_pads_to_its_own_width() -> None:
    assert PadToWidth(160).fixed_to((32, 100)).width == 100
    assert PadToWidth(160).multiple_after(16) == 16
