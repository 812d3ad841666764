"""How far two lists of text instances, or two texts, are apart, and whether they count as the same."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from ocrdeploy.metrics.polygons import intersection_over_union, measure
from ocrdeploy.results import Detection, Recognition

from .tolerances import SAME_IOU, ResultTolerance

PAIR_IOU = 0.5
"""Least overlap of two polygons that stand for the same text, as in the metric of detection."""


@dataclass(frozen=True, slots=True)
class DetectionMatch:
    """Which instances of one image are the same.

    Attributes:
        pairs: Indices in both lists of instances that both sides found: they overlap by at least `PAIR_IOU`.
        moved: Those of them that overlap by less than is needed.
        missing: Indices of the reference's instances that the candidate did not find.
        extra: Indices of the candidate's instances that the reference did not find.
        worst_iou: Least overlap of a pair; 1 where there is none.
        worst_score_diff: Largest difference of a pair's scores.
    """

    pairs: tuple[tuple[int, int], ...]
    moved: tuple[tuple[int, int], ...]
    missing: tuple[int, ...]
    extra: tuple[int, ...]
    worst_iou: float
    worst_score_diff: float


def match_detections(
    reference: Sequence[Detection], candidate: Sequence[Detection], least_overlap: float = SAME_IOU
) -> DetectionMatch:
    """Match the instances of one image, each with at most one other, best overlap first.

    Args:
        reference: The reference's instances.
        candidate: The candidate's.
        least_overlap: Pairs that overlap less have moved.
    """
    overlaps = intersection_over_union(
        measure([item.polygon for item in reference]), measure([item.polygon for item in candidate])
    )
    _join_equal_slivers(overlaps, reference, candidate)
    pairs = match_pairs(overlaps, PAIR_IOU)
    rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
    return DetectionMatch(
        pairs=tuple(pairs),
        moved=tuple(pair for pair in pairs if overlaps[pair] < least_overlap),
        missing=tuple(index for index in range(len(reference)) if index not in rows),
        extra=tuple(index for index in range(len(candidate)) if index not in columns),
        worst_iou=min((float(overlaps[pair]) for pair in pairs), default=1.0),
        worst_score_diff=max(
            (_apart(reference[row].score, candidate[column].score) for row, column in pairs), default=0.0
        ),
    )


def _apart(first: float, second: float) -> float:
    """Return how far two scores are apart; NaN is infinitely far from whatever it is compared with."""
    difference = abs(first - second)
    return math.inf if math.isnan(difference) else difference


def _join_equal_slivers(
    overlaps: NDArray[np.float64], reference: Sequence[Detection], candidate: Sequence[Detection]
) -> None:
    """Set the overlap of equal polygons without an area to 1: they cover each other, and measure 0."""
    for row, first in enumerate(reference):
        if overlaps[row].max(initial=0) < SAME_IOU:
            for column, second in enumerate(candidate):
                if np.array_equal(first.polygon, second.polygon):
                    overlaps[row, column] = 1


@dataclass(slots=True)
class DetectionDifference:
    """The difference of two detectors' results over several images.

    Attributes:
        tolerance: What is allowed.
        images: How many images were compared.
        matched: Instances that both found: their polygons overlap by at least `PAIR_IOU`.
        moved: Those of them whose polygons overlap by less than is needed.
        missing: Instances that only the reference found.
        extra: Instances that only the candidate found.
        worst_iou: Least overlap of a matched pair; 1 where there is none.
        worst_score_diff: Largest difference of a matched pair's scores.
    """

    tolerance: ResultTolerance = field(default_factory=ResultTolerance)
    images: int = 0
    matched: int = 0
    moved: int = 0
    missing: int = 0
    extra: int = 0
    worst_iou: float = 1.0
    worst_score_diff: float = 0.0

    def add(self, reference: Sequence[Detection], candidate: Sequence[Detection]) -> None:
        """Match the instances of one image."""
        match = match_detections(reference, candidate, self.tolerance.overlap or PAIR_IOU)
        self.images += 1
        self.matched += len(match.pairs)
        self.moved += len(match.moved)
        self.missing += len(match.missing)
        self.extra += len(match.extra)
        self.worst_iou = min(self.worst_iou, match.worst_iou)
        self.worst_score_diff = max(self.worst_score_diff, match.worst_score_diff)

    @property
    def compared(self) -> int:
        """How many instances one of both found, or both."""
        return self.matched + self.missing + self.extra

    @property
    def differing(self) -> int:
        """How many of them only one of both found."""
        return self.missing + self.extra

    @property
    def passed(self) -> bool:
        """Whether both found the same instances in the same places with the same scores, as far as that is asked."""
        same = self.differing <= self.tolerance.differing * self.compared
        return same and not self.moved and _scores_agree(self.worst_score_diff, self.tolerance)


@dataclass(slots=True)
class RecognitionDifference:
    """The difference of two recognisers' results over several images.

    Attributes:
        tolerance: What is allowed.
        images: How many images were compared.
        texts_equal: How many of them have the same text on both sides.
        edit_distance: Characters to insert, delete or replace, in all, to make the other texts equal.
        worst_score_diff: Largest difference of a character's scores where the texts are equal.
    """

    tolerance: ResultTolerance = field(default_factory=ResultTolerance)
    images: int = 0
    texts_equal: int = 0
    edit_distance: int = 0
    worst_score_diff: float = 0.0

    def add(self, reference: Recognition, candidate: Recognition) -> None:
        """Compare the text of one image."""
        self.images += 1
        if reference.text != candidate.text:
            self.edit_distance += Levenshtein.distance(reference.text, candidate.text)
            return
        self.texts_equal += 1
        for first, second in zip(reference.char_scores, candidate.char_scores, strict=True):
            self.worst_score_diff = max(self.worst_score_diff, _apart(first, second))

    @property
    def compared(self) -> int:
        """How many texts were compared."""
        return self.images

    @property
    def differing(self) -> int:
        """How many of them differ."""
        return self.images - self.texts_equal

    @property
    def passed(self) -> bool:
        """Whether all texts are equal, with the same scores, as far as that is asked."""
        same = self.differing <= self.tolerance.differing * self.compared
        return same and _scores_agree(self.worst_score_diff, self.tolerance)


ResultsDifference = DetectionDifference | RecognitionDifference


def _scores_agree(worst: float, tolerance: ResultTolerance) -> bool:
    """Tell whether scores are near enough, where that is asked."""
    return tolerance.score is None or worst <= tolerance.score


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
