"""What CTC's greedy decoding reads of logits, as part of a network."""

import torch
from torch import Tensor


def best_classes(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best class of each step and its probability.

    The argmax is that of the logits: rounding makes probabilities equal that are not, and decoding reads logits.

    Args:
        logits: Float, N×T×classes.

    Returns:
        Classes N×T, int32, the first where several are largest; probabilities N×T, float, 0 to 1.
    """
    return logits.argmax(dim=2).to(torch.int32), logits.softmax(dim=2).amax(dim=2)
