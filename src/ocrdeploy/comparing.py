"""How far two arrays, or two lists of results, are apart, and whether that is within tolerance."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.metrics.polygons import intersection_over_union, measure
from ocrdeploy.results import Detection, Recognition

MATCH_IOU = 0.95
"""Least overlap of two polygons that are the same instance.

One pixel that a difference of 1e-7 lifts over the threshold moves the outline of a small instance by a few percent.
"""
SCORE_TOLERANCE = 1e-3
"""Largest difference between the scores of the same instance or character: ten times what float32 networks show."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an output may be from the reference: `atol + rtol * largest`, its largest magnitude."""

    atol: float = 1e-4
    rtol: float = 1e-4


@dataclass(slots=True)
class TensorDifference:
    """The difference of one output over several inputs.

    Attributes:
        name: The output's name.
        tolerance: What is allowed.
        shapes: The output's shape for each input.
        max_abs: Largest absolute difference.
        p99_abs: 99th percentile of the absolute difference, of the input where it is largest.
        largest: The reference's largest magnitude.
    """

    name: str
    tolerance: Tolerance
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    max_abs: float = 0.0
    p99_abs: float = 0.0
    largest: float = 0.0
    same_shapes: bool = True
    _total: float = 0.0
    _count: int = 0

    def add(self, reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> None:
        """Take one more input's output of both sides into account."""
        self.shapes.append(reference.shape)
        self.largest = max(self.largest, float(np.abs(reference).max(initial=0)))
        if reference.shape != candidate.shape:
            self.same_shapes = False
            return
        difference = np.abs(reference - candidate)
        self.max_abs = max(self.max_abs, float(difference.max(initial=0)))
        self.p99_abs = max(self.p99_abs, float(np.percentile(difference, 99)) if difference.size else 0.0)
        self._total += float(difference.sum(dtype=np.float64))
        self._count += difference.size

    @property
    def mean_abs(self) -> float:
        """Mean absolute difference over all inputs."""
        return self._total / self._count if self._count else 0.0

    @property
    def passed(self) -> bool:
        """Whether shapes agree and the largest difference is within tolerance."""
        return self.same_shapes and self.max_abs <= self.tolerance.atol + self.tolerance.rtol * self.largest


@dataclass(slots=True)
class DetectionDifference:
    """The difference of two detectors' results over several images.

    Attributes:
        images: How many images were compared.
        matched: Instances that both found: their polygons overlap by at least `MATCH_IOU`.
        missing: Instances that only the reference found.
        extra: Instances that only the candidate found.
        worst_iou: Least overlap of a matched pair; 1 where there is none.
        worst_score_diff: Largest difference of a matched pair's scores.
    """

    images: int = 0
    matched: int = 0
    missing: int = 0
    extra: int = 0
    worst_iou: float = 1.0
    worst_score_diff: float = 0.0

    def add(self, reference: Sequence[Detection], candidate: Sequence[Detection]) -> None:
        """Match the instances of one image, each with at most one other, best overlap first."""
        overlaps = intersection_over_union(
            measure([item.polygon for item in reference]), measure([item.polygon for item in candidate])
        )
        pairs = match_pairs(overlaps, MATCH_IOU)
        self.images += 1
        self.matched += len(pairs)
        self.missing += len(reference) - len(pairs)
        self.extra += len(candidate) - len(pairs)
        for row, column in pairs:
            self.worst_iou = min(self.worst_iou, float(overlaps[row, column]))
            difference = abs(reference[row].score - candidate[column].score)
            self.worst_score_diff = max(self.worst_score_diff, difference)

    @property
    def passed(self) -> bool:
        """Whether both found the same instances with the same scores."""
        return self.missing == self.extra == 0 and self.worst_score_diff <= SCORE_TOLERANCE


@dataclass(slots=True)
class RecognitionDifference:
    """The difference of two recognisers' results over several images.

    Attributes:
        images: How many images were compared.
        texts_equal: How many of them have the same text on both sides.
        worst_score_diff: Largest difference of a character's scores where the texts are equal.
    """

    images: int = 0
    texts_equal: int = 0
    worst_score_diff: float = 0.0

    def add(self, reference: Recognition, candidate: Recognition) -> None:
        """Compare the text of one image."""
        self.images += 1
        if reference.text != candidate.text:
            return
        self.texts_equal += 1
        for first, second in zip(reference.char_scores, candidate.char_scores, strict=True):
            self.worst_score_diff = max(self.worst_score_diff, abs(first - second))

    @property
    def passed(self) -> bool:
        """Whether all texts are equal, with the same scores."""
        return self.texts_equal == self.images and self.worst_score_diff <= SCORE_TOLERANCE


def match_pairs(overlaps: NDArray[np.float64], least: float) -> list[tuple[int, int]]:
    """Pair rows with columns one to one, largest overlap first, as long as it is at least `least`."""
    pairs: list[tuple[int, int]] = []
    rows_left, columns_left = (set(range(length)) for length in overlaps.shape)
    candidates = np.argwhere(overlaps >= least)
    order = np.argsort(-overlaps[candidates[:, 0], candidates[:, 1]], kind="stable")
    for row, column in candidates[order].tolist():
        if row in rows_left and column in columns_left:
            rows_left.remove(row)
            columns_left.remove(column)
            pairs.append((row, column))
    return pairs
