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
