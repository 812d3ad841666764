"""Conversion of a float32 ONNX model to mixed precision: float16 where that is safe, float32 where it is not.

TensorRT 11 and TensorRT for RTX build strongly typed networks, whose precision is in the graph. Computing in float16
begins at convolutions and matrix products and goes on until something speaks against it; inputs and outputs of the
model stay float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

from ocrdeploy.errors import ModelError, UsageError

from .constants import VALUE_KEEPING_OPERATORS
from .float16 import TypedGraph, captured_names, lower_nodes
from .inputs import normalize

SENSITIVE_OPERATORS = {
    "LSTM": "rounding errors add up over the steps of a recurrence",
    "GRU": "rounding errors add up over the steps of a recurrence",
    "RNN": "rounding errors add up over the steps of a recurrence",
    "CumSum": "rounding errors add up along the axis",
    "Sigmoid": "float16 has few bits near 1, and probabilities are compared with thresholds",
    "Softmax": "sums of exponentials leave float16's range",
    "LogSoftmax": "sums of exponentials leave float16's range",
    "Exp": "leaves float16's range above 11",
    "Log": "small arguments lose their bits in float16",
    "Pow": "squares leave float16's range above 255",
    "Sqrt": "its arguments are sums of squares, which leave float16's range",
    "Reciprocal": "leaves float16's range below 2e-5",
    "Div": "leaves float16's range for small divisors",
    "ReduceMean": "sums over whole maps leave float16's range",
    "ReduceSum": "sums over whole maps leave float16's range",
    "ReduceSumSquare": "sums of squares leave float16's range",
    "ReduceL2": "sums of squares leave float16's range",
    "GlobalAveragePool": "sums over whole maps leave float16's range",
    "BatchNormalization": "variances may be too small for float16; our exports have it folded into convolutions",
    "InstanceNormalization": "variances are sums of squares, which leave float16's range",
    "GroupNormalization": "variances are sums of squares, which leave float16's range",
    "LayerNormalization": "variances are sums of squares, which leave float16's range",
    "DeformConv": "coordinates on wide maps need more bits than float16 has",
    "GridSample": "coordinates on wide maps need more bits than float16 has",
    "RoiAlign": "coordinates on wide maps need more bits than float16 has",
}
"""Operators that stay float32, and why."""

LAYER_OPERATORS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators at which computing in float16 begins: those that hold the weights, and that tensor cores speed up."""

ASKED_FOR = "asked for"
WRITES_OUTPUT = "its values are the model's output: PANet's embeddings are told apart by distance, maps by thresholds"
COORDINATES = "its values are coordinates, and on wide maps these need more bits than float16 has"
OUT_OF_RANGE = "a constant is outside float16's range"

LARGEST = float(np.finfo(np.float16).max)
SMALLEST = float(np.finfo(np.float16).tiny)


@dataclass(frozen=True, slots=True)
class Conversion:
    """A model in mixed precision.

    Attributes:
        model: The model. Names, types and shapes of its inputs and outputs, and its metadata, are as they were.
        converted: How many operators compute in float16.
        kept: The layers and sensitive operators that stay float32, each with the reason, in the graph's order.
    """

    model: ModelProto
    converted: int
    kept: dict[str, str]


def convert_to_float16(model: ModelProto, float32_layers: Sequence[str] = ()) -> Conversion:
    """Convert a float32 model to mixed precision.

    Float32 stay, with what follows them up to the next convolution or matrix product: the operators in
    `SENSITIVE_OPERATORS`; the layers that write the outputs, and those that GridSample's coordinates come from; layers
    with a constant outside float16's range; operators that ONNX does not define for float16, does not know, or that
    hold graphs of their own.

    Args:
        model: The model, with its weights inside; it is not changed.
        float32_layers: Names or operators of nodes that stay float32 as well, with `*`, `?` and `[...]` as in file
            names.

    Raises:
        ModelError: The graph contradicts itself, computes in float16 already, or has nothing to convert.
        UsageError: A pattern matches no node.
    """
    result = ModelProto()
    result.CopyFrom(model)
    normalize(result)
    graph = TypedGraph(result)
    if TensorProto.FLOAT16 in graph.types.values():
        raise ModelError("the model computes in float16 already", "Leave --fp16 out, or give the float32 model.")
    chosen, kept = _choose(graph, {output.name for output in result.graph.output}, float32_layers)
    if not chosen:
        raise ModelError("the model has no operator that can compute in float16", "Leave --fp16 out.")
    lower_nodes(result, graph, chosen)
    return Conversion(result, len(chosen), kept)


def _choose(graph: TypedGraph, outputs: set[str], patterns: Sequence[str]) -> tuple[set[int], dict[str, str]]:
    """Return the nodes that are to compute in float16, and why layers and sensitive operators are not among them."""
    asked_for = _matching(graph.nodes, patterns)
    last = _nodes_before(graph, outputs)
    coordinates = _nodes_before(graph, {node.input[1] for node in graph.nodes if node.op_type == "GridSample"})
    chosen: set[int] = set()
    halves: set[str] = set()
    kept: dict[str, str] = {}
    for index, node in enumerate(graph.nodes):
        inputs, written = graph.half_places(node)
        reason = SENSITIVE_OPERATORS.get(node.op_type, "")
        if index in asked_for:
            reason = ASKED_FOR
        elif not reason and index in last:
            reason = WRITES_OUTPUT
        elif not reason and index in coordinates:
            reason = COORDINATES
        elif not reason and inputs and _is_out_of_range(node, inputs, graph):
            reason = OUT_OF_RANGE
        if reason:
            if node.op_type in LAYER_OPERATORS or node.op_type in SENSITIVE_OPERATORS:
                kept[node.name or node.output[0]] = reason
        elif inputs and (node.op_type in LAYER_OPERATORS or halves.intersection(node.input)):
            chosen.add(index)
            halves.update(node.output[place] for place in written)
    return chosen - _moved_for_nothing(graph.nodes, chosen), kept


def _moved_for_nothing(nodes: Sequence[NodeProto], chosen: set[int]) -> set[int]:
    """Return nodes that move values for readers that all want float32, of which there is one at least.

    The cast stands before them as well as behind; and where one stands between a Reshape and an LSTM, TensorRT for RTX
    1.7 takes the shapes of the LSTM for those of one of its steps, and builds nothing.
    """
    readers: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        for name in {*node.input, *captured_names(node)}:
            readers.setdefault(name, []).append(index)
    found: set[int] = set()
    for index in sorted(chosen, reverse=True):
        node = nodes[index]
        after = [each for name in node.output for each in readers.get(name, [])]
        if node.op_type in VALUE_KEEPING_OPERATORS and after and not (chosen - found).intersection(after):
            found.add(index)
    return found


def _matching(nodes: Sequence[NodeProto], patterns: Sequence[str]) -> set[int]:
    """Return the nodes whose name or operator matches a pattern."""
    found: set[int] = set()
    for pattern in patterns:
        matches = {
            index
            for index, node in enumerate(nodes)
            if fnmatchcase(node.name, pattern) or fnmatchcase(node.op_type, pattern)
        }
        if not matches:
            examples = ", ".join([node.name for node in nodes if node.op_type in LAYER_OPERATORS][-3:])
            raise UsageError(f"--fp32-layers {pattern!r} matches no node", f"Nodes have names such as {examples}.")
        found |= matches
    return found


def _nodes_before(graph: TypedGraph, tensors: set[str]) -> set[int]:
    """Return the layers that tensors are computed by, and the operators between them and the tensors.

    What multiplies values by a table from the left, as splines do, is no such layer: it follows one.
    """
    producers = {name: index for index, node in enumerate(graph.nodes) for name in node.output}
    found: set[int] = set()
    waiting = list(tensors)
    while waiting:
        index = producers.get(waiting.pop())
        if index is None or index in found:
            continue
        found.add(index)
        node = graph.nodes[index]
        if node.op_type not in LAYER_OPERATORS or (node.op_type == "MatMul" and node.input[0] in graph.constants):
            waiting.extend(name for name in node.input if name)
    return found


def _is_out_of_range(node: NodeProto, places: Sequence[int], graph: TypedGraph) -> bool:
    """Return whether a constant that a node would read in float16 is too large for it, or as a whole too small."""
    for name in (node.input[place] for place in places):
        largest = graph.magnitudes.get(name, 0.0)
        if largest > LARGEST or 0 < largest < SMALLEST:
            return True
    # Older versions of Clip, Pad and others have their constants as attributes.
    return any(abs(value) > LARGEST for each in node.attribute for value in (each.f, *each.floats))
