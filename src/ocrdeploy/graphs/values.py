"""The values inside an ONNX graph: which nodes there are, and models that give them as outputs."""

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto

from ocrdeploy.artifacts import load_onnx

from .summary import tensor_shapes

SILENT_OPERATORS = frozenset({"ArgMax", "Cast", "Constant", "Shape"})
"""Operators whose outputs hold nothing that a network computes, or classes, which have no distances."""


FLOATING_TYPES = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE})


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node of a graph.

    Attributes:
        name: Its name, unique in the graph; where the graph gives none, that of its first output.
        operator: Its operator.
        inputs: Names of the values that it reads, without those left out; of one that is only cast, the name before.
        output: Name of its first output.
        scope: Path of the module that it was exported from, as node names write it: all before the last `/`.
        has_weights: Whether it reads a parameter of the network.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    output: str
    scope: str
    has_weights: bool


class GraphValues:
    """An ONNX model, whose values can be made its outputs.

    Args:
        path: The model's file.

    Raises:
        ModelError: The file is missing or no ONNX model.
    """

    def __init__(self, path: Path) -> None:
        self._model = load_onnx(path)
        onnx.load_external_data_for_model(self._model, str(path.parent))
        graph = self._model.graph
        # Whole numbers are shapes and axes.
        weights = {tensor.name for tensor in graph.initializer if tensor.data_type in FLOATING_TYPES}
        counts = Counter(node.name for node in graph.node)
        casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
        self.nodes: list[GraphNode] = []
        for node in graph.node:
            if node.output and node.output[0]:
                name = node.name if node.name and counts[node.name] == 1 else node.output[0]
                inputs = tuple(_before_casts(each, casts) for each in node.input if each)
                scope = node.name.rpartition("/")[0]
                has_weights = not weights.isdisjoint(inputs)
                self.nodes.append(GraphNode(name, node.op_type, inputs, node.output[0], scope, has_weights))

    def sizes(self, input_shape: tuple[int, ...]) -> Mapping[str, int]:
        """Return how many numbers each value holds, by its name, for an input of a shape; unknown ones are left out."""
        return {name: math.prod(shape) for name, shape in tensor_shapes(self._model, input_shape).items()}

    def write_with_outputs(self, names: Collection[str], path: Path) -> None:
        """Write a copy of the model that gives values, by their names, in place of its own outputs."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        del model.graph.output[:]
        # A runtime infers their types.
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        path.write_bytes(model.SerializeToString())


def _before_casts(name: str, casts: Mapping[str, str]) -> str:
    """Return the value that a chain of casts begins with."""
    while name in casts:
        name = casts[name]
    return name


def last_nodes_of_scopes(nodes: Collection[GraphNode]) -> dict[str, GraphNode]:
    """Return, for each scope, the node whose output leaves it: the last one that a node outside reads, or none reads.

    Scopes inside a scope count as outside: those that matter are layers, which have none.
    """
    readers: dict[str, set[str]] = {}
    for node in nodes:
        for name in node.inputs:
            readers.setdefault(name, set()).add(node.scope)
    found: dict[str, GraphNode] = {}
    for node in nodes:
        outside = readers.get(node.output, set()) - {node.scope}
        if node.operator not in SILENT_OPERATORS and (outside or node.output not in readers):
            found[node.scope] = node
    return found
