from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from ocrdeploy.checkpoints.state_dict import SAVE_FIX, TRUST_FIX, read_state_dict
from ocrdeploy.errors import CheckpointError, MissingPackageError, OcrDeployWarning
from tests.support.checkpoints import LAYOUTS, Layout, save

both_layouts = pytest.mark.parametrize("layout", LAYOUTS)

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
]


class ConfigDict(dict[str, Any]):
    """A kind of dictionary, as mmcv's configs are."""


@pytest.fixture
def weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        "backbone.conv1.weight": torch.rand(4, 3, 3, 3, generator=generator),
        "backbone.bn1.bias": torch.rand(4, generator=generator),
        "backbone.bn1.num_batches_tracked": torch.tensor(5),
    }


def assert_same(read: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(read) == list(expected)
    for key, value in expected.items():
        assert read[key].dtype == value.dtype
        assert torch.equal(read[key], value.detach())


@both_layouts
def test_what_pytorch_saves_is_read(weights: dict[str, Tensor], tmp_path: Path, layout: Layout) -> None:
    path = save({"meta": {"epoch": 3}, "state_dict": OrderedDict(weights)}, tmp_path / "a.pth", layout)
    assert path.read_bytes().startswith(b"PK") == (layout == "zip")
    assert_same(read_state_dict(path), weights)


@both_layouts
@pytest.mark.parametrize("wrap", [dict, OrderedDict, ConfigDict])
def test_a_state_dict_may_lie_bare(weights: dict[str, Tensor], tmp_path: Path, layout: Layout, wrap: Any) -> None:
    assert_same(read_state_dict(save(wrap(weights), tmp_path / "a.pth", layout)), weights)
    assert_same(read_state_dict(save(wrap(state_dict=wrap(weights)), tmp_path / "b.pth", layout)), weights)


@both_layouts
def test_a_networks_own_state_dict_is_read(tmp_path: Path, layout: Layout) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LSTM(4, 5, bidirectional=True))
    assert_same(read_state_dict(save(network.state_dict(), tmp_path / "a.pth", layout)), network.state_dict())


@both_layouts
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_of_numbers_is_read(tmp_path: Path, layout: Layout, dtype: torch.dtype) -> None:
    values = {"a": torch.tensor([[0, 1, 2], [3, 5, 100]]).to(dtype), "b": torch.tensor(1).to(dtype)}
    assert_same(read_state_dict(save(values, tmp_path / "a.pth", layout)), values)


@both_layouts
def test_views_parameters_and_empty_tensors_are_read(tmp_path: Path, layout: Layout) -> None:
    storage = torch.arange(24.0).reshape(4, 6)
    tied = nn.Parameter(torch.rand(3))
    marked = nn.Parameter(torch.rand(2))
    marked.origin = "a word"  # type: ignore[attr-defined]
    values: dict[str, Tensor] = {
        "whole": storage,
        "transposed": storage.t(),
        "part": storage[1:3, ::2],
        "expanded": storage[:1].expand(5, 6),
        "scalar": storage[2, 3],
        "tied": tied,
        "tied too": tied,
        "marked": marked,
        "empty": torch.empty(0, 3),
        "permuted": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
    }
    read = read_state_dict(save(values, tmp_path / "a.pth", layout))
    assert_same(read, values)
    assert read["whole"].untyped_storage().data_ptr() == read["part"].untyped_storage().data_ptr()


@both_layouts
def test_all_else_in_a_checkpoint_is_left(weights: dict[str, Tensor], tmp_path: Path, layout: Layout) -> None:
    parameters = [nn.Parameter(torch.rand(4, 4))]
    optimizer = torch.optim.Adam(parameters)
    parameters[0].sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    content = {
        "meta": {
            "epoch": np.int64(3),
            "score": np.float32(0.5),
            "classes": ("text",),
            "config": ConfigDict(a=ConfigDict(b=1)),
            "args": SimpleNamespace(x=Path("a")),
            "array": np.arange(5),
            "dtype": torch.float16,
            "size": torch.Size((1, 2)),
            "device": torch.device("cpu"),
            "set": {1, 2},
        },
        "optimizer": optimizer.state_dict(),
        "sparse": torch.eye(3).to_sparse(),
        "state_dict": weights,
    }
    assert_same(read_state_dict(save(content, tmp_path / "a.pth", layout)), weights)


@both_layouts
def test_entries_that_are_no_tensors_are_left(weights: dict[str, Tensor], tmp_path: Path, layout: Layout) -> None:
    content = {**weights, "epoch": 3, "names": ["a"], "score": np.float64(1)}
    assert_same(read_state_dict(save(content, tmp_path / "a.pth", layout)), weights)


def test_the_prefix_of_parallel_training_is_taken_off(weights: dict[str, Tensor], tmp_path: Path) -> None:
    prefixed = {f"module.{key}": value for key, value in weights.items()}
    assert_same(read_state_dict(save({"state_dict": prefixed}, tmp_path / "a.pth", "zip")), weights)
    mixed = {"module.a": weights["backbone.bn1.bias"], "b.module.c": weights["backbone.bn1.bias"]}
    assert list(read_state_dict(save(mixed, tmp_path / "b.pth", "zip"))) == ["a", "b.module.c"]


def test_a_key_with_and_without_the_prefix_is_refused(tmp_path: Path) -> None:
    path = save({"module.a": torch.ones(1), "a": torch.zeros(1)}, tmp_path / "a.pth", "zip")
    with pytest.raises(CheckpointError, match=r"some keys both with and without the prefix 'module\.'$"):
        read_state_dict(path)


class EMAHooked(nn.Module):
    """A network after mmcv's EMAHook: for each parameter a buffer whose name has underscores for dots."""

    def __init__(self, with_buffers: bool) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        averaged = self.state_dict() if with_buffers else dict(self.named_parameters())
        for name, value in averaged.items():
            self.register_buffer(f"ema_{name.replace('.', '_')}", value.detach().clone())


@pytest.mark.parametrize("with_buffers", [False, True])
def test_the_buffers_of_an_ema_hook_are_left(tmp_path: Path, with_buffers: bool) -> None:
    network = EMAHooked(with_buffers)
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    assert len(state) == (14 if with_buffers else 11)
    read = read_state_dict(save({"state_dict": state}, tmp_path / "a.pth", "zip"))
    assert_same(read, {f"backbone.{key}": value for key, value in network.backbone.state_dict().items()})


@pytest.mark.parametrize("trust", [False, True])
def test_the_weights_before_averaging_of_mmengine_are_left_and_told(
    weights: dict[str, Tensor], tmp_path: Path, trust: bool
) -> None:
    before = {f"module.{key}": torch.zeros_like(value) for key, value in weights.items()}
    path = save(
        {"state_dict": weights, "ema_state_dict": {"steps": torch.tensor(9)} | before}, tmp_path / "a.pth", "zip"
    )
    with pytest.warns(OcrDeployWarning, match=r"a\.pth was written with an exponential moving average: .* are left$"):
        read = read_state_dict(path, trust=trust)
    assert_same(read, weights)


@pytest.mark.parametrize("extra", ["ema_backbone_other", "ema_backbone.conv1.weight", "ema_"])
def test_other_keys_with_that_prefix_are_kept(weights: dict[str, Tensor], tmp_path: Path, extra: str) -> None:
    state = weights | {"ema_backbone_bn1_bias": torch.zeros(4), extra: torch.zeros(1)}
    assert_same(read_state_dict(save(state, tmp_path / "a.pth", "zip")), state)


def test_safetensors_are_read(weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    state = {f"module.{key}": value for key, value in weights.items()} | {"module.ema_backbone_bn1_bias": torch.ones(4)}
    safetensors.torch.save_file(state, path)
    read = read_state_dict(path)
    assert set(read) == set(weights)
    assert all(torch.equal(read[key], value) for key, value in weights.items())


@pytest.mark.parametrize("content", [b"", b"\x80\x02}.", b"\xff" * 64, b"\x02\x00\x00\x00\x00\x00\x00\x00{}"])
def test_broken_safetensors_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.SafeTensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"^checkpoint .*a\.SafeTensors (cannot be read: |holds no tensors)"):
        read_state_dict(path)


def test_safetensors_that_are_cut_off_are_refused(weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file(weights, path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CheckpointError, match="cannot be read: "):
        read_state_dict(path)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingPackageError) as caught:
        read_state_dict(path)
    assert caught.value.message == "safetensors is needed to read a.safetensors, and it is not installed"
    assert caught.value.fix == "Install it with: pip install 'ocrdeploy[torch]'"


@both_layouts
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(1)], "holds a list and no state dict"),
        (torch.ones(1), "holds a pickled torch._utils._rebuild_tensor_v2 and no state dict"),
        ("words", "holds a str and no state dict"),
        (None, "holds a NoneType and no state dict"),
        ({}, "holds an empty dict and no state dict"),
        ({"state_dict": {}}, "holds an empty dict and no state dict"),
        ({"state_dict": [torch.ones(1)]}, "holds a list and no state dict"),
        (SimpleNamespace(a=1), "holds a pickled types.SimpleNamespace and no state dict"),
        ({"epoch": 3, "model": {"a": torch.ones(1)}}, "holds no tensors in its state dict, but epoch, model"),
        ({"state_dict": {"a": np.ones(3), "b": 2}}, "holds no tensors in its state dict, but a, b"),
        (dict.fromkeys("abcdefg", 0), "holds no tensors in its state dict, but a, b, c, d, e and others"),
        ({"a": torch.eye(2).to_sparse()}, "cannot be read: a: tensors made by torch._utils._rebuild_sparse_tensor are"),
    ],
)
def test_what_holds_no_state_dict_is_refused(tmp_path: Path, layout: Layout, content: Any, message: str) -> None:
    path = save(content, tmp_path / "a.pth", layout)
    with pytest.raises(CheckpointError) as caught:
        read_state_dict(path)
    assert caught.value.message.startswith(f"checkpoint {path} {message}")


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
@both_layouts
def test_a_pickled_network_is_refused(tmp_path: Path, layout: Layout) -> None:
    path = save(nn.Linear(2, 2), tmp_path / "a.pth", layout)
    with pytest.raises(CheckpointError, match=r"holds a pickled .* and no state dict\. ") as caught:
        read_state_dict(path)
    assert caught.value.fix == f"{SAVE_FIX} {TRUST_FIX}"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"^checkpoint .*nothing\.pth does not exist$"):
        read_state_dict(tmp_path / "nothing.pth")
    with pytest.raises(CheckpointError, match=r"^checkpoint .* is not a file$"):
        read_state_dict(tmp_path)


def test_small_models(extra_data_dir: Path) -> None:
    for path in sorted((extra_data_dir / "models").glob("*.pth")):
        saved = torch.load(path, map_location="cpu", weights_only=False)
        assert_same(read_state_dict(path), dict(saved.get("state_dict", saved)))
