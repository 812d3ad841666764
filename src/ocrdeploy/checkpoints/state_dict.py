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
from ocrdeploy.checkpoints.pickle_machine import Call, Name, PersistentId, RefusedPickleError
from ocrdeploy.checkpoints.torch_files import CheckpointFile, StorageKey, open_checkpoint, storage_key
from ocrdeploy.checkpoints.trusted import STATE_DICT_KEY, load_trusted
from ocrdeploy.errors import CheckpointError, MissingPackageError

SAFETENSORS_SUFFIX = ".safetensors"
PARALLEL_PREFIX = "module."
"""Prefix that torch.nn.parallel's wrappers put before every key."""
EMA_PREFIX = "ema_"
"""Prefix of the buffers in which mmcv's and mmdet's EMA hooks keep the weights without averaging."""

LISTED_KEYS = 5

SAVE_FIX = "Save the model's state_dict() with torch.save."
TRUST_FIX = "If you know who made it, --trust-checkpoint reads it with torch.load, which runs the code that it holds."

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
"""Types of numbers by the name of their storage."""

ITEM_BYTES = {kind: dtype.itemsize for kind, dtype in DTYPES.items()}


Content = tuple[dict[str, torch.Tensor], Mapping[str, object]]
"""The tensors of a state dict by key, and what the checkpoint's `meta` holds."""


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
    EMA hook: when the checkpoint was written, the hook had put the averaged weights into their usual places.

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
        tensors, meta = reader(path)
    except CheckpointError:
        raise
    except RefusedPickleError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {_one_line(error)}", TRUST_FIX) from error
    except Exception as error:  # a broken file can make the readers raise anything
        raise CheckpointError(f"checkpoint {path} cannot be read: {_one_line(error)}") from error
    weights = _drop_ema_twins(_drop_parallel_prefix(tensors, path))
    return Checkpoint(weights, generation_of(meta, weights))


def _read_safetensors(path: Path) -> Content:
    """Return the content of a safetensors file, which has no `meta`."""
    from safetensors.torch import load_file

    tensors: dict[str, torch.Tensor] = load_file(path, device="cpu")
    if not tensors:
        raise CheckpointError(f"checkpoint {path} holds no tensors")
    return tensors, {}


def _read_pickled(path: Path) -> Content:
    """Return the content of a file of PyTorch's."""
    with open_checkpoint(path, ITEM_BYTES) as file:
        records = _find_state_dict(file.content, path)
        builder = _TensorBuilder(file)
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
    return tensors, _as_mapping((_as_mapping(file.content) or {}).get("meta")) or {}


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


class _TensorBuilder:
    """Makes tensors of what a pickle says of them; tensors that share numbers in the file share them here."""

    def __init__(self, file: CheckpointFile) -> None:
        self._file = file
        self._numbers: dict[StorageKey, torch.Tensor] = {}

    def build(self, record: object) -> torch.Tensor | None:
        """Return the tensor, or None if the record is of something else.

        Raises:
            RefusedPickleError: It is of a kind that is not known.
            ValueError: It reaches beyond its numbers.
        """
        match record:
            case Call(Name("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"), (inner, *_)):
                return self.build(inner)
            case Call(Name("torch._tensor", "_rebuild_from_type_v2"), (function, _, tuple(arguments), *_)):
                return self.build(Call(function, arguments))
            case Call(
                Name("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2"),
                (PersistentId() as storage, int(offset), size, stride, *_),
            ):
                return self._view(storage_key(storage), offset, _lengths(size), _lengths(stride))
            case Call(Name(module, name)) if module.startswith("torch") and name.startswith("_rebuild"):
                raise RefusedPickleError(f"tensors made by {module}.{name} are not known")
        return None

    def _view(
        self, storage: StorageKey | None, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
    ) -> torch.Tensor:
        """Return a tensor that lies within a storage."""
        if storage is None or storage.kind not in DTYPES:
            raise RefusedPickleError(f"numbers of type {storage.kind if storage else 'unknown'} are not known")
        if len(size) != len(stride) or offset < 0:
            raise ValueError("its size, stride and offset do not belong together")
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        if 0 in size:
            return torch.empty(size, dtype=DTYPES[storage.kind])
        if last >= storage.length:
            raise ValueError(f"it needs {last + 1} numbers, its storage has {storage.length}")
        if storage not in self._numbers:
            data = self._file.read_storage(storage, ITEM_BYTES[storage.kind])
            self._numbers[storage] = torch.frombuffer(data, dtype=DTYPES[storage.kind])
        return self._numbers[storage].as_strided(size, stride, offset)


def _lengths(value: object) -> tuple[int, ...]:
    """Return the size or stride of a tensor, which is a tuple or a torch.Size."""
    match value:
        case Call(Name("torch", "Size"), (tuple(inner),)):
            return _lengths(inner)
        case tuple() if all(isinstance(item, int) and item >= 0 for item in value):
            return value
    raise ValueError("its size or stride is no tuple of lengths")
