"""How far two lists of text instances, or two texts, are apart, and whether they count as the same."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from ocrdeploy.metrics.polygons import intersection_over_union, measure
from ocrdeploy.results import Detection, Recognition

PAIR_IOU = 0.5
"""Least overlap of two polygons that stand for the same text, as in the metric of detection."""
SAME_IOU = 0.95
"""Least overlap of a pair that is the same result.

One pixel that a difference of 1e-7 lifts over the threshold moves the outline of a small instance by a few percent.
"""
SCORE_TOLERANCE = 1e-3
"""Largest difference between the scores of the same instance or character: ten times what float32 networks show."""


@dataclass(frozen=True, slots=True)
class DetectionMatch:
    """Which instances of one image are the same.

    Attributes:
        pairs: Indices in both lists of instances that both sides found: they overlap by at least `PAIR_IOU`.
        moved: Those of them that overlap by less than `SAME_IOU`.
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


def match_detections(reference: Sequence[Detection], candidate: Sequence[Detection]) -> DetectionMatch:
    """Match the instances of one image, each with at most one other, best overlap first."""
    overlaps = intersection_over_union(
        measure([item.polygon for item in reference]), measure([item.polygon for item in candidate])
    )
    _join_equal_slivers(overlaps, reference, candidate)
    pairs = match_pairs(overlaps, PAIR_IOU)
    rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
    return DetectionMatch(
        pairs=tuple(pairs),
        moved=tuple(pair for pair in pairs if overlaps[pair] < SAME_IOU),
        missing=tuple(index for index in range(len(reference)) if index not in rows),
        extra=tuple(index for index in range(len(candidate)) if index not in columns),
        worst_iou=min((float(overlaps[pair]) for pair in pairs), default=1.0),
        worst_score_diff=max(
            (abs(reference[row].score - candidate[column].score) for row, column in pairs), default=0.0
        ),
    )


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
        score_tolerance: Largest difference of scores that passes.
        images: How many images were compared.
        matched: Instances that both found: their polygons overlap by at least `PAIR_IOU`.
        moved: Those of them whose polygons overlap by less than `SAME_IOU`.
        missing: Instances that only the reference found.
        extra: Instances that only the candidate found.
        worst_iou: Least overlap of a matched pair; 1 where there is none.
        worst_score_diff: Largest difference of a matched pair's scores.
    """

    score_tolerance: float = SCORE_TOLERANCE
    images: int = 0
    matched: int = 0
    moved: int = 0
    missing: int = 0
    extra: int = 0
    worst_iou: float = 1.0
    worst_score_diff: float = 0.0

    def add(self, reference: Sequence[Detection], candidate: Sequence[Detection]) -> None:
        """Match the instances of one image."""
        match = match_detections(reference, candidate)
        self.images += 1
        self.matched += len(match.pairs)
        self.moved += len(match.moved)
        self.missing += len(match.missing)
        self.extra += len(match.extra)
        self.worst_iou = min(self.worst_iou, match.worst_iou)
        self.worst_score_diff = max(self.worst_score_diff, match.worst_score_diff)

    @property
    def passed(self) -> bool:
        """Whether both found the same instances in the same places with the same scores."""
        return self.moved == self.missing == self.extra == 0 and self.worst_score_diff <= self.score_tolerance


@dataclass(slots=True)
class RecognitionDifference:
    """The difference of two recognisers' results over several images.

    Attributes:
        score_tolerance: Largest difference of scores that passes.
        images: How many images were compared.
        texts_equal: How many of them have the same text on both sides.
        edit_distance: Characters to insert, delete or replace, in all, to make the other texts equal.
        worst_score_diff: Largest difference of a character's scores where the texts are equal.
    """

    score_tolerance: float = SCORE_TOLERANCE
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
            self.worst_score_diff = max(self.worst_score_diff, abs(first - second))

    @property
    def passed(self) -> bool:
        """Whether all texts are equal, with the same scores."""
        return self.texts_equal == self.images and self.worst_score_diff <= self.score_tolerance


ResultsDifference = DetectionDifference | RecognitionDifference


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
