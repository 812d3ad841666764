import numpy as np
import pytest
import torch
from torch.nn import functional

from ocrdeploy.layers.upsampling import enlarge

ROUNDING = 1e-6
"""Weights of the bilinear sum, in float32, of values up to about 4."""


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn((2, 3, 4, 5), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_nearest_repeats_pixels(features: torch.Tensor, factor: int) -> None:
    expected = features.numpy().repeat(factor, axis=2).repeat(factor, axis=3)
    np.testing.assert_array_equal(enlarge(features, factor, "nearest").numpy(), expected)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_bilinear_is_resizing_to_the_enlarged_size(features: torch.Tensor, factor: int, align_corners: bool) -> None:
    size = (4 * factor, 5 * factor)
    expected = functional.interpolate(features, size=size, mode="bilinear", align_corners=align_corners)
    actual = enlarge(features, factor, "bilinear", align_corners=align_corners)
    np.testing.assert_allclose(actual.numpy(), expected.numpy(), rtol=0, atol=ROUNDING)


def test_bilinear_lies_between_pixel_centres() -> None:
    row = torch.tensor([[[[0.0, 4.0]]]])
    assert enlarge(row, 2, "bilinear")[0, 0, 0].tolist() == [0, 1, 3, 4]
    assert enlarge(row, 2, "bilinear", align_corners=True)[0, 0, 0].tolist() == pytest.approx([0, 4 / 3, 8 / 3, 4])


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_one_pixel_fills_the_map(mode: str) -> None:
    pixel = torch.full((1, 1, 1, 1), 3.0)
    match mode:
        case "nearest":
            result = enlarge(pixel, 8, "nearest")
        case _:
            result = enlarge(pixel, 8, "bilinear")
    assert result.tolist() == [[[[3.0] * 8] * 8]]
