"""Where a network's NaN or infinity comes from: the node that makes it of finite values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ocrdeploy.backends import Batch
from ocrdeploy.predictor import Predictor

from .network_values import NetworkValue, in_groups, values_of


@dataclass(frozen=True, slots=True)
class _Holds:
    """Whether a value holds NaN, and whether it holds infinity."""

    nan: bool
    infinity: bool


def first_non_finite(predictor: Predictor, batch: Batch) -> NetworkValue | None:
    """Return the value of a network from which what is not finite in its output for a batch comes.

    From an output that is not finite the way is followed back through values that hold NaN, or else infinity, to the
    first node of that way. An infinity that is not on that way, and one that the graph holds as a constant, such as the
    -inf of a mask, is meant to be there.

    Args:
        predictor: PyTorch or an ONNX model.
        batch: What it is given.

    Returns:
        The value; None where all outputs are finite, as where two nodes that a runtime fuses overflow together.

    Raises:
        UsageError: The runtime does not show its nodes.
    """
    network = values_of(predictor)
    values = network.list(batch)
    holds: dict[str, _Holds] = {}
    for group in in_groups(values, lambda value: value.size):
        computed = network.compute(batch, group)
        for value in group:
            array = computed[value.key]
            holds[value.key] = _Holds(bool(np.isnan(array).any()), bool(np.isinf(array).any()))
    read = {name for value in values for name in value.source.inputs}
    for value in values:
        found = holds[value.key]
        if value.key not in read and (found.nan or found.infinity):
            return _origin(value, values, holds)
    return None


def _origin(end: NetworkValue, values: Sequence[NetworkValue], holds: Mapping[str, _Holds]) -> NetworkValue:
    """Follow NaN, or else infinity, back from an output to the value that is the first to hold it."""
    by_key = {value.key: value for value in values}

    def inputs(value: NetworkValue) -> list[NetworkValue]:
        return [by_key[name] for name in sorted(value.source.inputs) if name in by_key]

    current = end
    while before := [each for each in inputs(current) if holds[each.key].nan]:
        current = before[0]
    maker = current
    while before := [each for each in inputs(current) if holds[each.key].infinity]:
        current = before[0]
    # NaN that comes of the infinity of a mask, as in a softmax of nothing else, is the fault of the node that made it.
    return maker if current.is_mask else current
