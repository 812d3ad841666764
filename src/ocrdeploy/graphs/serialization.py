"""Models as bytes and files. One message of protobuf holds 2 GiB; weights beyond that lie in files of their own."""

import math
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto, helper
from onnx.checker import ValidationError
from onnx.external_data_helper import load_external_data_for_model

from ocrdeploy.errors import ModelError

LIMIT = 2**31 - 2**20
"""Most bytes of weights in one message: what protobuf allows, less some for the graph itself."""
SMALL_TENSOR = 1024
"""Initializers of so many bytes may be shapes or axes, whose values tell the shapes of other tensors."""


def is_large(model: ModelProto) -> bool:
    """Return whether a model with its weights is more than one file can hold."""
    return sum(_bytes_of(tensor) for tensor in model.graph.initializer) > LIMIT


def serialize(model: ModelProto) -> bytes:
    """Return a model as the content of an ONNX file.

    Raises:
        ModelError: It is too large for one.
    """
    if is_large(model):
        size = sum(_bytes_of(tensor) for tensor in model.graph.initializer)
        raise ModelError(
            f"the model's weights are {size / 2**30:.2f} GiB, and one ONNX file holds at most {LIMIT / 2**30:.2f} GiB"
        )
    content: bytes = model.SerializeToString()
    return content


def with_weights(model: ModelProto, path: Path) -> ModelProto:
    """Return a model with the weights that lie in other files of its folder, which nothing leads out of.

    Args:
        model: The model, which is changed.
        path: Its file.

    Raises:
        ModelError: They are more than one file holds, or are not there.
    """
    if is_large(model):
        serialize(model)
    try:
        load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, ValidationError) as error:
        raise ModelError(f"weights of {path} cannot be read: {' '.join(str(error).split())}") from error
    return model


def write_model(model: ModelProto, folder: Path) -> Path:
    """Write a model of any size into an empty folder, with weights in files of their own, and return its path."""
    path = folder / "model.onnx"
    copy = ModelProto()
    copy.CopyFrom(model)
    onnx.save_model(copy, path, save_as_external_data=True, location="weights.bin", size_threshold=SMALL_TENSOR)
    return path


def without_weights(model: ModelProto) -> ModelProto:
    """Return a copy of a model in which large initializers have become inputs: it is small, and its types are the same.

    It is for looking at tensors' types and shapes, which the weights' values have no part in.
    """
    small: list[TensorProto] = []
    copy = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    graph = model.graph
    copy.graph.name = graph.name or "graph"
    copy.graph.node.extend(graph.node)
    copy.graph.input.extend(graph.input)
    copy.graph.output.extend(graph.output)
    copy.graph.value_info.extend(graph.value_info)
    copy.graph.sparse_initializer.extend(graph.sparse_initializer)
    listed = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if _bytes_of(tensor) <= SMALL_TENSOR:
            small.append(tensor)
        elif tensor.name not in listed:
            copy.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    copy.graph.initializer.extend(small)
    return copy


def _bytes_of(tensor: TensorProto) -> int:
    """Return how many bytes the values of a tensor take."""
    # Strings, which networks do not have, count as the largest numbers.
    is_text = tensor.data_type == TensorProto.STRING
    item_size = 8 if is_text else helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return int(math.prod(tensor.dims) * item_size)
