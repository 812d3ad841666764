"""Removal of what PyTorch's exporter leaves in an ONNX graph and nothing needs.

Each function changes the model that it is given.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from .constants import VALUE_KEEPING_OPERATORS, constant_of
from .nodes import FreeNames, all_nodes, subgraphs

BIAS_PLACES = {"Conv": 2, "ConvTranspose": 2, "DeformConv": 3, "Gemm": 2}
"""Where convolutions and linear layers have their bias among their inputs; the weight is the second."""
LSTM_STATES = (5, 6)
"""Places of `initial_h` and `initial_c` among the inputs of ONNX's LSTM."""


def tidy(model: ModelProto) -> None:
    """Do all that this module can do, and check the graph.

    Args:
        model: The model; changed.
    """
    inline_shared_initializers(model)
    drop_zero_initial_states(model)
    store_constants(model)
    fold_batchnorm(model)
    onnx.checker.check_model(model, full_check=True)


def fold_batchnorm(model: ModelProto) -> None:
    """Make each batch normalisation that alone reads a convolution, or a linear layer, a part of that.

    At inference it is a factor and an offset a channel, so the layer's weight and bias can carry them; they are
    computed in float64. PyTorch's exporter does so itself, but only behind convolutions that are not transposed.

    Args:
        model: The model; changed.
    """
    graph = model.graph
    given = {value.name for value in graph.input}
    constants = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in given}
    producers = {node.output[0]: node for node in graph.node if _takes_factors(node)}
    reads = Counter(name for node in all_nodes(graph) for name in node.input)
    reads.update(_graph_outputs(graph))
    names = FreeNames(model)
    kept = []
    for norm in graph.node:
        convolution = producers.get(norm.input[0]) if norm.op_type == "BatchNormalization" else None
        inputs = () if convolution is None else (*_parameters(convolution).values(), *norm.input[1:])
        if convolution is None or reads[norm.input[0]] != 1 or not constants.keys() >= set(inputs):
            kept.append(norm)
            continue
        places = 1, BIAS_PLACES[convolution.op_type]
        for place, part, value in zip(places, ("weight", "bias"), _folded(convolution, norm, constants), strict=True):
            name = names.take(f"{norm.output[0]}.{part}")
            graph.initializer.append(numpy_helper.from_array(value, name))
            convolution.input.extend([""] * (place + 1 - len(convolution.input)))
            convolution.input[place] = name
        convolution.output[0] = norm.output[0]
    _replace(graph.node, kept)
    drop_unused(model)


def _parameters(convolution: NodeProto) -> dict[int, str]:
    """Return the names of a convolution's weight and, if it has one, bias, by their places among its inputs."""
    given = dict(enumerate(convolution.input))
    return {place: given[place] for place in (1, BIAS_PLACES[convolution.op_type]) if given.get(place)}


def _takes_factors(node: NodeProto) -> bool:
    """Return whether a node is a convolution, or a linear layer as PyTorch's exporter writes it."""
    given = {each.name: each.i if each.name.startswith("trans") else each.f for each in node.attribute}
    return node.op_type in BIAS_PLACES and (
        node.op_type != "Gemm"
        or (given.get("transB") == 1 and not given.get("transA") and given.get("alpha", 1) == given.get("beta", 1) == 1)
    )


def _folded(
    convolution: NodeProto, norm: NodeProto, constants: dict[str, TensorProto]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return weight and bias of a layer that does its batch normalisation too.

    The weight of a convolution is out×(in/groups)×h×w, that of a linear layer out×in, that of a transposed convolution
    in×(out/groups)×h×w, where the input channels of a group lie together, and its output channels too.
    """
    stored, *old_bias = (numpy_helper.to_array(constants[name]) for name in _parameters(convolution).values())
    scale, offset, mean, variance = (numpy_helper.to_array(constants[name]).astype(float) for name in norm.input[1:])
    epsilon = next((each.f for each in norm.attribute if each.name == "epsilon"), 1e-5)
    factor = scale / np.sqrt(variance + epsilon)
    bias = ((old_bias[0] if old_bias else 0.0) - mean) * factor + offset
    if convolution.op_type != "ConvTranspose":
        weight = stored * factor.reshape(-1, *[1] * (stored.ndim - 1))
    else:
        groups = next((each.i for each in convolution.attribute if each.name == "group"), 1)
        grouped = stored.reshape(groups, -1, *stored.shape[1:])
        weight = (grouped * factor.reshape(groups, 1, -1, *[1] * (stored.ndim - 2))).reshape(stored.shape)
    return weight.astype(stored.dtype), bias.astype(stored.dtype)


def drop_zero_initial_states(model: ModelProto) -> None:
    """Remove initial states of LSTMs that are zero, which is what an LSTM without them starts from.

    PyTorch's exporter writes them as zeros of the shape of the batch, with operators that compute this shape.

    Args:
        model: The model; changed.
    """
    graph = model.graph
    producers = {output: node for node in graph.node for output in node.output}
    given = {each.name for each in graph.input}
    constants = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in given}
    for node in graph.node:
        if node.op_type != "LSTM":
            continue
        inputs = list(node.input)
        for place in LSTM_STATES:
            if place < len(inputs) and _is_zero(inputs[place], producers, constants):
                inputs[place] = ""
        while not inputs[-1]:
            inputs.pop()
        node.input[:] = inputs
    drop_unused(model)


def inline_shared_initializers(model: ModelProto) -> None:
    """Let nodes read an initializer that stands behind an Identity.

    PyTorch's exporter stores equal parameters once, and gives every further reader an Identity of them.

    Args:
        model: The model; changed.
    """
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    outputs = {output.name for output in graph.output}
    originals: dict[str, str] = {}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in constants and node.output[0] not in outputs:
            originals[node.output[0]] = node.input[0]
    for node in all_nodes(graph):
        node.input[:] = [originals.get(name, name) for name in node.input]
    drop_unused(model)


def store_constants(model: ModelProto) -> None:
    """Turn the values of Constant nodes into initializers; equal ones become one.

    A runtime folds them anyway. Without the nodes the graph is what is computed, and converters that look for
    constants among the initializers find all of them.

    Args:
        model: The model; changed. Constants inside of its subgraphs, and those that are its outputs, stay.
    """
    graph = model.graph
    outputs = {output.name for output in graph.output}
    stored: dict[bytes, str] = {}
    renamed: dict[str, str] = {}
    kept: list[object] = []
    for node in graph.node:
        values = constant_of(node) if node.op_type == "Constant" and node.output[0] not in outputs else None
        if values is None or node.attribute[0].name == "sparse_value":
            kept.append(node)
            continue
        value = numpy_helper.from_array(values)
        name = stored.setdefault(value.SerializeToString(deterministic=True), node.output[0])
        renamed[node.output[0]] = name
        if name == node.output[0]:
            value.name = name
            graph.initializer.append(value)
    _replace(graph.node, kept)
    for node in all_nodes(graph):
        node.input[:] = [renamed.get(name, name) for name in node.input]
    drop_unused(model)


def drop_unused(model: ModelProto) -> None:
    """Remove nodes whose outputs nothing reads, and initializers and shapes that nothing reads after that.

    Args:
        model: The model; changed.
    """
    graph = model.graph
    outputs = set(_graph_outputs(graph))
    while True:
        used = outputs | {name for node in all_nodes(graph) for name in node.input}
        # Optional inputs and outputs that are left out have an empty name.
        used.discard("")
        kept = [node for node in graph.node if used.intersection(node.output)]
        if len(kept) == len(graph.node):
            break
        _replace(graph.node, kept)
    known = used | {output for node in graph.node for output in node.output}
    dropped = {tensor.name for tensor in graph.initializer if tensor.name not in used}
    _replace(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in used])
    # Older exporters list initializers among the inputs; without their values they would be inputs indeed.
    _replace(graph.input, [value for value in graph.input if value.name not in dropped])
    _replace(graph.value_info, [info for info in graph.value_info if info.name in known])


def _is_zero(name: str, producers: dict[str, NodeProto], constants: dict[str, TensorProto]) -> bool:
    """Return whether a tensor is zero whatever the model's inputs are."""
    while name in producers and producers[name].op_type in VALUE_KEEPING_OPERATORS:
        name = producers[name].input[0]
    if name in constants:
        return not np.any(numpy_helper.to_array(constants[name]))
    if name not in producers or producers[name].op_type not in ("Constant", "ConstantOfShape"):
        return False
    node = producers[name]
    values = [attribute.t for attribute in node.attribute if attribute.name == "value"]
    if not values:
        return node.op_type == "ConstantOfShape"
    return not np.any(numpy_helper.to_array(values[0]))


def _graph_outputs(graph: GraphProto) -> Iterator[str]:
    """Yield what a graph gives, and what the graphs inside it give, which may be tensors of the graph around them."""
    yield from (output.name for output in graph.output)
    for node in graph.node:
        for inner in subgraphs(node):
            yield from (output.name for output in inner.output)


def _replace(field: object, items: list[object]) -> None:
    """Make `items`, some of the messages of a repeated field, the field's only ones."""
    del field[:]  # type: ignore[attr-defined]
    field.extend(items)  # type: ignore[attr-defined]
