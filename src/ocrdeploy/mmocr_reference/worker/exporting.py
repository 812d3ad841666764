"""Writing a network up to its head as ONNX."""

from __future__ import annotations

import importlib.util
import inspect
from typing import Any

from .errors import WorkerError
from .outputs import files_of, tensors_of


def export(model: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Write the network up to its head as ONNX."""
    import torch

    if importlib.util.find_spec("onnx") is None:
        raise WorkerError("onnx", "PyTorch's exporter needs onnx")
    refuse_deformable(model.network)

    class Network(torch.nn.Module):
        """The model up to its head, as a function of one tensor."""

        def __init__(self) -> None:
            super().__init__()
            self.network = model.network

        def forward(self, images: Any) -> Any:
            """Return the head's output, or all of them."""
            tensors = model.head_output(images, request)
            return tensors[0] if len(tensors) == 1 else tuple(tensors)

    network, example = Network().eval(), torch.zeros(request["shape"])
    axes = {name: {int(axis): text for axis, text in axes.items()} for name, axes in request["dynamic_axes"].items()}
    # Newer versions have a second exporter, and a parameter that chooses the first.
    has_two = "dynamo" in inspect.signature(torch.onnx.export).parameters
    options: dict[str, Any] = {"dynamo": False} if has_two else {}
    with torch.no_grad():
        shape = list(tensors_of(network(example))[0].shape)
        torch.onnx.export(
            network,
            (example,),
            request["file"],
            opset_version=request["opset"],
            input_names=[request["input"]],
            output_names=files_of(request),
            dynamic_axes=axes,
            **options,
        )
    return {"output_shape": shape, "network": str(model.network)}


def refuse_deformable(model: Any) -> None:
    """Refuse networks with deformable convolutions, which the exporter has no operator for."""
    for name, module in model.named_modules():
        if "DeformConv" in type(module).__name__:
            raise WorkerError("operator", f"{name} is a {type(module).__name__}, which needs a custom operator")
