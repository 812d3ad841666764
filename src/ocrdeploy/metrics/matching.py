"""Pairing the truths and the predictions of one image that overlap enough."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MatchStrategy = Literal["vanilla", "max_matching"]
"""How MMOCR 1.x pairs: truth by truth the first that is free, or as many pairs as possible."""
Pairs = list[tuple[int, int]]
"""Indices of a truth and of a prediction."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Which predictions of one image are right.

    Attributes:
        pairs: The truths and predictions that match.
        counted: Shape (P,), bool: the predictions that count, because their score is high enough and they cover no text
            that is to be ignored.
    """

    pairs: Pairs
    counted: NDArray[np.bool_]


def first_come(near: NDArray[np.bool_]) -> Pairs:
    """Pair each truth with the first prediction that is free, given which overlap enough, shape (T, P)."""
    found: dict[int, int] = {}
    spent: set[int] = set()
    for truth, prediction in np.argwhere(near).tolist():
        if truth not in found and prediction not in spent:
            found[truth] = prediction
            spent.add(prediction)
    return list(found.items())


def most_pairs(near: NDArray[np.bool_]) -> Pairs:
    """Return the largest number of pairs that no truth and no prediction is in twice, by augmenting paths."""
    candidates = [np.flatnonzero(row).tolist() for row in near]
    owner: dict[int, int] = {}

    def place(truth: int, seen: set[int]) -> bool:
        for prediction in candidates[truth]:
            if prediction not in seen:
                seen.add(prediction)
                if prediction not in owner or place(owner[prediction], seen):
                    owner[prediction] = truth
                    return True
        return False

    for truth in range(len(near)):
        place(truth, set())
    return sorted((truth, prediction) for prediction, truth in owner.items())
