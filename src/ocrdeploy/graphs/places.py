"""Where in an ONNX graph a node is, in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def describe_operator(node: "onnx.NodeProto") -> str:
    """Return a node's operator with its domain, unless that is ONNX's own."""
    return f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else str(node.op_type)


def describe_place(model: "onnx.ModelProto", index: int) -> str:
    """Return a node's name, its place in the graph, and the operators around it.

    Args:
        model: The model.
        index: Index of the node in the graph.
    """
    nodes = model.graph.node
    node = nodes[index]
    producers = {name: each for each in nodes for name in each.output}
    inputs = {each.name for each in model.graph.input}
    outputs = {each.name for each in model.graph.output}
    before = [_name(producers[name]) for name in node.input if name in producers]
    before += [f"the input {name!r}" for name in node.input if name in inputs]
    after = [_name(each) for each in nodes if set(each.input) & set(node.output)]
    after += [f"the output {name!r}" for name in node.output if name in outputs]
    around = f"after {_listed(before)}" if before else "with nothing before it"
    around += f" and before {_listed(after)}" if after else " and with nothing after it"
    return f"node {index + 1} of {len(nodes)}, {(node.name or node.output[0])!r}, {around}"


def describe_refused(model: "onnx.ModelProto", index: int, operator: str, name: str) -> tuple[str, str]:
    """Return operator and place of a node that a parser refuses: one of the graph, or one inside of it.

    Args:
        model: The model.
        index: Index in the graph of the node, or of the outermost one that it is inside of.
        operator: The refused node's operator, without its domain; empty where that is not known.
        name: Its name; may be empty, or one that the parser has made.
    """
    outer = model.graph.node[index]
    place = describe_place(model, index)
    if operator in ("", outer.op_type):
        return describe_operator(outer), place
    inside = [node for node in _inner_nodes(model, outer) if node.op_type == operator]
    found = next((node for node in inside if name and name in (node.name, *node.output)), inside[0] if inside else None)
    if found is None:
        return operator, f"inside of {describe_operator(outer)}, {place}"
    label = found.name or found.output[0]
    return describe_operator(found), f"node {label!r} inside of {describe_operator(outer)}, {place}"


def _inner_nodes(model: "onnx.ModelProto", node: "onnx.NodeProto") -> "Iterator[onnx.NodeProto]":
    """Yield the nodes of the graphs inside a node, and of the functions that it and they call."""
    from .nodes import subgraphs

    functions = {(each.domain, each.name): each for each in model.functions}
    waiting, called = [node], set()
    while waiting:
        current = waiting.pop()
        below = [each for graph in subgraphs(current) for each in graph.node]
        key = (current.domain, current.op_type)
        if key in functions and key not in called:
            called.add(key)
            below += functions[key].node
        yield from below
        waiting += below


def _name(node: "onnx.NodeProto") -> str:
    """Return a node's operator and name."""
    return f"{describe_operator(node)} {node.name!r}" if node.name else describe_operator(node)


def _listed(names: list[str]) -> str:
    """Return names as a list in words."""
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} and {unique[-1]}"
