import pytest
import torch

from ocrdeploy.errors import ShapeError
from tests.support.network_cases import network_cases
from tests.support.networks import build_network

CASES = network_cases()


@pytest.mark.parametrize(
    ("shape", "got"),
    [
        ((1, 3, 64, 80), "1 x 3 x 64 x 80"),
        ((1, 3, 33, 64), "1 x 3 x 33 x 64"),
        ((1, 1, 64, 64), "1 x 1 x 64 x 64"),
        ((3, 64, 64), "3 x 64 x 64"),
        ((0, 3, 64, 64), "0 x 3 x 64 x 64"),
        ((1, 3, 0, 64), "1 x 3 x 0 x 64"),
        ((), "a scalar"),
    ],
)
def test_detectors_refuse_other_shapes(shape: tuple[int, ...], got: str) -> None:
    network = build_network(CASES["dbnet"].settings)
    with pytest.raises(ShapeError, match=f"N x 3 x H x W with H and W multiples of 32, got {got}"):
        network.check_input(shape)
    with pytest.raises(ShapeError):
        network(torch.zeros(shape))


@pytest.mark.parametrize(
    ("shape", "got"),
    [
        ((1, 1, 48, 100), "1 x 1 x 48 x 100"),
        ((1, 1, 31, 100), "1 x 1 x 31 x 100"),
        ((1, 3, 32, 100), "1 x 3 x 32 x 100"),
        ((1, 1, 32, 3), "1 x 1 x 32 x 3"),
        ((1, 32, 100), "1 x 32 x 100"),
        ((0, 1, 32, 100), "0 x 1 x 32 x 100"),
    ],
)
def test_recognisers_refuse_other_shapes(shape: tuple[int, ...], got: str) -> None:
    network = build_network(CASES["crnn"].settings)
    with pytest.raises(ShapeError, match=f"N x 1 x 32 x W with W at least 4, got {got}"):
        network.check_input(shape)
    with pytest.raises(ShapeError):
        network(torch.zeros(shape))
