"""Reading the weights of a checkpoint without running what it holds."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import Any

from .errors import WorkerError, describe


class Inert:
    """Stands for whatever a checkpoint holds beside tensors, so that reading one runs nothing."""

    def __init__(self, *_arguments: Any, **_options: Any) -> None:
        pass

    def forget(self, *_values: Any) -> None:
        """Take what the pickle puts into an object of its own, and leave it."""

    append = extend = __setitem__ = __setstate__ = forget


class TensorUnpickler(pickle.Unpickler):
    """An unpickler that makes tensors and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the builders of tensors, or a placeholder."""
        import torch

        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"):
            return getattr(torch._utils, name)  # noqa: SLF001  (where PyTorch keeps them)
        found = getattr(torch, name, Inert) if module == "torch" else Inert
        return found if name == "Size" or name.endswith("Storage") or isinstance(found, torch.dtype) else Inert


class TensorPickle:
    """What `torch.load` takes for the module `pickle`."""

    __name__ = "TensorPickle"
    Unpickler = TensorUnpickler
    UnpicklingError = pickle.UnpicklingError

    @staticmethod
    def load(file: Any, **options: Any) -> Any:
        """Unpickle one object of a checkpoint in PyTorch's older format."""
        return TensorUnpickler(file, **options).load()


def load_weights(model: Any, checkpoint: str, trust: bool = False) -> None:
    """Load a checkpoint as MMOCR does, but refuse one that leaves weights as they were.

    Nothing that it holds is run unless it is trusted.
    """
    import torch

    try:
        module = pickle if trust else TensorPickle
        content = torch.load(checkpoint, map_location="cpu", pickle_module=module, weights_only=False)
        state = content["state_dict"] if isinstance(content.get("state_dict"), dict) else content
        tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
        if tensors and all(key.startswith("module.") for key in tensors):
            tensors = {key[len("module.") :]: value for key, value in tensors.items()}
        missing = model.load_state_dict(tensors, strict=False).missing_keys
    except Exception as error:
        raise WorkerError("checkpoint", describe(error)) from error
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing:
        raise WorkerError("checkpoint", f"{len(missing)} weights of the network are missing, the first is {missing[0]}")
