"""Reading the weights out of a checkpoint without running anything that it holds.

A checkpoint is a pickle, and a pickle can name any function for its reader to call. The reader here knows tensors and
plain containers; whatever else a checkpoint holds (optimiser states, message hubs, NumPy scalars) becomes an inert
placeholder.
"""

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import _utils as torch_builders

from ocrdeploy.errors import CheckpointError

STATE_DICT_KEY = "state_dict"
PARALLEL_PREFIX = "module."
"""Prefix that torch.nn.parallel's wrappers put before every key."""

TENSOR_BUILDERS = frozenset({"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"})
"""Functions of `torch._utils` that make a tensor from a storage which has been read already."""


class Placeholder:
    """Stands for an object of a checkpoint that is not a tensor; takes any arguments and state, does nothing."""

    def __init__(self, *_arguments: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        """Forget the state."""

    def __setitem__(self, _key: object, _value: object) -> None:
        """Forget an item, for pickled subclasses of dict."""

    def append(self, _value: object) -> None:
        """Forget an item, for pickled subclasses of list."""

    def extend(self, _values: object) -> None:
        """Forget items, for pickled subclasses of list."""


class TensorUnpickler(pickle.Unpickler):
    """An unpickler that finds tensors' own builders and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few known builders, or a placeholder for anything else."""
        found: Any = Placeholder
        match module, name:
            case "collections", "OrderedDict":
                found = OrderedDict
            case "torch._utils", builder if builder in TENSOR_BUILDERS:
                found = getattr(torch_builders, builder)
            case "torch.nn.parameter", "Parameter":
                found = torch.nn.Parameter
            case "torch", kind if kind.endswith("Storage") or kind == "Size":
                found = getattr(torch, kind, Placeholder)
            case "torch", dtype if isinstance(getattr(torch, dtype, None), torch.dtype):
                found = getattr(torch, dtype)
        return found


class TensorPickle:
    """The part of the `pickle` module that `torch.load` uses, with `TensorUnpickler` in it."""

    __name__: ClassVar[str] = "TensorPickle"
    Unpickler = TensorUnpickler
    UnpicklingError = pickle.UnpicklingError

    @staticmethod
    def load(file: Any, **options: Any) -> Any:
        """Unpickle one object of an old-format checkpoint."""
        return TensorUnpickler(file, **options).load()


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights of a checkpoint, on the CPU, with MMOCR's keys.

    Both of PyTorch's file formats are read (MMOCR's model zoo uses the older one), and bare state dicts as well as
    those under `state_dict`; the `module.` prefix of parallel training is removed.

    Raises:
        CheckpointError: The file is missing, broken, or holds no state dict.
    """
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path} " + ("is not a file" if path.exists() else "does not exist"))
    try:
        # weights_only would refuse a whole checkpoint for one harmless scalar in it; TensorPickle allows less than it.
        content = torch.load(path, map_location="cpu", pickle_module=TensorPickle, weights_only=False)
    except Exception as error:  # a broken file can make the reader raise anything
        text = " ".join(str(error).split())[:200]
        raise CheckpointError(f"checkpoint {path} cannot be read: {type(error).__name__}: {text}") from error
    return _find_state_dict(content, path)


def _find_state_dict(content: object, path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a loaded checkpoint."""
    if isinstance(content, Mapping) and isinstance(content.get(STATE_DICT_KEY), Mapping):
        content = content[STATE_DICT_KEY]
    if not isinstance(content, Mapping):
        raise CheckpointError(f"checkpoint {path} holds a {type(content).__name__}, not a state dict")
    tensors = {key: value for key, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise CheckpointError(f"checkpoint {path} holds no tensors")
    if all(key.startswith(PARALLEL_PREFIX) for key in tensors):
        tensors = {key.removeprefix(PARALLEL_PREFIX): value for key, value in tensors.items()}
    return tensors
