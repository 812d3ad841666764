"""What an ONNX graph is made of: operators, parameters, floating-point operations."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

LSTM_GATES = 4
FLOAT_TYPES = (1, 10, 11, 16)
"""float32, float16, float64 and bfloat16 among ONNX's data types; whole numbers are shapes and places."""
LONGEST_VECTOR = 2**20
"""Longer constants of one dimension are no biases of a network, and would fill the memory while shapes are inferred."""

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class GraphSummary:
    """Counts of a graph.

    Attributes:
        operators: How many nodes there are of each operator, most frequent first.
        parameters: How many numbers the weights hold; factors of resizing are none.
        flops: Floating-point operations of convolutions, matrix products and LSTMs at the given input shape, a
            multiply-add counted as two. They are all but a few percent of such networks.
        input_shape: The shape that `flops` is for.
    """

    operators: dict[str, int]
    parameters: int
    flops: int
    input_shape: tuple[int, ...]


def summarize_graph(model: "onnx.ModelProto", input_shape: tuple[int, ...]) -> GraphSummary:
    """Count what a graph is made of.

    Args:
        model: The model, with its weights inside.
        input_shape: Shape N×C×H×W of the images.
    """
    graph = model.graph
    counts = Counter(node.op_type for node in graph.node)
    shapes = tensor_shapes(model, input_shape)
    return GraphSummary(
        operators=dict(counts.most_common()),
        parameters=_parameter_count(graph),
        flops=sum(_node_flops(node, shapes) for node in graph.node),
        input_shape=input_shape,
    )


def _parameter_count(graph: "onnx.GraphProto") -> int:
    """Return how many numbers the weights hold."""
    read = {name for node in graph.node if node.op_type != "Resize" for name in node.input}
    weights = (tensor for tensor in graph.initializer if tensor.data_type in FLOAT_TYPES and tensor.name in read)
    return sum(math.prod(tensor.dims) for tensor in weights)


def tensor_shapes(model: "onnx.ModelProto", input_shape: tuple[int, ...]) -> Shapes:
    """Return the shape of every tensor whose shape is known once the images' is."""
    import onnx

    from .inputs import fix_shapes
    from .serialization import without_weights

    # The weights' values tell no shapes, and with them a model can be too large for shape inference.
    fixed = without_weights(model)
    fix_shapes(fixed.graph, input_shape, {tensor.name for tensor in model.graph.initializer})
    # Names of dynamic dimensions that the exporter left would contradict the lengths.
    del fixed.graph.value_info[:]
    for output in fixed.graph.output:
        output.type.tensor_type.ClearField("shape")
    # A vector may be a shape, so its values are followed, each as an object of some bytes.
    is_followed = all(len(tensor.dims) != 1 or tensor.dims[0] <= LONGEST_VECTOR for tensor in model.graph.initializer)
    graph = onnx.shape_inference.infer_shapes(fixed, data_prop=is_followed).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)
    return shapes


def _node_flops(node: "onnx.NodeProto", shapes: Shapes) -> int:
    """Return a node's floating-point operations; 0 for operators that are not counted, and where a shape is unknown."""
    tensors = [shapes.get(name, ()) for name in (*node.input[:2], node.output[0])]
    if len(tensors) < 3 or not all(tensors):
        return 0
    first, second, output = tensors
    multiply_adds = 0
    match node.op_type:
        case "Conv" | "DeformConv":
            # Weights are (out, in / groups, *kernel): each output sums over all but the first dimension.
            multiply_adds = math.prod(output) * math.prod(second[1:])
        case "ConvTranspose":
            # Weights are (in, out / groups, *kernel): each input is spread over all but the first dimension.
            multiply_adds = math.prod(first) * math.prod(second[1:])
        case "Gemm":
            # Either matrix may be transposed, so the first is not known by which of its dimensions is summed over.
            multiply_adds = math.prod(first) * output[-1]
        case "MatMul":
            multiply_adds = math.prod(output) * first[-1]
        case "LSTM":
            steps, batch, inputs = first
            directions, gates, _ = second
            hidden = gates // LSTM_GATES
            multiply_adds = steps * batch * directions * gates * (inputs + hidden)
    return 2 * multiply_adds
