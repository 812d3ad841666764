"""Where a network's NaN or infinity comes from: the first node that gives one."""

from collections.abc import Sequence

import numpy as np

from ocrdeploy.backends import Array
from ocrdeploy.predictor import Predictor

from .bisecting import MAX_GROUP_VALUES
from .network_values import NetworkValue, values_of


def first_non_finite(predictor: Predictor, batch: Array) -> NetworkValue | None:
    """Return the first value of a network, in the order of computing, that is not finite for a batch.

    Args:
        predictor: PyTorch or an ONNX model.
        batch: The input, N×C×H×W float32.

    Returns:
        The value; None where all are finite, as where two nodes that a runtime fuses overflow together.

    Raises:
        UsageError: The runtime does not show its nodes.
    """
    network = values_of(predictor)
    for group in _groups(network.list(batch)):
        computed = network.compute(batch, group)
        for value in group:
            if not np.isfinite(computed[value.key]).all():
                return value
    return None


def _groups(values: Sequence[NetworkValue]) -> list[list[NetworkValue]]:
    """Return the values in groups of bounded size, in order."""
    groups: list[list[NetworkValue]] = []
    total = MAX_GROUP_VALUES
    for value in values:
        if total + value.size > MAX_GROUP_VALUES:
            groups.append([])
            total = 0
        groups[-1].append(value)
        total += value.size
    return groups
