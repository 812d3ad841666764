"""Walking through the nodes of an ONNX graph and of the graphs inside them, and names for new ones."""

from collections.abc import Iterator

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the graphs inside a node (of If, Loop, Scan), the innermost included."""
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.type == AttributeProto.GRAPH else list(attribute.graphs)
        for graph in graphs:
            yield graph
            for child in graph.node:
                yield from subgraphs(child)


def all_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Yield the nodes of a graph and of the graphs inside them."""
    for node in graph.node:
        yield node
        for inner in subgraphs(node):
            yield from inner.node


class FreeNames:
    """Gives names that no tensor and no node of a model has, the graphs inside its nodes included.

    Args:
        model: The model.
    """

    def __init__(self, model: ModelProto) -> None:
        graph = model.graph
        self._taken = {each.name for each in (*graph.input, *graph.output, *graph.initializer)}
        self._taken |= {each.values.name for each in graph.sparse_initializer}
        for node in all_nodes(graph):
            self._taken |= {node.name, *node.input, *node.output}
        for node in graph.node:
            for inner in subgraphs(node):
                self._taken |= {each.name for each in (*inner.input, *inner.output, *inner.initializer)}

    def take(self, wanted: str) -> str:
        """Return a name that is free: the wanted one, or with a number behind it; from now on it is taken."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name
