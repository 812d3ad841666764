"""Where in an ONNX graph a node is, in words."""

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


def _name(node: "onnx.NodeProto") -> str:
    """Return a node's operator and name."""
    return f"{describe_operator(node)} {node.name!r}" if node.name else describe_operator(node)


def _listed(names: list[str]) -> str:
    """Return names as a list in words."""
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} and {unique[-1]}"
