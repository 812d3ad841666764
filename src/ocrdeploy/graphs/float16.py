"""Float16 in ONNX graphs: where operators take it, and casts where precisions meet."""

from collections.abc import Iterable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ocrdeploy.errors import ModelError

from .constants import constant_of, largest_magnitudes
from .inputs import ONNX_DOMAINS, opsets
from .nodes import FreeNames, subgraphs
from .serialization import without_weights

HALF_SUFFIX = "_float16"


class TypedGraph:
    """A model's graph with the types of its tensors.

    Args:
        model: The model.

    Attributes:
        nodes: The nodes, each after those that it reads.
        types: Element type (of `TensorProto`) of each tensor whose type is known.
        constants: Initializers and `Constant` nodes, by name.
        magnitudes: The largest magnitude of each tensor that does not depend on the input, where it is known.

    Raises:
        ModelError: The graph contradicts itself.
    """

    def __init__(self, model: ModelProto) -> None:
        try:
            inferred = onnx.shape_inference.infer_shapes(without_weights(model)).graph
        except (onnx.shape_inference.InferenceError, RuntimeError) as error:
            raise ModelError(f"the graph contradicts itself: {' '.join(str(error).split())}") from error
        self.nodes = list(model.graph.node)
        values = (*inferred.input, *inferred.value_info, *inferred.output)
        self.types = {value.name: value.type.tensor_type.elem_type for value in values}
        self.constants: dict[str, TensorProto | NodeProto] = {each.name: each for each in model.graph.initializer}
        self.types |= {tensor.name: tensor.data_type for tensor in model.graph.initializer}
        self.constants |= {
            node.output[0]: node
            for node in self.nodes
            if node.op_type == "Constant" and node.domain in ONNX_DOMAINS and node.attribute[0].name != "sparse_value"
        }
        self._opset = opsets(model).get("", 1)
        self.magnitudes = largest_magnitudes(model.graph, self._opset)

    def half_places(self, node: NodeProto) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return which float32 inputs and outputs a node may have in float16 instead, none if it needs float32.

        As the operator's definition says, inputs and outputs of one type variable change together; inputs of another
        type (the scales of Resize) stay.
        """
        if node.domain not in ONNX_DOMAINS or any(True for _ in subgraphs(node)):
            return (), ()
        try:
            schema = onnx.defs.get_schema(node.op_type, self._opset, "")
        except onnx.defs.SchemaError:
            return (), ()
        halves = {
            each.type_param_str for each in schema.type_constraints if "tensor(float16)" in each.allowed_type_strs
        }
        inputs = _variables(node.input, [each.type_str for each in schema.inputs])
        outputs = _variables(node.output, [each.type_str for each in schema.outputs])
        read = {
            variable for place, variable in inputs.items() if self.types.get(node.input[place]) == TensorProto.FLOAT
        }
        written = {
            variable for place, variable in outputs.items() if self.types.get(node.output[place]) == TensorProto.FLOAT
        }
        changing = read & halves & set(outputs.values())
        if not changing or not written <= changing:
            return (), ()
        return (
            tuple(place for place, variable in inputs.items() if variable in changing),
            tuple(place for place, variable in outputs.items() if variable in changing),
        )


def lower_nodes(model: ModelProto, graph: TypedGraph, chosen: set[int]) -> None:
    """Let nodes read and write float16, with one cast a tensor where precisions meet.

    A tensor keeps its name and its type; its twin in float16 has the suffix `HALF_SUFFIX`, and a number behind it where
    that is the name of another tensor.

    Args:
        model: The model; changed.
        graph: Its graph.
        chosen: Indices of the nodes; each has `half_places`.
    """
    places = {index: graph.half_places(graph.nodes[index]) for index in chosen}
    free = FreeNames(model)
    twins = {
        name: free.take(name + HALF_SUFFIX)
        for index in sorted(chosen)
        for name in (graph.nodes[index].output[place] for place in places[index][1])
    }
    wide = {output.name for output in model.graph.output}
    for index, node in enumerate(graph.nodes):
        narrow = places[index][0] if index in chosen else ()
        wide |= {name for place, name in enumerate(node.input) if place not in narrow} | captured_names(node)
    nodes: list[NodeProto] = []
    for index, node in enumerate(graph.nodes):
        if index not in chosen:
            nodes.append(node)
            continue
        inputs, outputs = places[index]
        # A node may read one tensor twice.
        for name in dict.fromkeys(node.input[place] for place in inputs if node.input[place] not in twins):
            twins[name] = free.take(name + HALF_SUFFIX)
            if name in graph.constants:
                values = _values_of(graph.constants[name]).astype(np.float16)
                model.graph.initializer.append(numpy_helper.from_array(values, twins[name]))
            else:
                nodes.append(_cast(name, twins[name], TensorProto.FLOAT16, free))
        written = [node.output[place] for place in outputs]
        for place in inputs:
            node.input[place] = twins[node.input[place]]
        for place in outputs:
            node.output[place] = twins[node.output[place]]
        nodes.append(node)
        nodes += [_cast(twins[name], name, TensorProto.FLOAT, free) for name in written if name in wide]
    replace_nodes(model, nodes)


def captured_names(node: NodeProto) -> set[str]:
    """Return the names that the graphs inside a node read, some of which are tensors of the graph around them."""
    names: set[str] = set()
    for graph in subgraphs(node):
        names |= {output.name for output in graph.output}
        names |= {name for inner in graph.node for name in inner.input}
    return names


def _variables(names: Iterable[str], formal: list[str]) -> dict[int, str]:
    """Return the type variable of each place; the last formal one may stand for several."""
    return {place: formal[min(place, len(formal) - 1)] for place, name in enumerate(names) if name}


def _values_of(constant: TensorProto | NodeProto) -> NDArray[np.generic]:
    """Return the values of an initializer or of a `Constant` node, of which they are known to be numbers."""
    values = numpy_helper.to_array(constant) if isinstance(constant, TensorProto) else constant_of(constant)
    return np.asarray(values)


def _cast(source: str, target: str, kind: int, free: FreeNames) -> NodeProto:
    """Return a cast that is named after what it gives."""
    return helper.make_node("Cast", [source], [target], name=free.take(f"{source}/Cast to {target}"), to=kind)


def replace_nodes(model: ModelProto, nodes: list[NodeProto]) -> None:
    """Give a model's graph other nodes, and drop constants and recorded types that no longer belong to it."""
    graph = model.graph
    used = {output.name for output in graph.output}
    for node in nodes:
        used |= set(node.input) | captured_names(node)
    del graph.node[:]
    graph.node.extend(node for node in nodes if node.op_type != "Constant" or node.output[0] in used)
    del graph.value_info[:]
    # One by one: what is put into a message again may have no 2 GiB.
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name not in used:
            del graph.initializer[place]
