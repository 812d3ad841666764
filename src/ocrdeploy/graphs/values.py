"""The values inside an ONNX graph: which nodes there are, and models that give them as outputs."""

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from ocrdeploy.artifacts import load_onnx

from .constants import VALUE_KEEPING_OPERATORS, constant_of
from .inputs import normalize
from .serialization import is_large, serialize, write_model
from .summary import tensor_shapes

SILENT_OPERATORS = frozenset({"ArgMax", "Cast", "Constant", "Shape"})
"""Operators whose outputs hold nothing that a network computes, or classes, which have no distances."""

MAX_MASK_VALUES = 2**24
"""Larger constants are not looked at; a mask of attention has some thousand numbers on an edge at most."""

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
        has_mask: Whether it reads a constant that is meant to be infinite, as masks are: one that holds no other
            numbers than infinities and zeros.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    output: str
    scope: str
    has_weights: bool
    has_mask: bool = False


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
        normalize(self._model)
        graph = self._model.graph
        # Whole numbers are shapes and axes.
        weights = {tensor.name for tensor in graph.initializer if tensor.data_type in FLOATING_TYPES}
        counts = Counter(node.name for node in graph.node)
        masks = _masks(graph)
        casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
        self.nodes: list[GraphNode] = []
        for node in graph.node:
            if node.output and node.output[0]:
                name = node.name if node.name and counts[node.name] == 1 else node.output[0]
                inputs = tuple(_before_casts(each, casts) for each in node.input if each)
                scope = node.name.rpartition("/")[0]
                has_weights = not weights.isdisjoint(inputs)
                has_mask = not masks.isdisjoint(inputs)
                self.nodes.append(GraphNode(name, node.op_type, inputs, node.output[0], scope, has_weights, has_mask))

    def sizes(self, input_shape: tuple[int, ...]) -> Mapping[str, int]:
        """Return how many numbers each value holds, by its name, for images of a shape; unknown ones are left out."""
        return {name: math.prod(shape) for name, shape in tensor_shapes(self._model, input_shape).items()}

    def write_with_outputs(self, names: Collection[str], folder: Path) -> Path:
        """Write a model that gives values, by their names, in place of its own outputs.

        Args:
            names: The values.
            folder: An empty folder for it.

        Returns:
            The model's file.
        """
        outputs = self._model.graph.output
        own = [onnx.ValueInfoProto.FromString(output.SerializeToString()) for output in outputs]
        del outputs[:]
        try:
            # A runtime infers their types.
            outputs.extend(onnx.ValueInfoProto(name=name) for name in names)
            if is_large(self._model):
                return write_model(self._model, folder)
            path = folder / "values.onnx"
            path.write_bytes(serialize(self._model))
            return path
        finally:
            del outputs[:]
            outputs.extend(own)


def _masks(graph: onnx.GraphProto) -> set[str]:
    """Return the names of constants that hold infinities, and beside them zeros at most.

    Constants that are reshaped or repeated are constants too.
    """
    found = {tensor.name for tensor in graph.initializer if _is_mask_tensor(tensor)}
    for node in graph.node:
        match node.op_type:
            case "Constant":
                values = constant_of(node)
                is_mask = values is not None and _is_mask(values)
            case "ConstantOfShape":
                is_mask = any(_is_mask_tensor(attribute.t) for attribute in node.attribute)
            case _:
                is_mask = node.op_type in VALUE_KEEPING_OPERATORS and node.input[0] in found
        if is_mask:
            found.update(node.output)
    return found


def _is_mask_tensor(tensor: TensorProto) -> bool:
    """Tell whether a constant is a mask; large ones are not looked at."""
    return (
        tensor.data_type in FLOATING_TYPES
        and math.prod(tensor.dims) <= MAX_MASK_VALUES
        and _is_mask(onnx.numpy_helper.to_array(tensor))
    )


def _is_mask(values: NDArray[np.generic]) -> bool:
    """Tell whether values are infinities, and beside them zeros at most."""
    if values.dtype.kind != "f":
        return False
    infinite = np.isinf(values.astype(np.float64))
    return bool(infinite.any() and (infinite | (values == 0)).all())


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
