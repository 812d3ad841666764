import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ocrdeploy.layers.activations import activation_values, list_activations

BATCH = np.random.default_rng(0).standard_normal((2, 3, 8, 8), dtype=np.float32)


class Block(nn.Module):
    """A convolution, its normalisation, a shortcut, and an activation that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.bn = nn.BatchNorm2d(3)
        self.relu = nn.ReLU()
        self.shortcut = nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        inner = self.relu(self.bn(self.conv(features)))
        result: Tensor = self.relu(inner + self.shortcut(features))
        return result


class Network(nn.Module):
    """Blocks in a sequence and in a list, a resize, a linear layer and a recurrent one."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Block(), Block())
        self.others = nn.ModuleList([nn.Conv2d(3, 1, 1)])
        self.lstm = nn.LSTM(8, 4)
        self.linear = nn.Linear(4, 2)

    def forward(self, images: Tensor) -> Tensor:
        features = self.blocks(images)
        larger = nn.functional.interpolate(features, scale_factor=2.0, mode="nearest")
        small = nn.functional.interpolate(self.others[0](larger), scale_factor=0.5, mode="nearest")
        sequence, _ = self.lstm(small.squeeze(1))
        result: Tensor = self.linear(sequence)
        return result


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network().eval()


def test_layers_and_functions_have_the_names_of_the_exporter(network: Network) -> None:
    found = list_activations(network, [BATCH])
    names = [activation.name for activation in found]
    assert names == [
        "/blocks/blocks.0/conv",
        "/blocks/blocks.0/bn",
        "/blocks/blocks.0/relu",
        "/blocks/blocks.0/Add",
        "/blocks/blocks.0/relu_1",
        "/blocks/blocks.1/conv",
        "/blocks/blocks.1/bn",
        "/blocks/blocks.1/relu",
        "/blocks/blocks.1/Add",
        "/blocks/blocks.1/relu_1",
        "/Resize",
        "/others.0",
        "/Resize_1",
        "/Squeeze",
        "/lstm",
        "/linear/MatMul",
        "/linear",
    ]
    by_name = {activation.name: activation for activation in found}
    assert by_name["/blocks/blocks.0/relu_1"].module == "blocks.0.relu"
    assert by_name["/blocks/blocks.0/bn"].operator == "BatchNorm2d"
    assert by_name["/blocks/blocks.0/bn"].inputs == {"/blocks/blocks.0/conv"}
    assert by_name["/blocks/blocks.1/Add"].inputs == {"/blocks/blocks.1/relu", "/blocks/blocks.0/relu_1"}
    assert by_name["/blocks/blocks.0/conv"].inputs == frozenset()
    assert not by_name["/Resize"].is_layer
    assert by_name["/Resize"].shape == (2, 3, 16, 16)


def test_values_are_those_that_the_network_computes(network: Network) -> None:
    values = activation_values(network, [BATCH], {"/blocks/blocks.0/bn", "/linear/MatMul", "/linear"})
    assert set(values) == {"/blocks/blocks.0/bn", "/linear/MatMul", "/linear"}
    with torch.inference_mode():
        block = network.blocks[0]
        assert isinstance(block, Block)
        expected = block.bn(block.conv(torch.from_numpy(BATCH))).numpy()
        whole = network(torch.from_numpy(BATCH)).numpy()
        bias = network.linear.bias.numpy()
    np.testing.assert_array_equal(values["/blocks/blocks.0/bn"], expected)
    np.testing.assert_array_equal(values["/linear"], whole)
    np.testing.assert_allclose(values["/linear/MatMul"], whole - bias, atol=1e-6)


def test_nothing_stays_behind_in_the_network(network: Network) -> None:
    list_activations(network, [BATCH])
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in network.modules())


def test_hooks_are_taken_out_also_when_the_network_fails(network: Network) -> None:
    with pytest.raises(RuntimeError):
        list_activations(network, [BATCH[:, :1]])
    assert all(not module._forward_hooks for module in network.modules())
