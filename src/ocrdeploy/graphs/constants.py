"""Tensors of a graph whose values do not depend on the model's input, in whatever form they are written."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from .inputs import ONNX_DOMAINS

Values = NDArray[np.generic]

VALUE_KEEPING_OPERATORS = frozenset(
    {"Cast", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
"""Operators whose output holds no value that their first input does not hold, but for rounding."""
EVALUATED_OPERATORS = frozenset(
    {"Abs", "Add", "Concat", "Div", "Exp", "Log", "Max", "Min", "Mul", "Neg", "Pow", "Reciprocal", "Sqrt", "Sub", "Sum"}
    | {"Clip", "Where"}
)
"""Operators that are computed where all their inputs are constants."""
MOST_VALUES = 4096
"""Largest constant that is computed with; those that exporters leave to the runtime are single numbers and shapes."""


def constant_of(node: NodeProto) -> Values | None:
    """Return the values of a `Constant` node; None for strings."""
    attribute = node.attribute[0]
    values: Values | None = None
    match attribute.name:
        case "value" if attribute.t.data_type != TensorProto.STRING:
            values = numpy_helper.to_array(attribute.t)
        case "sparse_value":
            # Where its values stand has no part in how large they are.
            values = numpy_helper.to_array(attribute.sparse_tensor.values)
        case "value_float":
            values = np.array(attribute.f, np.float32)
        case "value_floats":
            values = np.array(attribute.floats, np.float32)
        case "value_int":
            values = np.array(attribute.i, np.int64)
        case "value_ints":
            values = np.array(attribute.ints, np.int64)
    return values


def largest_magnitudes(graph: GraphProto, opset: int) -> Mapping[str, float]:
    """Return the largest magnitude of each tensor whose values do not depend on the input, as far as that is told.

    Args:
        graph: The graph, its nodes in an order in which they can be computed.
        opset: Version of ONNX's own operators.

    Returns:
        The magnitudes by the tensors' names. That of a part of a constant is the whole constant's.
    """
    magnitudes: dict[str, float] = {}
    small: dict[str, Values] = {}

    def add(name: str, values: Values | None) -> None:
        if values is not None and values.dtype.kind in "fiu":
            magnitudes[name] = float(np.abs(values.astype(np.float64, copy=False)).max(initial=0))
            if values.size <= MOST_VALUES:
                small[name] = values

    for tensor in (*graph.initializer, *(each.values for each in graph.sparse_initializer)):
        if tensor.data_type != TensorProto.STRING:
            add(tensor.name, numpy_helper.to_array(tensor))
    for node in graph.node:
        if node.domain in ONNX_DOMAINS and node.op_type in VALUE_KEEPING_OPERATORS and node.input[0] in magnitudes:
            magnitudes[node.output[0]] = magnitudes[node.input[0]]
            if node.op_type == "Identity" and node.input[0] in small:
                small[node.output[0]] = small[node.input[0]]
        elif node.domain in ONNX_DOMAINS:
            add(node.output[0], _values(node, small, opset))
    return magnitudes


def _values(node: NodeProto, small: Mapping[str, Values], opset: int) -> Values | None:
    """Return what a node gives whatever the model's input is; None where that is not so, or not known."""
    match node.op_type:
        case "Constant":
            return constant_of(node)
        case "ConstantOfShape":
            return _fill(node)
        case operator if operator in EVALUATED_OPERATORS and all(name in small for name in node.input if name):
            return _computed(node, small, opset)
    return None


def _fill(node: NodeProto) -> Values:
    """Return the one value that a `ConstantOfShape` node gives, whatever its shape."""
    given: Iterable[TensorProto] = (each.t for each in node.attribute if each.name == "value")
    return next((numpy_helper.to_array(each) for each in given), np.zeros(1, np.float32))


def _computed(node: NodeProto, values: Mapping[str, Values], opset: int) -> Values | None:
    """Return what a node makes of constants; None where ONNX's reference cannot compute it."""
    inputs = {name: values[name] for name in node.input if name}
    graph = helper.make_graph(
        [node],
        "constant",
        [
            helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for k, v in inputs.items()
        ],
        [helper.make_value_info(node.output[0], helper.make_tensor_type_proto(TensorProto.UNDEFINED, None))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        with np.errstate(all="ignore"):
            (result,) = ReferenceEvaluator(model).run(None, inputs)
    except Exception:  # noqa: BLE001  (it raises anything for what it does not know; then nothing is known)
        return None
    return np.asarray(result)
