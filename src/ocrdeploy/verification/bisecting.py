"""Where two networks part: the first node whose output differs, and what lies between it and the last that agrees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocrdeploy.backends import Array
from ocrdeploy.batches import make_batch
from ocrdeploy.errors import UsageError
from ocrdeploy.graphs.values import GraphNode
from ocrdeploy.predictor import Predictor
from ocrdeploy.steps import Preprocessed

from .comparison import Side
from .network_values import NetworkValue, OnnxValues, has_loop, in_groups, values_of
from .tensor_difference import TensorDifference, WorstValue, absolute_difference, largest_magnitude
from .tolerances import Tolerance
from .value_matching import ValuePair, match_values


@dataclass(frozen=True, slots=True)
class SuspectNode:
    """A node between the values that agree and the first that does not."""

    name: str
    operator: str


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where two networks part.

    Attributes:
        module: Path of the PyTorch module that the node belongs to, as in the checkpoint's keys; empty where unknown.
        folded: Path of the module behind which was compared, because it is folded into the node; empty where none is.
        node: Name of the node to blame: of several suspects the only one with weights, or else the last.
        operator: The node's operator.
        suspects: All nodes between values that agree and the first that differs, which is the last one's output.
        shapes: Shape of that value on both sides, the reference's first.
        max_abs: Largest difference there; infinite where the shapes differ.
        allowed: The largest that is within tolerance there.
        largest: The reference's largest magnitude there.
        worst: Where in the value, and both sides' numbers; None where the shapes differ.
        inputs_max_abs: Largest difference of the values that the suspects read, all of which agree.
    """

    module: str
    folded: str
    node: str
    operator: str
    suspects: tuple[SuspectNode, ...]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    max_abs: float
    allowed: float
    largest: float
    worst: WorstValue | None
    inputs_max_abs: float


@dataclass(frozen=True, slots=True)
class Bisection:
    """What was found.

    Attributes:
        divergence: Where the networks part; None where all values that both have agree.
        compared: How many values were compared, in the order of computing.
        shared: How many both have.
        input_shape: The shape of the images.
    """

    divergence: Divergence | None
    compared: int
    shared: int
    input_shape: tuple[int, ...]


def check_bisectable(reference: Side, candidate: Side) -> tuple[Predictor, Predictor]:
    """Return two sides whose nodes can be looked at.

    Raises:
        UsageError: A side is neither PyTorch nor an ONNX model in ONNX Runtime, or the graph decodes in a loop, whose
            nodes PyTorch has no counterpart of.
    """
    sides = []
    for side in (reference, candidate):
        if not isinstance(side, Predictor) or side.backend.name not in ("torch", "onnxruntime"):
            raise UsageError(
                f"--bisect looks at the nodes of PyTorch networks and ONNX models, and {side.backend.name} shows none",
                "Bisect the ONNX model that an engine was built from; compare with --reference torch.",
            )
        sides.append(side)
    graphs = [side for side in sides if side.backend.name == "onnxruntime"]
    if len(graphs) == 1 and has_loop(Path(graphs[0].name)):
        raise UsageError(
            f"{graphs[0].name} decodes in a loop, whose nodes cannot be compared with those of PyTorch",
            "Bisect two ONNX models; --html shows where results part.",
        )
    return sides[0], sides[1]


def bisect(
    reference: Predictor,
    candidate: Predictor,
    prepared: Sequence[Preprocessed],
    tolerance: Tolerance,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Bisection:
    """Find the first node where two networks part beyond tolerance.

    All values are compared in the order of computing, so the first that differs is found also where later ones agree
    again. How values are matched, `match_values` tells. Runtimes fuse nodes, but not those whose values are looked at;
    where a whole model differs and none of its values do, a fusion is to blame.

    Args:
        reference: PyTorch or an ONNX model.
        candidate: Likewise.
        prepared: The images of the batch that both are given.
        tolerance: How far each value may be apart, relative to its own largest magnitude.
        on_progress: Called with how many values are compared, and how many there are.

    Raises:
        UsageError: A side is neither, or the two have no node in common.
    """
    sides = values_of(reference), values_of(candidate)
    batches = [make_batch(prepared, each.spec, len(prepared)) for each in (reference, candidate)]
    shape = batches[0][reference.spec.input.name].shape
    pairs = match_values(*(side.list(batch) for side, batch in zip(sides, batches, strict=True)))
    if not pairs:
        raise UsageError(
            "the two networks have no node in common by name, so they cannot be compared node by node",
            "Export both with ocrdeploy export, or with PyTorch's TorchScript exporter.",
        )
    on_progress(0, len(pairs))
    seen: dict[str, float] = {}
    for group in in_groups(pairs, lambda pair: max(pair.reference.size, pair.candidate.size)):
        expected = sides[0].compute(batches[0], [pair.reference for pair in group])
        actual = sides[1].compute(batches[1], [pair.candidate for pair in group])
        for pair in group:
            arrays = expected[pair.reference.key], actual[pair.candidate.key]
            seen[pair.candidate.key] = _largest_difference(*arrays)
            if seen[pair.candidate.key] > tolerance.allowed(largest_magnitude(arrays[0])):
                difference = TensorDifference(pair.candidate.key, tolerance)
                difference.add(*arrays, nan_equals_nan=True)
                shapes = arrays[0].shape, arrays[1].shape
                suspects, inputs = _suspects(pair, pairs, [side for side in sides if isinstance(side, OnnxValues)])
                before = max((seen[key] for key in inputs if key in seen), default=0.0)
                divergence = _divergence(pair, suspects, difference, shapes, seen[pair.candidate.key], before)
                return Bisection(divergence, len(seen), len(pairs), shape)
        on_progress(len(seen), len(pairs))
    return Bisection(None, len(seen), len(pairs), shape)


def _largest_difference(reference: Array, candidate: Array) -> float:
    """Return the largest absolute difference of two arrays; infinite where the shapes or what is not finite differ.

    The same infinity, and NaN, on both sides are none: masks of attention hold them.
    """
    if reference.shape != candidate.shape:
        return np.inf
    return float(absolute_difference(reference, candidate, nan_equals_nan=True).max(initial=0))


def _suspects(
    pair: ValuePair, pairs: Sequence[ValuePair], graphs: Sequence[OnnxValues]
) -> tuple[list[GraphNode], set[str]]:
    """Return the nodes that lead to a value from values that were compared, in order.

    Of two graphs the candidate's counts, which is the last. Also returned are the candidate's keys of those values.
    """
    value: NetworkValue = pair.candidate if isinstance(pair.candidate.source, GraphNode) else pair.reference
    if not isinstance(value.source, GraphNode):
        return [], set()
    nodes = graphs[-1].graph.nodes
    producers = {node.output: node for node in nodes}
    compared = {
        (each.candidate if value is pair.candidate else each.reference).key: each.candidate.key for each in pairs
    }
    found: dict[str, GraphNode] = {}
    inputs: set[str] = set()
    waiting = [value.source]
    while waiting:
        current = waiting.pop()
        if current.name in found:
            continue
        found[current.name] = current
        for name in current.inputs:
            if name in compared:
                inputs.add(compared[name])
            elif name in producers and producers[name].operator != "Constant":
                waiting.append(producers[name])
    return [node for node in nodes if node.name in found], inputs


def _divergence(
    pair: ValuePair,
    suspects: Sequence[GraphNode],
    difference: TensorDifference,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    max_abs: float,
    inputs_max_abs: float,
) -> Divergence:
    """Return what is known of a value that differs, once all before it agree."""
    with_weights = [node for node in suspects if node.has_weights]
    blamed = with_weights[0] if len(with_weights) == 1 else next(reversed(suspects), None)
    return Divergence(
        module=pair.module,
        folded=pair.folded,
        node=blamed.name if blamed else pair.candidate.node,
        operator=blamed.operator if blamed else pair.candidate.operator,
        suspects=tuple(SuspectNode(node.name, node.operator) for node in suspects),
        shapes=shapes,
        max_abs=max_abs,
        allowed=difference.allowed,
        largest=difference.largest,
        worst=difference.worst,
        inputs_max_abs=inputs_max_abs,
    )
