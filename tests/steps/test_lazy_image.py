from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrdeploy.steps import Normalize, NormalizeOCR
from ocrdeploy.steps.lazy_image import LazyImage
from ocrdeploy.steps.normalization import Values, normalize, normalize_unit, scale_to_unit

NORMALIZE = Normalize(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
UNIT = NormalizeOCR(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

Action = Callable[[LazyImage], None]
ACTIONS: dict[str, Action] = {
    "normalize": lambda image: image.map_values(lambda values: normalize(values, NORMALIZE.mean, NORMALIZE.std)),
    "unit": lambda image: image.map_values(scale_to_unit),
    "normalize_unit": lambda image: image.map_values(lambda values: normalize_unit(values, UNIT.mean, UNIT.std)),
    "reverse": LazyImage.reverse_channels,
    "pad": lambda image: image.pad((image.size[0] + 2, image.size[1] + 3), (1.0, 20.0, 7.0)),
    "pad one": lambda image: image.pad((image.size[0] + 1, image.size[1]), 5.0),
}


def bytes_image(height: int = 6, width: int = 7) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


@given(st.lists(st.sampled_from(sorted(ACTIONS)), max_size=6), st.integers(1, 4), st.integers(1, 4))
def test_looking_up_equals_computing_each_pixel(names: list[str], height: int, width: int) -> None:
    pixels = bytes_image(height, width)
    looked_up, computed = LazyImage(pixels), LazyImage(pixels.astype(np.float32))
    for name in names:
        ACTIONS[name](looked_up)
        ACTIONS[name](computed)
    assert looked_up.size == computed.size
    np.testing.assert_array_equal(looked_up.tensor(), computed.tensor())
    np.testing.assert_array_equal(looked_up.pixels(), computed.pixels())
    assert looked_up.tensor().flags.c_contiguous
    assert computed.tensor().flags.c_contiguous


def test_every_byte_is_normalised_as_mmcv_does() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 256)
    image = LazyImage(np.dstack([ramp] * 3))
    ACTIONS["normalize"](image)
    for channel in range(3):
        mean, std = np.float32(NORMALIZE.mean[channel]), np.float64(np.float32(NORMALIZE.std[channel]))
        centred = (ramp[0].astype(np.float32) - mean).astype(np.float64)
        np.testing.assert_array_equal(image.tensor()[channel, 0], (centred * (1 / std)).astype(np.float32))


def test_bytes_remain_bytes_until_a_value_changes() -> None:
    image = LazyImage(bytes_image())
    image.pad((8, 8), 3.0)
    assert image.is_bytes
    ACTIONS["unit"](image)
    assert not image.is_bytes
    assert not LazyImage(bytes_image().astype(np.float32)).is_bytes


def test_pixels_of_a_grey_image_have_two_dimensions() -> None:
    image = LazyImage(bytes_image()[..., 0])
    image.map_values(scale_to_unit)
    assert image.channels == 1
    assert image.pixels().shape == (6, 7)
    assert image.tensor().shape == (1, 6, 7)


@pytest.mark.parametrize("mean", [(2.0,), (1.0, 2.0, 3.0)])
def test_one_number_is_for_all_channels(mean: tuple[float, ...]) -> None:
    values: Values = np.zeros((3, 2, 2), np.float32)
    std = (2.0,) * len(mean)
    scaled = normalize(values, mean, std)
    assert scaled[:, 0, 0].tolist() == [-number / 2 for number in (mean * 3)[:3]]
    assert normalize_unit(values, mean, std).tolist() == scaled.tolist()
