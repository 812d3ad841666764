"""What an ONNX file says of itself beside its weights: tensors, metadata, types, and the files that it needs.

It is read from Protocol Buffers' wire format, in place, skipping the weights: the package `onnx` takes many times as
long to be imported as this takes (2 s beside 5 ms, for a recogniser of 33 MB), and would hold all weights in memory.
Field numbers are those of `onnx.proto3`, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.
"""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ocrdeploy.artifacts import check_file, what_it_is
from ocrdeploy.errors import ModelError
from ocrdeploy.graph_precision import Node, precision_of
from ocrdeploy.tensors import Dimension

ELEMENT_TYPES = (
    "", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "float64",
    "uint32", "uint64", "complex64", "complex128", "bfloat16",
)  # fmt: skip
"""Names of `TensorProto.DataType`."""
EXTERNAL = 1
"""`TensorProto.DataLocation` of weights that lie in another file."""
MOST_LEVELS = 50
"""Graphs lie inside nodes of graphs; no model has so many levels."""
FIXED64 = 1
HEAD = 512

Field = tuple[int, int | memoryview]


class GraphTensor(NamedTuple):
    """An input or output of a graph.

    Attributes:
        name: Its name.
        shape: Its shape, with names for dynamic dimensions; no dimensions where the graph does not tell.
        dtype: Its element type, such as `float32`; empty where it is not told.
    """

    name: str
    shape: tuple[Dimension, ...]
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class OnnxFacts:
    """What an ONNX file says of itself.

    Attributes:
        metadata: Its `metadata_props`.
        inputs: The graph's inputs that are not constants of it.
        outputs: The graph's outputs.
        precision: Number format that it computes in: `fp32`, `fp16` or `bf16`, see `precision_of`.
        external: Names of the files, relative to the model's folder, that hold weights.
    """

    metadata: dict[str, str]
    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]
    precision: str
    external: tuple[str, ...]


def read_onnx_facts(path: Path) -> OnnxFacts:
    """Return what an ONNX file says of itself.

    Raises:
        ModelError: The file is missing or no ONNX model.
    """
    check_file(path, "model", ModelError)
    reader = _Reader()
    head = b""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            if head:
                # Left to the garbage collector: parts of it may still be looked at when an error is on its way.
                reader.read_model(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not an ONNX model: {what_it_is(head) or error}") from error
    if not reader.nodes:
        raise ModelError(f"{path} is not an ONNX model: {what_it_is(head) or 'it holds no graph'}")
    return OnnxFacts(
        reader.metadata,
        tuple(tensor for tensor in reader.inputs if tensor.name not in reader.constants),
        tuple(reader.outputs),
        precision_of(reader.nodes, reader.types, [tensor.name for tensor in reader.outputs]),
        tuple(reader.external),
    )


def network_inputs(found: Sequence[GraphTensor], path: Path) -> tuple[GraphTensor, ...]:
    """Return the inputs of a model, the images first.

    Args:
        found: Its inputs, in any order.
        path: The model, for messages.

    Raises:
        ModelError: None or several of them can be images, or one is not float32.
    """
    images = [each for each in found if len(each.shape) == 4]
    if len(images) != 1 or any(each.dtype != "float32" for each in found):
        texts = ", ".join(f"{each.name}: {each.dtype} {list(each.shape)}" for each in found)
        raise ModelError(
            f"{path}: float32 inputs were expected, one of them of four dimensions (N, C, H, W), got {texts or 'none'}"
        )
    return (*images, *(each for each in found if each not in images))


class _Reader:
    """Collects what the messages of a file hold; a message that is cut off or no message raises ValueError."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.inputs: list[GraphTensor] = []
        self.outputs: list[GraphTensor] = []
        self.constants: set[str] = set()
        self.external: dict[str, None] = {}
        self.types: dict[str, int] = {}
        self.nodes: list[Node] = []

    def read_model(self, model: memoryview) -> None:
        """Read a `ModelProto`."""
        for number, value in _fields(model):
            if number == 7:
                self.read_graph(_message(value), level=0)
            elif number == 14:
                key, text = _entry(_message(value))
                self.metadata[key] = text

    def read_graph(self, graph: memoryview, level: int, outer: Node | None = None) -> None:
        """Read a `GraphProto`; the nodes of one inside a node are that node's."""
        if level > MOST_LEVELS:
            raise ValueError("its graphs lie too deep in each other")
        for number, value in _fields(graph):
            match number:
                case 1:
                    (self.nodes if outer is None else outer.inner).append(self._read_node(_message(value), level))
                case 5:
                    name, kind = self._read_tensor(_message(value))
                    self.types[name] = kind
                    if outer is None:
                        self.constants.add(name)
                case 11 if level == 0:
                    tensor = _graph_tensor(_message(value))
                    self.inputs.append(tensor)
                    if tensor.dtype in ELEMENT_TYPES:
                        self.types.setdefault(tensor.name, ELEMENT_TYPES.index(tensor.dtype))
                case 12 if level == 0:
                    self.outputs.append(_graph_tensor(_message(value)))

    def _read_node(self, message: memoryview, level: int) -> Node:
        """Read a `NodeProto`."""
        attributes: list[memoryview] = []
        operator = ""
        inputs: list[str] = []
        outputs: list[str] = []
        for number, value in _fields(message):
            match number:
                case 1:
                    inputs.append(_text(value))
                case 2:
                    outputs.append(_text(value))
                case 4:
                    operator = _text(value)
                case 5:
                    attributes.append(_message(value))
        node = Node(operator, inputs, outputs, [], [])
        for attribute in attributes:
            for number, value in _fields(attribute):
                if number in {5, 10}:
                    node.kinds.append(self._read_tensor(_message(value))[1])
                elif number in {6, 11}:
                    self.read_graph(_message(value), level + 1, node)
                elif number == 3 and operator == "Cast" and isinstance(value, int):
                    node.kinds.append(value)
        return node

    def _read_tensor(self, tensor: memoryview) -> tuple[str, int]:
        """Return name and type of a `TensorProto`, and keep the file that holds its numbers, if another does."""
        locations: list[str] = []
        is_external = False
        name, kind = "", 0
        for number, value in _fields(tensor):
            if number == 2 and isinstance(value, int):
                kind = value
            elif number == 8:
                name = _text(value)
            elif number == 13:
                key, text = _entry(_message(value))
                locations += [text] if key == "location" else []
            elif number == 14:
                is_external = value == EXTERNAL
        if is_external:
            self.external |= dict.fromkeys(locations)
        return name, kind


def _graph_tensor(value_info: memoryview) -> GraphTensor:
    """Read a `ValueInfoProto`."""
    name, dtype = "", ""
    shape: tuple[Dimension, ...] = ()
    for number, value in _fields(value_info):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for kind, tensor_type in _fields(_message(value)):
                if kind == 1:
                    dtype, shape = _tensor_type(_message(tensor_type))
    return GraphTensor(name, shape, dtype)


def _tensor_type(tensor_type: memoryview) -> tuple[str, tuple[Dimension, ...]]:
    """Read a `TypeProto.Tensor`: the name of its element type, and its shape."""
    dtype = ""
    shape: list[Dimension] = []
    for number, value in _fields(tensor_type):
        if number == 1 and isinstance(value, int):
            dtype = ELEMENT_TYPES[value] if value < len(ELEMENT_TYPES) else f"type {value}"
        elif number == 2:
            for kind, dimension in _fields(_message(value)):
                if kind == 1:
                    shape.append(_dimension(_message(dimension), len(shape)))
    return dtype, tuple(shape)


def _dimension(dimension: memoryview, index: int) -> Dimension:
    """Read a `TensorShapeProto.Dimension`; one without a length or a name gets a name.

    Older exporters write -1 or 0 for an open one; -1 is a very large number on the wire.
    """
    for number, value in _fields(dimension):
        if number == 1 and isinstance(value, int) and 0 < value < 1 << 63:
            return value
        if number == 2 and (name := _text(value)):
            return name
    return f"dim_{index}"


def _entry(entry: memoryview) -> tuple[str, str]:
    """Read a `StringStringEntryProto`."""
    texts = {number: _text(value) for number, value in _fields(entry) if number in {1, 2}}
    return texts.get(1, ""), texts.get(2, "")


def _fields(message: memoryview) -> Iterator[Field]:
    """Yield number and value of each field of a message; numbers of fixed length are passed over."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        match key & 7:
            case 0:
                value, place = _varint(message, place)
                yield key >> 3, value
            case 2:
                length, place = _varint(message, place)
                if place + length > len(message):
                    raise ValueError("it is cut off, or another kind of file")
                yield key >> 3, message[place : place + length]
                place += length
            case 1 | 5 as wire:
                place += 8 if wire == FIXED64 else 4
            case _:
                raise ValueError("it is another kind of file")


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Read a number of 7 bits a byte; return it with the place behind it."""
    value = shift = 0
    while place < len(message) and shift < 70:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise ValueError("it is cut off, or another kind of file")


def _message(value: int | memoryview) -> memoryview:
    """Return a field that is a message."""
    if isinstance(value, int):
        raise ValueError("it is another kind of file")  # noqa: TRY004  (the file is wrong, not a type of ours)
    return value


def _text(value: int | memoryview) -> str:
    """Return a field that is a text; bytes that are no UTF-8 are escaped."""
    return bytes(_message(value)).decode("utf-8", "backslashreplace")
