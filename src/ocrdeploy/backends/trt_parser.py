"""From an ONNX graph to a TensorRT network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrdeploy.errors import MachineError, ModelError

from .trt import Library, one_line


@dataclass(frozen=True, slots=True, eq=False)
class ParsedNetwork:
    """A network that TensorRT's parser made of an ONNX graph.

    Attributes:
        builder: TensorRT's builder, which owns the network.
        network: TensorRT's network definition.
    """

    builder: Any
    network: Any


@dataclass(frozen=True, slots=True)
class ParserComplaint:
    """Why the parser refused a node.

    Attributes:
        node: Index of the node in the graph, -1 where it is none in particular. A node inside a node, or inside a
            function that a node calls, has the index of the outermost.
        operator: The operator, without its domain, of the node itself; empty where it is none in particular.
        name: The name of the node itself; may be empty.
        is_unknown: Whether TensorRT and its plugins have no such operator.
        reason: What TensorRT says.
    """

    node: int
    operator: str
    name: str
    is_unknown: bool
    reason: str


class UnparsableGraphError(ModelError):
    """TensorRT's parser refused a graph.

    Args:
        library: Which TensorRT.
        complaints: Why, at least one.
    """

    def __init__(self, library: Library, complaints: Sequence[ParserComplaint]) -> None:
        first = complaints[0]
        super().__init__(f"{library.name} cannot read the graph: {first.reason}")
        self.complaints = tuple(complaints)


def parse_network(library: Library, model: bytes | Path) -> ParsedNetwork:
    """Parse an ONNX model into a strongly typed network.

    Args:
        library: The TensorRT.
        model: The content of an ONNX file; or the file, of a model whose weights lie in other files beside it.

    Raises:
        UnparsableGraphError: TensorRT does not know an operator, or cannot take the graph for another reason.
        MachineError: TensorRT cannot be started.
    """
    trt = library.trt
    trt.init_libnvinfer_plugins(library.logger, "")
    try:
        builder = trt.Builder(library.logger)
    except TypeError as error:  # how its bindings say that TensorRT made nothing
        raise MachineError(
            f"{library.name} cannot start its builder on this machine", "--verbose shows its log."
        ) from error
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, library.logger)
    if not (parser.parse(model) if isinstance(model, bytes) else parser.parse_from_file(str(model))):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        complaints = [_complaint(error) for error in errors]
        raise UnparsableGraphError(library, complaints or [ParserComplaint(-1, "", "", False, "no reason was given")])
    return ParsedNetwork(builder, network)


def _complaint(error: Any) -> ParserComplaint:
    """Return what the parser says of a node; of an operator that it does not know it says so in two ways."""
    reason = one_line(error.desc())
    is_unknown = reason == "false" or "Plugin not found" in reason
    return ParserComplaint(error.node(), error.node_operator(), error.node_name(), is_unknown, reason)
