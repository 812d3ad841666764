"""Float16 in ONNX graphs: where operators take it, and casts where precisions meet."""

from collections.abc import Iterable, Iterator

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ocrdeploy.errors import ModelError

HALF_SUFFIX = "_float16"
ONNX_DOMAINS = ("", "ai.onnx")


class TypedGraph:
    """A model's graph with the types of its tensors.

    Args:
        model: The model.

    Attributes:
        nodes: The nodes, each after those that it reads.
        types: Element type (of `TensorProto`) of each tensor whose type is known.
        constants: Values of initializers and of `Constant` nodes, by name.

    Raises:
        ModelError: The graph contradicts itself.
    """

    def __init__(self, model: ModelProto) -> None:
        try:
            inferred = onnx.shape_inference.infer_shapes(model).graph
        except (onnx.shape_inference.InferenceError, RuntimeError) as error:
            raise ModelError(f"the graph contradicts itself: {' '.join(str(error).split())}") from error
        self.nodes = list(model.graph.node)
        values = (*inferred.input, *inferred.value_info, *inferred.output)
        self.types = {value.name: value.type.tensor_type.elem_type for value in values}
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.types |= {name: tensor.data_type for name, tensor in self.constants.items()}
        for node in self.nodes:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = node.attribute[0].t
        self._opsets = {each.domain: each.version for each in model.opset_import}

    def half_places(self, node: NodeProto) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return which float32 inputs and outputs a node may have in float16 instead, none if it needs float32.

        As the operator's definition says, inputs and outputs of one type variable change together; inputs of another
        type (the scales of Resize) stay.
        """
        if node.domain not in ONNX_DOMAINS or any(True for _ in subgraphs(node)):
            return (), ()
        try:
            schema = onnx.defs.get_schema(node.op_type, self._opsets[node.domain], node.domain)
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

    A tensor keeps its name and its type; its twin in float16 has the suffix `HALF_SUFFIX`.

    Args:
        model: The model; changed.
        graph: Its graph.
        chosen: Indices of the nodes; each has `half_places`.
    """
    places = {index: graph.half_places(graph.nodes[index]) for index in chosen}
    twins = {graph.nodes[index].output[place] for index in chosen for place in places[index][1]}
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
        for name in [node.input[place] for place in inputs if node.input[place] not in twins]:
            twins.add(name)
            if name in graph.constants:
                values = numpy_helper.to_array(graph.constants[name]).astype(np.float16)
                model.graph.initializer.append(numpy_helper.from_array(values, name + HALF_SUFFIX))
            else:
                nodes.append(cast_node(name, name + HALF_SUFFIX, TensorProto.FLOAT16))
        written = [node.output[place] for place in outputs]
        for place in inputs:
            node.input[place] += HALF_SUFFIX
        for place in outputs:
            node.output[place] += HALF_SUFFIX
        nodes.append(node)
        nodes += [cast_node(name + HALF_SUFFIX, name, TensorProto.FLOAT) for name in written if name in wide]
    replace_nodes(model, nodes)


def subgraphs(node: NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs that a node holds (If, Loop, Scan)."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


def captured_names(node: NodeProto) -> set[str]:
    """Return the names that the graphs inside a node read, some of which are tensors of the graph around them."""
    names: set[str] = set()
    for graph in subgraphs(node):
        names |= {output.name for output in graph.output}
        for inner in graph.node:
            names |= set(inner.input) | captured_names(inner)
    return names


def _variables(names: Iterable[str], formal: list[str]) -> dict[int, str]:
    """Return the type variable of each place; the last formal one may stand for several."""
    return {place: formal[min(place, len(formal) - 1)] for place, name in enumerate(names) if name}


def cast_node(source: str, target: str, kind: int) -> NodeProto:
    """Return a cast that is named after what it gives."""
    return helper.make_node("Cast", [source], [target], name=f"{source}/Cast to {target}", to=kind)


def replace_nodes(model: ModelProto, nodes: list[NodeProto]) -> None:
    """Give a model's graph other nodes, and drop constants and recorded types that no longer belong to it."""
    graph = model.graph
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    used = {output.name for output in graph.output}
    for node in nodes:
        used |= set(node.input) | captured_names(node)
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
