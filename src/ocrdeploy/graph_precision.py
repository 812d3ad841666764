"""The number format that an ONNX graph computes in, told by the operators that do the computing."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

FLOAT, FLOAT16, DOUBLE, BFLOAT16 = 1, 10, 11, 16
"""Numbers of ONNX's `TensorProto.DataType`."""
FLOATS = frozenset({FLOAT, FLOAT16, DOUBLE, BFLOAT16})
COMPUTING = frozenset(
    {"Conv", "ConvTranspose", "DeformConv", "Einsum", "GRU", "Gemm", "LSTM", "MatMul", "RNN", "Attention"}
    | {"MMCVDeformConv2d", "MMCVModulatedDeformConv2d"}
)
"""Operators that sum products, which is all but a little of what a network computes, and where rounding adds up."""
NO_FLOATS = frozenset(
    {"ArgMax", "ArgMin", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "NonZero"}
    | {"Shape", "Size"}
)
"""Operators that read floats and give integers or truth values."""


class Node(NamedTuple):
    """A node of a graph.

    Attributes:
        operator: What it does.
        inputs: What it reads.
        outputs: What it gives.
        kinds: Element types of the constants that it holds, and the one that it casts to.
        inner: The nodes of the graphs inside it, such as the branches of an If.
    """

    operator: str
    inputs: list[str]
    outputs: list[str]
    kinds: list[int]
    inner: list["Node"]


def precision_of(nodes: Iterable[Node], types: Mapping[str, int], outputs: Collection[str]) -> str:
    """Return the number format of a graph: `fp32`, `fp16` or `bf16`.

    A graph computes in float16 if an operator that sums products does, and one without such operators if anything in
    it is float16. What no output depends on does not count.

    Args:
        nodes: The nodes in their order, each after those that it reads from.
        types: Element types of constants and inputs, also of graphs inside nodes.
        outputs: The graph's outputs.
    """
    found = dict(types)
    wanted = set(outputs)
    alive: list[Node] = []
    for node in reversed(list(nodes)):
        if not wanted.isdisjoint(node.outputs):
            wanted.update(_all_inputs(node))
            alive.append(node)
    computing: set[int] = set()
    others: set[int] = {types[name] for name in wanted if name in types}
    for node in reversed(alive):
        _spread(node, found, computing, others)
    kinds = computing or others
    return "fp16" if FLOAT16 in kinds else "bf16" if BFLOAT16 in kinds else "fp32"


def _all_inputs(node: Node) -> list[str]:
    """Return what a node reads, also inside its own graphs."""
    return [*node.inputs, *(name for each in node.inner for name in _all_inputs(each))]


def _spread(node: Node, found: dict[str, int], computing: set[int], others: set[int]) -> None:
    """Tell the types of a node's outputs, and put down those that it computes with."""
    for each in node.inner:
        _spread(each, found, computing, others)
    read = [found[name] for name in node.inputs if found.get(name) in FLOATS]
    others.update(node.kinds)
    if node.operator in COMPUTING:
        computing.update(read)
    if node.operator in NO_FLOATS:
        return
    for kind in [*node.kinds, *read][:1]:
        found.update(dict.fromkeys(node.outputs, kind))
