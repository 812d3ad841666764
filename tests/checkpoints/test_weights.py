import pytest
import torch
from torch import Tensor, nn

from ocrdeploy.checkpoints.weights import load_weights
from ocrdeploy.errors import CheckpointError


@pytest.fixture
def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), *(nn.Linear(2, 2) for _ in range(4)))


def ones_like(network: nn.Module) -> dict[str, Tensor]:
    return {key: torch.ones_like(value) for key, value in network.state_dict().items()}


def test_weights_are_copied(network: nn.Sequential) -> None:
    load_weights(network, ones_like(network), "a.pth")
    assert all(torch.equal(value, torch.ones_like(value)) for value in network.state_dict().values())


def test_half_precision_weights_are_converted(network: nn.Sequential) -> None:
    load_weights(network, {key: value.half() for key, value in ones_like(network).items()}, "a.pth")
    assert network.state_dict()["0.weight"].dtype == torch.float32


def test_batch_counters_may_be_missing(network: nn.Sequential) -> None:
    weights = ones_like(network)
    del weights["1.num_batches_tracked"]
    load_weights(network, weights, "a.pth")
    assert network.state_dict()["1.weight"].tolist() == [1, 1, 1, 1]


def test_all_that_does_not_fit_is_listed(network: nn.Sequential) -> None:
    weights = ones_like(network)
    del weights["0.bias"]
    weights |= {"head.weight": torch.ones(1), "0.weight": torch.ones(8, 3, 3, 3)}
    with pytest.raises(CheckpointError) as caught:
        load_weights(network, weights, "folder/a.pth")
    assert caught.value.message == (
        "the weights in folder/a.pth do not have the keys and shapes of the network that the config describes: "
        "1 missing (0.bias); 1 unexpected (head.weight); "
        "1 of another shape (0.weight is 8 x 3 x 3 x 3 instead of 4 x 3 x 3 x 3)"
    )


def test_long_lists_are_cut(network: nn.Sequential) -> None:
    with pytest.raises(CheckpointError, match=r"14 missing \(0\.weight, 0\.bias, .* and 9 more\)"):
        load_weights(network, {}, "a.pth")


def test_five_keys_are_listed_in_full(network: nn.Sequential) -> None:
    weights = ones_like(network) | {f"extra{index}": torch.ones(1) for index in range(5)}
    with pytest.raises(CheckpointError, match=r"5 unexpected \(extra0, extra1, extra2, extra3, extra4\)"):
        load_weights(network, weights, "a.pth")


def test_a_network_is_left_as_it_was_when_weights_do_not_fit(network: nn.Sequential) -> None:
    before = {key: value.clone() for key, value in network.state_dict().items()}
    weights = ones_like(network) | {"extra": torch.ones(1)}
    with pytest.raises(CheckpointError):
        load_weights(network, weights, "a.pth")
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_what_is_no_tensor_is_refused(network: nn.Sequential) -> None:
    weights: dict[str, object] = {**ones_like(network), "0.bias": [0.0] * 4}
    with pytest.raises(CheckpointError, match=r"0\.bias is a list instead of 4"):
        load_weights(network, weights, "a.pth")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64, torch.int64])
def test_numbers_of_another_kind_are_refused_by_name(network: nn.Sequential, dtype: torch.dtype) -> None:
    weights = ones_like(network) | {"0.weight": torch.ones(4, 3, 3, 3).to(dtype)}
    with pytest.raises(
        CheckpointError, match=rf"1 of another type \(0\.weight is {str(dtype)[6:]} instead of float32\)"
    ):
        load_weights(network, weights, "a.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_mean_nothing_are_refused_by_name(network: nn.Sequential, value: float) -> None:
    before = {key: each.clone() for key, each in network.state_dict().items()}
    weights = ones_like(network)
    weights["1.running_var"][2] = value
    weights["2.weight"][:] = value
    with pytest.raises(CheckpointError) as caught:
        load_weights(network, weights, "a.pth")
    assert caught.value.message == (
        "the weights in a.pth hold NaN or infinity, so they mean nothing: "
        "1.running_var: 1 of 4 values are NaN or infinite, and 1 more tensor"
    )
    assert caught.value.details == (
        "1.running_var: 1 of 4 values are NaN or infinite",
        "2.weight: 4 of 4 values are NaN or infinite",
    )
    assert all(torch.equal(each, before[key]) for key, each in network.state_dict().items())


def test_a_weight_that_float32_cannot_hold_is_refused(network: nn.Sequential) -> None:
    weights = ones_like(network)
    weights["0.bias"] = torch.tensor([1.0, 1e300, 1.0, 1.0], dtype=torch.float64)
    with pytest.raises(CheckpointError, match=r"0\.bias: 1 of 4 values are NaN or infinite"):
        load_weights(network, weights, "a.pth")


def test_infinite_values_of_a_mask_mean_something() -> None:
    network = nn.Linear(2, 2)
    mask = torch.tensor([[0.0, float("-inf")], [0.0, 0.0]])
    network.register_buffer("mask", mask)
    load_weights(network, ones_like(network) | {"mask": mask}, "a.pth")
    assert network.state_dict()["mask"].equal(mask)
    with pytest.raises(CheckpointError, match="mask: 1 of 4 values are NaN or infinite"):
        load_weights(network, ones_like(network) | {"mask": mask.T}, "a.pth")
    with pytest.raises(CheckpointError, match="mask: 1 of 4 values are NaN or infinite"):
        load_weights(network, ones_like(network) | {"mask": -mask}, "a.pth")
