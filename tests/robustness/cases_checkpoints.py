"""Checkpoints: broken ones, hostile ones, and the many forms that are fine."""

import builtins
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import safetensors.torch
import torch

from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.descriptions.networks import build_network
from tests.robustness.case import Case, Check, Make, Outcome, Place, fine
from tests.support.checkpoints import LEGACY_HEAD, Reduced, dump, tensor_record, write_pickle

EXPORT = "export {config} {input} --quiet"
TRUST = r"If you know who made it, --trust-checkpoint reads it with torch.load, which runs the code that it holds"
MADE = ("out/model.onnx",)


def weights_of(place: Place) -> dict[str, torch.Tensor]:
    """Return the weights of the small DBNet."""
    state: dict[str, torch.Tensor] = torch.load(place.weights, weights_only=True)["state_dict"]
    return state


def saved(change: Callable[[dict[str, torch.Tensor]], Any], *, newer: bool = True) -> Make:
    """Save what is made of the weights, with PyTorch."""

    def make(place: Place) -> Path:
        path = place.folder / "a.pth"
        torch.save(change(weights_of(place)), path, _use_new_zipfile_serialization=newer)
        return path

    return make


def program(data: bytes) -> Make:
    """Write a checkpoint with a pickle of one's own."""
    return lambda place: write_pickle(data, place.folder / "a.pth", "zip")


def content(data: bytes, name: str = "a.pth") -> Make:
    """Write a file."""
    return lambda place: place.new(name, data)


def part(size: int, *, newer: bool = True) -> Make:
    """Write the beginning of a checkpoint."""

    def make(place: Place) -> Path:
        path = saved(lambda weights: {"state_dict": weights}, newer=newer)(place)
        path.write_bytes(path.read_bytes()[:size])
        return path

    return make


def marker(place: Place) -> Path:
    """Return the file that hostile checkpoints leave behind when they are run."""
    return place.folder / "marker"


def harmful(function: Callable[..., Any], argument: str) -> Callable[[Path], Reduced]:
    """Return what makes the marker when it is unpickled."""
    return lambda path: Reduced(function, argument.format(path))


BY_SYSTEM = harmful(os.system, "touch {}")
BY_EVAL = harmful(builtins.eval, "open('{}', 'w').close()")


def alone(harm: Callable[[Path], Reduced]) -> Make:
    """Write a checkpoint that is nothing but harm."""
    return lambda place: write_pickle(dump(harm(marker(place))), place.folder / "a.pth", "zip")


def beside_weights(harm: Callable[[Path], Reduced]) -> Make:
    """Write a checkpoint with weights and harm."""

    def make(place: Place) -> Path:
        evil = harm(marker(place))
        state = {**weights_of(place), "extra": evil}
        path = place.folder / "a.pth"
        torch.save({"meta": evil, "state_dict": state, "optimizer": [evil]}, path)
        return path

    return make


def deflated(place: Path | Place) -> Path:
    """Write an archive that unpacks to forty times its size."""
    folder = place.folder if isinstance(place, Place) else place
    path = folder / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + b"N0" * 20_000_000 + b"N.")
    return path


def torchscript(place: Place) -> Path:
    """Write a TorchScript archive."""
    path = place.folder / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr("a/constants.pkl", b"\x80\x02).")
    return path


def prefixed(prefix: str) -> Callable[[Mapping[str, torch.Tensor]], Any]:
    """Return what puts a prefix before every key."""
    return lambda weights: {"state_dict": {prefix + key: value for key, value in weights.items()}}


def with_ema(weights: dict[str, torch.Tensor]) -> Any:
    """Add the buffers of an EMA hook."""
    twins = {"ema_" + key.replace(".", "_"): torch.zeros_like(value) for key, value in weights.items()}
    return {"state_dict": {**weights, **twins}}


def with_everything(weights: dict[str, torch.Tensor]) -> Any:
    """Add what trainers keep beside the weights: message hubs, optimisers, numbers of NumPy."""
    hub = {"log_scalars": {"train/loss": SimpleNamespace(history=np.arange(5.0), count=np.int64(3))}}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=np.float64(0.1), momentum=0.9)
    meta = {"epoch": np.int64(3), "best": np.float32(0.5), "path": Path("a"), "classes": {"text"}}
    return {"meta": meta, "message_hub": hub, "optimizer": optimizer.state_dict(), "state_dict": weights}


def network(place: Place) -> Path:
    """Pickle the whole network."""
    module = build_network(load_config(place.config))
    module.load_state_dict(weights_of(place))
    path = place.folder / "a.pth"
    torch.save(module, path)
    return path


def as_safetensors(place: Place, size: int | None = None) -> Path:
    """Write safetensors, or the beginning of it."""
    path = place.folder / "a.safetensors"
    path.write_bytes(safetensors.torch.save(weights_of(place))[:size])
    return path


def nothing_ran(place: Place, _outcome: Outcome) -> None:
    assert not marker(place).exists()


def harm_was_done(place: Place, _outcome: Outcome) -> None:
    assert marker(place).exists()


def same_model(place: Place, outcome: Outcome) -> None:
    """Ask for the model that the usual checkpoint gives."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_model(place.out / "model.onnx")
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    own = weights_of(place)["bbox_head.binarize.6.weight"].numpy()
    assert any(np.array_equal(value, own) for value in found.values() if value.shape == own.shape)


def refused(name: str, make: Make, says: str, check: Check = nothing_ran, command: str = EXPORT) -> Case:
    return Case(name, make, command, says, check=check)


def read(name: str, make: Make, check: Check = same_model, command: str = EXPORT, says: str = "") -> Case:
    return fine(name, make, command, check, *MADE, "marker", says=says)


CHECKPOINTS = [
    refused("missing", lambda place: place.folder / "none.pth", r"checkpoint .*none\.pth does not exist$"),
    refused("a folder", lambda place: place.folder, r"checkpoint .* is not a file$"),
    refused("empty", content(b""), r"a\.pth cannot be read: it is empty$"),
    refused("random bytes", content(bytes(range(256)) * 40), r"a\.pth cannot be read: it is no checkpoint of PyTorch$"),
    refused("an image", lambda place: place.image, r"\.jpg cannot be read: it is no checkpoint of PyTorch$"),
    refused("a text file", content(b"hello\n"), r"a\.pth cannot be read: it is no checkpoint of PyTorch$"),
    refused("an ONNX model", lambda place: place.det, r"\.onnx cannot be read: it is no checkpoint of PyTorch$"),
    refused("a program of TorchScript", torchscript, rf"a TorchScript archive, which holds a program.*{TRUST}"),
    refused("half of an archive", part(5000), r"a\.pth cannot be read: "),
    refused("half of the older layout", part(50_000, newer=False), r"a\.pth cannot be read: it is cut off in storage"),
    refused("the older layout's head alone", content(LEGACY_HEAD), r"a\.pth cannot be read: "),
    refused("a pickle that never ends", program(b"\x80\x02}"), r"a\.pth cannot be read: "),
    refused("a call of os.system", alone(BY_SYSTEM), rf"holds a pickled posix\.system and no state dict\..*{TRUST}"),
    refused("a call of eval", alone(BY_EVAL), rf"holds a pickled \w+\.eval and no state dict\..*{TRUST}"),
    refused(
        "a reduce bomb",
        program(dump({"state_dict": {"a": Reduced(torch.ones, (10**6, 10**6))}})),
        rf"holds no tensors in its state dict, but a\. {TRUST}",
    ),
    refused("a zip bomb", deflated, rf"data\.pkl is compressed, which PyTorch does not do\. {TRUST}"),
    refused("a pickle of a million instructions", program(b"\x80\x02" + b"N0" * 600_000 + b"N."), rf"more than .*{TRUST}"),
    refused("a tensor larger than its numbers", program(tensor_record((10**6, 10**5), (10**5, 1))), "cannot be read: a: "),
    refused("a tensor of an unknown type", saved(lambda _: {"a": torch.eye(2).to_sparse()}), rf"a: tensors made .*{TRUST}"),
    refused("a whole network", network, rf"holds a pickled .* and no state dict\. Save the model's state_dict.*{TRUST}"),
    refused("a list", saved(lambda weights: list(weights.values())), r"holds a list and no state dict\. Save the model's"),
    refused("the weights of another network", saved(lambda _: {"a": torch.ones(2)}), r"missing \(.*; 1 unexpected \(a\)"),
    refused("half of a safetensors file", lambda place: as_safetensors(place, 9000), r"a\.safetensors cannot be read: "),
    refused("no safetensors", content(b"hello", "a.safetensors"), r"a\.safetensors cannot be read: "),
    read("a bare state dict", saved(lambda weights: weights)),
    read("the older layout", saved(lambda weights: {"state_dict": weights}, newer=False)),
    read("the prefix of parallel training", saved(prefixed("module."))),
    read("the buffers of an EMA hook", saved(with_ema)),
    read("a message hub, an optimiser and numbers of NumPy", saved(with_everything)),
    read("safetensors", as_safetensors),
    read("calls of os.system beside the weights", beside_weights(BY_SYSTEM), nothing_ran),
    read("calls of eval beside the weights", beside_weights(BY_EVAL), nothing_ran),
    read(
        "a trusted whole network", network, same_model, EXPORT + " --trust-checkpoint",
        r"^warning: --trust-checkpoint: the code that the checkpoint holds is run",
    ),
    read(
        "trusted harm", beside_weights(BY_EVAL), harm_was_done, EXPORT + " --trust-checkpoint",
        r"^warning: --trust-checkpoint: the code that the checkpoint holds is run",
    ),
]  # fmt: skip
