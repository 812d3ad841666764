"""Names for new tensors of an ONNX graph."""

from collections.abc import Iterator

from onnx import AttributeProto, GraphProto, ModelProto


class FreeNames:
    """Gives names that no tensor of a model has, the graphs inside its nodes included.

    Args:
        model: The model.
    """

    def __init__(self, model: ModelProto) -> None:
        self._taken = set(_names(model.graph))

    def take(self, wanted: str) -> str:
        """Return a name that is free: the wanted one, or with a number behind it; from now on it is taken."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name


def _names(graph: GraphProto) -> Iterator[str]:
    """Yield the names of all tensors and nodes."""
    yield from (each.name for each in (*graph.input, *graph.output, *graph.initializer))
    yield from (each.values.name for each in graph.sparse_initializer)
    for node in graph.node:
        yield from (node.name, *node.input, *node.output)
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _names(attribute.g)
            for inner in attribute.graphs:
                yield from _names(inner)
