"""Which values of two networks are the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocrdeploy.graphs.values import GraphNode, last_nodes_of_scopes

from .network_values import NetworkValue

if TYPE_CHECKING:
    from ocrdeploy.layers.activations import Activation


@dataclass(frozen=True, slots=True)
class ValuePair:
    """A value of both networks.

    Attributes:
        reference: The reference's.
        candidate: The candidate's.
        module: Path of the module that computes it; empty where unknown.
        folded: Path of the last module that is folded into it, such as a batch normalisation; empty where none is.
    """

    reference: NetworkValue
    candidate: NetworkValue
    module: str
    folded: str = ""


def match_values(reference: Sequence[NetworkValue], candidate: Sequence[NetworkValue]) -> list[ValuePair]:
    """Return the values that two networks have in common, in the order of computing.

    Two graphs, or two PyTorch networks, have them by their names; where the names of two graphs have nothing in
    common, the first Conv is taken for the first Conv, and so on. Between a graph and a PyTorch network a layer is
    matched with the last node of its scope, a normalisation without nodes of its own with the convolution that it is
    folded into, and a function with the node of the same operator, in the same scope, that reads the same values.
    """
    graphs = [bool(values) and isinstance(values[0].source, GraphNode) for values in (reference, candidate)]
    match graphs:
        case [True, True]:
            return _match_named(reference, candidate) or _match_in_order(reference, candidate)
        case [False, True]:
            return [
                ValuePair(match.value, node, match.module, match.folded)
                for node, match in _Matcher(candidate).match(reference)
            ]
        case [True, False]:
            return [
                ValuePair(node, match.value, match.module, match.folded)
                for node, match in _Matcher(reference).match(candidate)
            ]
    return _match_named(reference, candidate)


def _match_named(reference: Sequence[NetworkValue], candidate: Sequence[NetworkValue]) -> list[ValuePair]:
    """Match nodes of one name."""
    named = {value.node: value for value in reference}
    return [ValuePair(named[value.node], value, value.module) for value in candidate if value.node in named]


def _match_in_order(reference: Sequence[NetworkValue], candidate: Sequence[NetworkValue]) -> list[ValuePair]:
    """Match the first node of each operator with the first, the second with the second."""
    if sorted(value.operator for value in reference) != sorted(value.operator for value in candidate):
        return []
    waiting: dict[str, list[NetworkValue]] = {}
    for value in reference:
        waiting.setdefault(value.operator, []).append(value)
    pairs = [(waiting[value.operator].pop(0), value) for value in candidate]
    return [ValuePair(first, second, first.module or second.module) for first, second in pairs]


@dataclass(frozen=True, slots=True)
class _Match:
    """What PyTorch has for a node: the value, the module that computes it, and the last one folded into it."""

    value: NetworkValue
    module: str
    folded: str = ""


@dataclass(slots=True, eq=False)
class _Matcher:
    """Finds the node of each value of a PyTorch network."""

    graph: Sequence[NetworkValue]
    _ends: dict[str, GraphNode] = field(init=False)
    _by_key: dict[str, NetworkValue] = field(init=False)
    _by_node: dict[str, NetworkValue] = field(init=False)
    _found: dict[str, _Match] = field(default_factory=dict)
    # The output of the node of each PyTorch value.
    _places: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the graph."""
        self._by_key = {value.key: value for value in self.graph}
        self._by_node = {value.node: value for value in self.graph}
        self._ends = last_nodes_of_scopes([_node(value) for value in self.graph])

    def match(self, values: Iterable[NetworkValue]) -> list[tuple[NetworkValue, _Match]]:
        """Return the nodes that have a PyTorch value, in the graph's order."""
        for value in values:
            activation = _activation(value)
            if activation.is_layer:
                self._match_layer(value, activation)
            else:
                self._match_function(value, activation)
        return [(node, self._found[node.key]) for node in self.graph if node.key in self._found]

    def _match_layer(self, value: NetworkValue, activation: "Activation") -> None:
        """Match a layer with the end of its scope, or with what it is folded into."""
        end = self._ends.get(activation.name)
        if end is not None:
            self._found[end.output] = _Match(value, activation.module)
            self._places[value.key] = end.output
        elif len(activation.inputs) == 1:
            place = self._places.get(next(iter(activation.inputs)), "")
            if place:
                self._found[place] = _Match(value, self._found[place].module, activation.module)
                self._places[value.key] = place

    def _match_function(self, value: NetworkValue, activation: "Activation") -> None:
        """Match a function with a node that does the same to the same values."""
        scope = activation.name.rpartition("/")[0]
        inputs = {self._places.get(name, name) for name in activation.inputs}
        nodes = [
            node
            for node in self.graph
            if _node(node).scope == scope
            and node.operator == value.operator
            and self._by_key.keys() & set(_node(node).inputs) == inputs
        ]
        # The exporter merges equal nodes; equal nodes with other sizes are other nodes.
        same_size = [node for node in nodes if node.size == value.size]
        free = [node for node in same_size if node.key not in self._found]
        by_name = [self._by_node[value.node]] if value.node in self._by_node else []
        best = next(iter(free or same_size or nodes or by_name), None)
        if best is not None:
            self._found.setdefault(best.key, _Match(value, activation.module))
            self._places[value.key] = best.key


def _node(value: NetworkValue) -> GraphNode:
    """Return the node of a graph's value."""
    if not isinstance(value.source, GraphNode):
        raise TypeError("a value of a graph was expected")
    return value.source


def _activation(value: NetworkValue) -> "Activation":
    """Return what PyTorch tells of a value."""
    if isinstance(value.source, GraphNode):
        raise TypeError("a value of a PyTorch network was expected")
    return value.source
