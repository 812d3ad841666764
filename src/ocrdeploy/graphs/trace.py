"""A network in PyTorch to an ONNX graph, by PyTorch's TorchScript-based exporter."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from onnx import ModelProto
from torch import Tensor, nn

from ocrdeploy.artifacts import temporary_folder
from ocrdeploy.errors import UsageError
from ocrdeploy.tensors import TensorSpec

from .cleanup import tidy
from .deformable import FIRST_OPSET, write_out_deform_conv
from .loops import close_loops


def trace(
    network: nn.Module,
    inputs: tuple[Tensor, ...],
    tensors: tuple[Sequence[TensorSpec], Sequence[TensorSpec]],
    opset: int,
) -> ModelProto:
    """Return a network's graph, tidied.

    Args:
        network: In evaluation mode.
        inputs: Examples, on the device of the network.
        tensors: Names and shapes of the graph's inputs and outputs; lengths that have names are left open.
        opset: Version of the ONNX operators.

    Raises:
        UsageError: The opset has not an operator that the network needs.
    """
    with temporary_folder() as folder:
        path = folder / "traced.onnx"
        try:
            _write(network, inputs, tensors, opset, path)
        except torch.onnx.errors.UnsupportedOperatorError as error:
            raise _needs_newer_opset(opset, str(error)) from error
        model = onnx.load_model(path)
    close_loops(model)
    if opset < FIRST_OPSET:
        write_out_deform_conv(model)
    tidy(model)
    return model


def _write(
    network: nn.Module,
    inputs: tuple[Tensor, ...],
    tensors: tuple[Sequence[TensorSpec], Sequence[TensorSpec]],
    opset: int,
    path: Path,
) -> None:
    """Write the graph as the exporter makes it."""
    dynamic_axes = {
        tensor.name: {axis: name for axis, name in enumerate(tensor.shape) if isinstance(name, str)}
        for group in tensors
        for tensor in group
    }
    with torch.inference_mode(), warnings.catch_warnings():
        # It is deprecated in favour of the slower one, and says so at every export.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Of LSTMs it warns that their initial states are frozen to the batch size; those are taken out after it.
        warnings.filterwarnings("ignore", message="Converting a tensor to a Python", module=r"torch\.nn\.modules\.rnn")
        warnings.filterwarnings("ignore", message="Exporting a model to ONNX with a batch_size other than 1")
        torch.onnx.export(
            network,
            inputs,
            path,
            dynamo=False,
            opset_version=opset,
            input_names=[tensor.name for tensor in tensors[0]],
            output_names=[tensor.name for tensor in tensors[1]],
            dynamic_axes=dynamic_axes,
        )


def _needs_newer_opset(opset: int, message: str) -> UsageError:
    """Return the error for an operator that an opset has not; the exporter says since when there is one."""
    since = re.search(r"added in version (\d+)", message)
    operator = re.search(r"aten::(\w+)", message)
    name = "an operator" if operator is None else f"the operator {operator[1]!r}"
    fix = "Take a newer one." if since is None else f"Take --opset {since[1]} or a newer one."
    return UsageError(f"--opset {opset} has not {name} of this network", fix)
