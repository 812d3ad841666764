"""Where a network's NaN or infinity comes from: the first node that gives one."""

import numpy as np

from ocrdeploy.backends import Array
from ocrdeploy.predictor import Predictor

from .network_values import NetworkValue, in_groups, values_of


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
    for group in in_groups(network.list(batch), lambda value: value.size):
        computed = network.compute(batch, group)
        for value in group:
            if not np.isfinite(computed[value.key]).all():
                return value
    return None
