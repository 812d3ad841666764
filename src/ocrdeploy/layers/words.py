"""What the networks of recognisers that decode step by step have in common."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ocrdeploy.errors import ShapeError

from .greedy import GreedyRule
from .recogniser_settings import ClassSettings
from .tracing import is_traced


def greedy_rule(classes: ClassSettings) -> GreedyRule:
    """Return how a decoder of these classes begins and ends."""
    return GreedyRule(classes.max_seq_len, classes.scored_classes, classes.start_idx, classes.end_idx)


def best_classes(probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best class of each step, int32, and its probability, both N×T, for probabilities N×T×classes.

    It is the class that was given to the next step: the first one where several are equally probable.
    """
    return probabilities.argmax(dim=2).to(torch.int32), probabilities.amax(dim=2)


def check_words(shape: Sequence[int], channels: int, height: int | None, largest: int | None = None) -> None:
    """Refuse images that a recogniser does not take; while a network is traced for export nothing is refused.

    Args:
        shape: The shape of the images.
        channels: Channels that it takes.
        height: Height that it takes; None where it takes several.
        largest: The largest height and width that it takes; None where there is no limit.

    Raises:
        ShapeError: It is not N×C×H×W with these channels and this height, or too large.
    """
    if is_traced():
        return
    fits = len(shape) == 4 and min(shape) > 0 and shape[1] == channels and height in (None, shape[2])
    if not fits or (largest is not None and max(shape[2:]) > largest):
        limit = "" if largest is None else f" of at most {largest} pixels in height and width"
        raise ShapeError(
            f"the recogniser takes images N x {channels} x {height or 'H'} x W{limit}, "
            f"got {' x '.join(map(str, shape)) or 'a scalar'}",
            "Resize the images as the test pipeline of its config does.",
        )
