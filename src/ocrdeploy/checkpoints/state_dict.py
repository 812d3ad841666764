"""Reading the weights out of a checkpoint without running anything that it holds.

A checkpoint of PyTorch is a pickle, and a pickle can name any function for its reader to call. `torch.load` refuses a
whole checkpoint for one harmless object beside the tensors (`weights_only`), or runs all that it says. Here the pickle
is read as data, tensors are made of it, and whatever else it holds (optimiser states, logs, NumPy scalars) is left.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ocrdeploy.artifacts import check_file, refuse_stand_in
from ocrdeploy.checkpoints.generations import Generation, generation_of
from ocrdeploy.checkpoints.pickle_machine import Call, Name, RefusedPickleError
from ocrdeploy.checkpoints.tensor_builder import ITEM_BYTES, TensorBuilder
from ocrdeploy.checkpoints.torch_files import open_checkpoint
from ocrdeploy.checkpoints.trusted import STATE_DICT_KEY, load_trusted
from ocrdeploy.errors import CheckpointError, MissingPackageError, warn

SAFETENSORS_SUFFIX = ".safetensors"
PARALLEL_PREFIX = "module."
"""Prefix that torch.nn.parallel's wrappers put before every key."""
EMA_PREFIX = "ema_"
"""Prefix of the buffers in which mmcv's and mmdet's EMA hooks keep the weights without averaging."""

MMENGINE_EMA_KEY = "ema_state_dict"
"""Where MMEngine's EMA hook keeps the weights without averaging: it swaps them with the averaged ones when it saves."""

LISTED_KEYS = 5

SAVE_FIX = "Save the model's state_dict() with torch.save."
TRUST_FIX = "If you know who made it, --trust-checkpoint reads it with torch.load, which runs the code that it holds."

Content = tuple[dict[str, torch.Tensor], Mapping[str, object]]
"""The tensors of a state dict by key, and what the checkpoint holds beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What is used of a checkpoint.

    Attributes:
        weights: Its weights, on the CPU, with MMOCR's keys.
        generation: Which generation of MMOCR wrote it; None where it does not say.
    """

    weights: dict[str, torch.Tensor]
    generation: Generation | None


def read_state_dict(path: Path, *, trust: bool = False) -> dict[str, torch.Tensor]:
    """Return the weights of a checkpoint; see `read_checkpoint`."""
    return read_checkpoint(path, trust=trust).weights


def read_checkpoint(path: Path, *, trust: bool = False) -> Checkpoint:
    """Read the weights of a checkpoint, on the CPU, with MMOCR's keys, and which generation of MMOCR wrote it.

    Both of PyTorch's file formats are read (MMOCR's model zoo uses the older one) and safetensors; bare state dicts as
    well as those under `state_dict`. The `module.` prefix of parallel training is removed, and so are the buffers of an
    EMA hook: when the checkpoint was written, the hook had put the averaged weights into their usual places. Where
    MMEngine's hook left a state dict of its own, there is a warning.

    Args:
        path: The file.
        trust: Read a file of PyTorch's by running the code that it holds; see `load_trusted`. Safetensors hold none.

    Raises:
        CheckpointError: The file is missing, broken, or holds no state dict.
        MissingPackageError: The file is of safetensors, which is not installed.
    """
    check_file(path, "checkpoint", CheckpointError)
    is_safetensors = path.suffix.lower() == SAFETENSORS_SUFFIX
    refuse_stand_in(path, "checkpoint", CheckpointError, is_archive=not is_safetensors)
    if is_safetensors and importlib.util.find_spec("safetensors") is None:
        raise MissingPackageError("safetensors", f"read {path.name}", "pip install 'ocrdeploy[torch]'")
    reader = _read_safetensors if is_safetensors else load_trusted if trust else _read_pickled
    try:
        tensors, rest = reader(path)
    except CheckpointError:
        raise
    except RefusedPickleError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {_one_line(error)}", TRUST_FIX) from error
    except Exception as error:  # a broken file can make the readers raise anything
        raise CheckpointError(f"checkpoint {path} cannot be read: {_one_line(error)}") from error
    weights = _drop_ema_twins(_drop_parallel_prefix(tensors, path))
    if MMENGINE_EMA_KEY in rest:
        warn(
            f"checkpoint {path} was written with an exponential moving average: the averaged weights, in "
            f"{STATE_DICT_KEY}, are taken, as MMOCR 1.x tests with them, and those of {MMENGINE_EMA_KEY} are left"
        )
    return Checkpoint(weights, generation_of(_as_mapping(rest.get("meta")) or {}, weights))


def _read_safetensors(path: Path) -> Content:
    """Return the content of a safetensors file, which holds nothing else."""
    from safetensors.torch import load_file

    tensors: dict[str, torch.Tensor] = load_file(path, device="cpu")
    if not tensors:
        raise CheckpointError(f"checkpoint {path} holds no tensors")
    return tensors, {}


def _read_pickled(path: Path) -> Content:
    """Return the content of a file of PyTorch's."""
    with open_checkpoint(path, ITEM_BYTES) as file:
        records = _find_state_dict(file.content, path)
        builder = TensorBuilder(file)
        tensors: dict[str, torch.Tensor] = {}
        for key, record in records.items():
            try:
                tensor = builder.build(record)
            except Exception as error:  # as in `read_state_dict`; here the key is known
                fix = TRUST_FIX if isinstance(error, RefusedPickleError) else ""
                raise CheckpointError(f"checkpoint {path} cannot be read: {key}: {_one_line(error)}", fix) from error
            if tensor is not None:
                tensors[key] = tensor
    if not tensors:
        fix = TRUST_FIX if any(isinstance(record, Call) for record in records.values()) else ""
        raise CheckpointError(
            f"checkpoint {path} holds no tensors in its state dict, but {_listed(list(records))}", fix
        )
    return tensors, _as_mapping(file.content) or {}


def _find_state_dict(content: object, path: Path) -> Mapping[str, object]:
    """Return the state dict of a checkpoint, whose tensors are not made yet."""
    items = _as_mapping(content)
    if items is not None and STATE_DICT_KEY in items:
        content = items[STATE_DICT_KEY]
        items = _as_mapping(content)
    if items:
        return items
    fix = f"{SAVE_FIX} {TRUST_FIX}" if isinstance(content, Call) else SAVE_FIX
    raise CheckpointError(f"checkpoint {path} holds {_kind(content)} and no state dict", fix)


def _as_mapping(content: object) -> Mapping[str, object] | None:
    """Return the items of a dictionary or of the record of one."""
    match content:
        case dict():
            return content
        case Call(items=items) if items:
            return items
    return None


def _kind(content: object) -> str:
    """Return what an object is, in words."""
    match content:
        case Call(function=function):
            return f"a pickled {function if isinstance(function, Name) else 'object'}"
        case Name():
            return f"the name {content}"
        case dict():
            return "an empty dict"
    return f"a {type(content).__name__}"


def _drop_parallel_prefix(tensors: dict[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """Take the prefix of parallel training off the keys that have it, as mmcv does."""
    renamed = {key.removeprefix(PARALLEL_PREFIX): value for key, value in tensors.items()}
    if len(renamed) != len(tensors):
        raise CheckpointError(f"checkpoint {path} holds some keys both with and without the prefix {PARALLEL_PREFIX!r}")
    return renamed


def _drop_ema_twins(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Leave out the buffers of an EMA hook if each belongs to a key that is there."""
    usual = {key: value for key, value in tensors.items() if not key.startswith(EMA_PREFIX)}
    twins = {EMA_PREFIX + key.replace(".", "_") for key in usual}
    return usual if all(key in usual or key in twins for key in tensors) else tensors


def _one_line(error: Exception) -> str:
    """Return what an error of the readers says."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _listed(keys: list[str]) -> str:
    """Return the first of some keys."""
    return ", ".join(keys[:LISTED_KEYS]) + (" and others" if len(keys) > LISTED_KEYS else "")
