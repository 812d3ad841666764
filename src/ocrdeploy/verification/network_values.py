"""The values that a network computes on the way, the same for PyTorch networks and ONNX models."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from ocrdeploy.artifacts import load_onnx, temporary_folder
from ocrdeploy.backends import Array, Batch
from ocrdeploy.errors import UsageError
from ocrdeploy.graphs.values import SILENT_OPERATORS, GraphNode, GraphValues
from ocrdeploy.hardware import Device
from ocrdeploy.predictor import Predictor

if TYPE_CHECKING:
    from ocrdeploy.backends.torch import TorchBackend
    from ocrdeploy.layers.activations import Activation

T = TypeVar("T")
MAX_GROUP_VALUES = 2**27
"""So many numbers are computed at a time (0.5 GB a side), so that a large network does not fill the memory."""


@dataclass(frozen=True, slots=True)
class NetworkValue:
    """A value that a network can be asked for.

    Attributes:
        key: What the network calls it.
        node: Name of the node that computes it. A PyTorch network has no nodes: its functions have the names that they
            would have in an exported graph, and its layers the scopes of all their nodes.
        operator: The node's operator, or the layer's class.
        module: Path of its module as in the checkpoint's keys; empty where unknown.
        size: How many numbers it holds; 0 where unknown.
        source: What PyTorch, or the graph, tells of it.
    """

    key: str
    node: str
    operator: str
    module: str
    size: int
    source: "GraphNode | Activation"

    @property
    def is_mask(self) -> bool:
        """Whether it takes in an infinity that is a constant of the graph."""
        return isinstance(self.source, GraphNode) and self.source.has_mask


class NetworkValues(Protocol):
    """A network whose values can be asked for."""

    def list(self, batch: Batch) -> Sequence[NetworkValue]:
        """Return what the network computes for a batch, in the order of computing."""
        ...

    def compute(self, batch: Batch, wanted: Sequence[NetworkValue]) -> Mapping[str, Array]:
        """Return values for a batch, float32, by key."""
        ...


class OnnxValues:
    """The values of an ONNX model, in ONNX Runtime.

    Args:
        path: The model's file.
        device: Where to run it.
        custom_ops: Libraries with operators that it needs.

    Raises:
        ModelError: The file is missing or no ONNX model.
    """

    def __init__(self, path: Path, device: Device, custom_ops: Sequence[Path] = ()) -> None:
        self.graph = GraphValues(path)
        self._device = device
        self._custom_ops = custom_ops

    def list(self, batch: Batch) -> Sequence[NetworkValue]:
        """Return the first output of every node that computes something."""
        sizes = self.graph.sizes(max((array.shape for array in batch.values()), key=len))
        return [
            NetworkValue(node.output, node.name, node.operator, module_of(node.name), sizes.get(node.output, 0), node)
            for node in self.graph.nodes
            if node.operator not in SILENT_OPERATORS
        ]

    def compute(self, batch: Batch, wanted: Sequence[NetworkValue]) -> Mapping[str, Array]:
        """Run a copy of the model that has the values as outputs; so these nodes cannot be fused with others."""
        from ocrdeploy.backends.onnx import OnnxRuntimeBackend

        with temporary_folder() as folder:
            path = self.graph.write_with_outputs([value.key for value in wanted], folder)
            with closing(OnnxRuntimeBackend(path, self._device, custom_ops=self._custom_ops)) as backend:
                outputs = backend.run(batch)
        return {name: np.asarray(output, np.float32) for name, output in outputs.items()}


class TorchValues:
    """The values of a PyTorch network.

    Args:
        backend: The network.
    """

    def __init__(self, backend: "TorchBackend") -> None:
        self._network = backend.network
        self._names = [tensor.name for tensor in backend.inputs]

    def list(self, batch: Batch) -> Sequence[NetworkValue]:
        """Return the outputs of all layers, and of the functions between them."""
        from ocrdeploy.layers.activations import list_activations

        return [
            NetworkValue(each.name, each.name, each.operator, each.module, math.prod(each.shape), each)
            for each in list_activations(self._network, self._inputs(batch))
        ]

    def compute(self, batch: Batch, wanted: Sequence[NetworkValue]) -> Mapping[str, Array]:
        """Run the network."""
        from ocrdeploy.layers.activations import activation_values

        return activation_values(self._network, self._inputs(batch), {value.key for value in wanted})

    def _inputs(self, batch: Batch) -> Sequence[Array]:
        """Return what the network is given, in the order in which it takes it."""
        return [batch[name] for name in self._names]


def values_of(predictor: Predictor) -> NetworkValues:
    """Return access to the values of a model.

    Raises:
        UsageError: Its runtime does not show them.
    """
    match predictor.backend.name:
        case "onnxruntime":
            from ocrdeploy.backends.onnx import OnnxRuntimeBackend

            if isinstance(predictor.backend, OnnxRuntimeBackend):
                backend = predictor.backend
                return OnnxValues(backend.path, backend.device, backend.custom_ops)
        case "torch":
            from ocrdeploy.backends.torch import TorchBackend

            if isinstance(predictor.backend, TorchBackend):
                return TorchValues(predictor.backend)
    raise UsageError(
        f"PyTorch networks and ONNX models are compared node by node; {predictor.backend.name} does not show its nodes",
        "Bisect the ONNX model that an engine was built from.",
    )


def in_groups(items: Sequence[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield items in order, in groups of at most `MAX_GROUP_VALUES` numbers, or of one item that has more.

    Args:
        items: Values, or pairs of values.
        size_of: How many numbers an item holds.
    """
    group: list[T] = []
    total = 0
    for item in items:
        size = size_of(item)
        if group and total + size > MAX_GROUP_VALUES:
            yield group
            group, total = [], 0
        group.append(item)
        total += size
    if group:
        yield group


def module_of(node: str) -> str:
    """Return the path of the module that a node's name tells, such as `backbone.layer1.0.conv1`; empty where none is.

    PyTorch's exporter writes `/backbone/layer1/layer1.0/conv1/Conv`: a member of a sequence repeats its name.
    """
    parts: list[str] = []
    for scope in node.split("/")[1:-1]:
        whole, _, number = scope.rpartition(".")
        if number.isdigit() and parts and parts[-1] == whole:
            parts[-1] = scope
        else:
            parts.append(scope)
    return ".".join(parts)


def has_loop(path: Path) -> bool:
    """Tell whether a graph has a loop, as recognisers that decode step by step have."""
    return any(node.op_type == "Loop" for node in load_onnx(path).graph.node)
