"""Reading a checkpoint by running it: for files that are not read as data, and that the user answers for."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from ocrdeploy.errors import CheckpointError

STATE_DICT_KEY = "state_dict"


def load_trusted(path: Path) -> tuple[dict[str, torch.Tensor], Mapping[str, object]]:
    """Return the tensors of a checkpoint and what it holds beside them, as `torch.load(weights_only=False)` has them.

    It runs the file. Beside state dicts, pickled networks (if their code is importable) and TorchScript archives have
    weights; sparse tensors become dense ones, NumPy arrays tensors.

    Raises:
        CheckpointError: PyTorch cannot load it, or it holds no state dict.
    """
    try:
        with warnings.catch_warnings():
            # Of TorchScript archives and of classes whose source has changed; neither concerns the weights.
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=False)
    except (Exception, SystemExit) as error:  # the checkpoint is a program: it can raise anything
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise CheckpointError(f"checkpoint {path} cannot be loaded by PyTorch: {text}") from error
    state = content[STATE_DICT_KEY] if isinstance(content, Mapping) and STATE_DICT_KEY in content else content
    if isinstance(state, torch.nn.Module):
        state = state.state_dict()
    if not isinstance(state, Mapping):
        raise CheckpointError(f"checkpoint {path} holds a {type(state).__name__} and no state dict")
    tensors = {key: _plain(value) for key, value in state.items() if isinstance(key, str) and _is_array(value)}
    if not tensors:
        raise CheckpointError(f"checkpoint {path} holds no tensors in its state dict")
    return tensors, content if isinstance(content, Mapping) else {}


def _is_array(value: object) -> bool:
    """Tell whether a value is one or many numbers that a tensor can be made of."""
    return isinstance(value, torch.Tensor | np.ndarray | np.generic)


def _plain(value: torch.Tensor | np.ndarray | np.generic) -> torch.Tensor:
    """Return an array or any kind of tensor as a dense one without history."""
    if not isinstance(value, torch.Tensor):
        return torch.tensor(np.asarray(value))
    return (value if value.layout == torch.strided else value.to_dense()).detach()
