import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ocrdeploy.networks.batchnorm_folding import fold_batchnorm
from tests.support.network_cases import images, network_cases
from tests.support.networks import run_torch, seeded_network

RELATIVE_TOLERANCE = 1e-5
"""Of the output's largest magnitude. The folded weights are rounded to float32 once more."""

CASES = network_cases()
NAMES = [name for name in CASES if name not in ("resnet101", "resnet101_caffe")]


def batch_norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def assert_folded_equals(network: nn.Module, batch: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> nn.Module:
    folded = fold_batchnorm(network)
    expected = run_torch(network, batch)
    assert np.abs(run_torch(folded, batch) - expected).max() <= RELATIVE_TOLERANCE * np.abs(expected).max()
    return folded


@pytest.mark.parametrize("name", NAMES)
def test_outputs_stay(name: str) -> None:
    case = CASES[name]
    # The binary map would multiply rounding by 50.
    network = seeded_network(case.settings, upsample=case.upsample)
    assert_folded_equals(network, images(name, case.shapes[0]))


@pytest.mark.parametrize("name", ["dbnet_every_option", "resnet50_v1d", "fpem_ffm_twice", "fpnf_concat", "crnn"])
def test_every_batch_norm_is_folded(name: str) -> None:
    network = seeded_network(CASES[name].settings, all_outputs=True)
    folded = fold_batchnorm(network)
    assert batch_norms(network) > 0
    assert batch_norms(folded) == 0
    assert type(folded) is type(network)


def test_the_branch_that_is_not_computed_stays() -> None:
    assert batch_norms(fold_batchnorm(seeded_network(CASES["dbnet"].settings))) == 2


def test_the_original_is_not_changed() -> None:
    network = seeded_network(CASES["dbnet"].settings).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    folded = fold_batchnorm(network)
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in after.items())
    assert network.training
    assert not folded.training


def seeded_batch_norm(channels: int, *, affine: bool = True) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, affine=affine)
    generator = torch.Generator().manual_seed(channels)
    for tensor in norm.state_dict().values():
        if tensor.dtype == torch.float32:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return norm


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_grouped_and_transposed_convolutions(groups: int, affine: bool, bias: bool) -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 8, 3, groups=groups, bias=bias),
        seeded_batch_norm(8, affine=affine),
        nn.ConvTranspose2d(8, 12, 2, stride=2, groups=groups, bias=bias),
        seeded_batch_norm(12, affine=affine),
    ).eval()
    folded = assert_folded_equals(network, images("groups", (2, 4, 6, 5)))
    assert batch_norms(folded) == 0


class Branching(nn.Module):
    """Reads a convolution's output beside its batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)
        self.norm = seeded_batch_norm(2)

    def forward(self, features: Tensor) -> Tensor:
        convolved: Tensor = self.conv(features)
        normalised: Tensor = self.norm(convolved)
        return normalised + convolved


class Repeating(nn.Module):
    """Runs a convolution twice, but normalises it once."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)
        self.norm = seeded_batch_norm(2)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.norm(self.conv(self.conv(features)))
        return result


@pytest.mark.parametrize("network", [Branching(), Repeating(), nn.Sequential(nn.ReLU(), seeded_batch_norm(2))])
def test_what_cannot_be_folded_stays(network: nn.Module) -> None:
    folded = assert_folded_equals(network.eval(), images("stays", (1, 2, 3, 3)))
    assert batch_norms(folded) == 1
