"""What a head gives, as a list of tensors."""

from __future__ import annotations

from typing import Any

from .errors import WorkerError


def tensors_of(result: Any) -> list[Any]:
    """Return the tensors in what a head gives, in order: one, or those in lists and dictionaries, a level each.

    Raises:
        WorkerError: There is something else among them.
    """
    import torch

    if isinstance(result, torch.Tensor):
        return [result]
    parts = result.values() if isinstance(result, dict) else result
    if not isinstance(result, (dict, list, tuple)) or not parts:
        raise WorkerError("config", f"the head gives a {type(result).__name__}, and tensors are read")
    return [tensor for part in parts for tensor in tensors_of(part)]


def files_of(request: dict[str, Any]) -> list[str]:
    """Return where the arrays of a request's outputs are, or their names."""
    return [request["output"], *request.get("further", [])]
