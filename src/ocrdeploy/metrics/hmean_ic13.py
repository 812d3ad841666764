"""The metric hmean-ic13: MMOCR's form of ICDAR 2013's protocol, which also rewards split and merged text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.results import Detection

from .hmean import HmeanTally, ScoreSelection, ScoreSweep, as_result, select
from .polygons import intersection_areas, lies_in_ignored, measure, share
from .truth import DetectionTruth

RECALL_THR = 0.8
PRECISION_THR = 0.4
CENTER_DISTANCE_THR = 1.0
ONE_TO_ONE_REWARD = 1.0
ONE_TO_MANY_REWARD = 0.8
MANY_TO_ONE_REWARD = 1.0


@dataclass(frozen=True, slots=True)
class Ic13Counts:
    """What was found in one image.

    Attributes:
        recall_hits: Sum of the rewards of truths that were found.
        precision_hits: Sum of the rewards of predictions that found something.
        n_truth: Number of truths that are not ignored.
        n_predictions: Number of predictions that are not ignored.
    """

    recall_hits: float
    precision_hits: float
    n_truth: int
    n_predictions: int


class HmeanIc13:
    """Recall, precision and harmonic mean of text detection over a data set, by MMOCR's form of ICDAR 2013's protocol.

    One truth and one prediction match if more than 0.8 of the truth and more than 0.4 of the prediction lie in the
    other, if that holds for no other pair of either, and if their centres are near. What is then left is matched one
    truth with several predictions (reward 0.8), then several truths with one prediction (reward 1). A prediction
    that lies by more than 0.4 of its area in one ignored truth does not count.

    The rule is MMOCR's and differs from ICDAR's official script, so the two give other numbers for the same results.
    The script compares shares of areas with "at least" where one truth is matched with one prediction, not with "more
    than", and a truth that a single prediction covers as a split of one part counts 1 there and 0.8 here.

    MMOCR stops when a polygon of other than four corners matches, because it measures how far centres are apart by
    a box's diagonal, from its first to its third corner. Here the size of such a polygon is the largest distance
    between two of its corners, which for a rectangle is the same.

    Source: `eval_hmean` and `eval_hmean_ic13` in `mmocr.core.evaluation`, MMOCR v0.6.3; Wolf and Jolion, "Object
    count/area graphs for the evaluation of object detection and segmentation algorithms", 2006.

    Args:
        selection: Which predictions are judged; by default MMOCR's sweep from 0.3 to 0.9 by 0.1.
    """

    def __init__(self, selection: ScoreSelection = ScoreSweep()) -> None:  # noqa: B008  (it is immutable)
        self._selection = selection
        self._tally = HmeanTally(len(select(selection, np.empty(0))))

    def add(self, detections: Sequence[Detection], truth: DetectionTruth) -> None:
        """Add one image.

        Args:
            detections: What was found, in pixels of the original image, in the decoder's order.
            truth: What is there, in the same pixels.
        """
        kept = select(self._selection, np.array([detection.score for detection in detections], np.float64))
        used = np.flatnonzero(kept.any(axis=0))
        scene = _measure_scene([detections[index].polygon for index in used.tolist()], truth)
        self._tally.add(len(truth.polygons), [_count(scene, np.flatnonzero(row)) for row in kept[:, used]])

    def result(self) -> dict[str, float]:
        """Return `hmean-ic13:recall`, `hmean-ic13:precision` and `hmean-ic13:hmean`, 0 to 1."""
        return as_result("hmean-ic13", self._tally.best())


def count_ic13_matches(predictions: Sequence[NDArray[np.float64]], truth: DetectionTruth) -> Ic13Counts:
    """Match the predictions of one image with its truth by the protocol of ICDAR 2013.

    Source: `eval_hmean_ic13` in `mmocr.core.evaluation.hmean_ic13`, MMOCR v0.6.3.

    Args:
        predictions: Shape (K, 2) each, float64: corners as (x, y) in pixels. Their order matters.
        truth: What is there, in the same pixels.
    """
    scene = _measure_scene(predictions, truth)
    recall_hits, precision_hits, n_predictions = _count(scene, np.arange(len(predictions)))
    return Ic13Counts(recall_hits, precision_hits, len(truth.polygons), n_predictions)


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """One image, measured: truths (those that count, then the ignored ones) by predictions, or subsets of these.

    Attributes:
        recall: Shape (T, P): the share of the truth's area that lies in the prediction.
        precision: Shape (T, P): the share of the prediction's area that lies in the truth.
        distance: Shape (T, P): between the centres, 1 being half the sum of the sizes.
        n_truth: Number of truths that count.
        counts: Shape (P,), bool: the predictions that are not ignored.
    """

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    distance: NDArray[np.float64]
    n_truth: int
    counts: NDArray[np.bool_]


def _measure_scene(predictions: Sequence[NDArray[np.float64]], truth: DetectionTruth) -> _Scene:
    found, there = measure(predictions), measure(truth.polygons + truth.ignored)
    common = intersection_areas(there, found)
    ignored = lies_in_ignored(found, measure(truth.ignored), PRECISION_THR)
    return _Scene(
        recall=share(common, there.areas[:, None]),
        precision=share(common, found.areas),
        distance=_center_distances(truth.polygons + truth.ignored, predictions),
        n_truth=len(truth.polygons),
        counts=~ignored,
    )


def _center_distances(
    truths: Sequence[NDArray[np.float64]], predictions: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return shape (T, P): the distance of the mean corners over half the sum of the sizes, infinite for points."""
    rows = np.array([polygon.mean(axis=0) for polygon in truths]).reshape(-1, 1, 2)
    columns = np.array([polygon.mean(axis=0) for polygon in predictions]).reshape(1, -1, 2)
    sizes = np.array([_size(p) for p in truths])[:, None] + np.array([_size(p) for p in predictions])
    distances = np.sqrt(np.square(rows - columns).sum(axis=-1))
    relative: NDArray[np.float64] = np.divide(distances, sizes, out=np.full_like(distances, np.inf), where=sizes != 0)
    return relative * 2


def _size(polygon: NDArray[np.float64]) -> float:
    if len(polygon) == 4:
        return float(np.sqrt(np.square(polygon[2] - polygon[0]).sum()))
    return float(np.sqrt(np.square(polygon[:, None] - polygon[None]).sum(axis=-1)).max())


def _count(scene: _Scene, kept: NDArray[np.intp]) -> tuple[float, float, int]:
    """Return the rewards for recall and for precision, and the number of predictions that count, of those kept."""
    part = _Scene(
        scene.recall[:, kept], scene.precision[:, kept], scene.distance[:, kept], scene.n_truth, scene.counts[kept]
    )
    free_truths = np.arange(len(part.recall)) < part.n_truth
    free_predictions = part.counts.copy()
    rewards = _take_pairs(part, free_truths, free_predictions)
    rewards += _take_split(part, free_truths, free_predictions)
    rewards += _take_merged(part, free_truths, free_predictions)
    recall_hits = _total(np.array([reward[0] for reward in rewards]))
    precision_hits = _total(np.array([reward[1] for reward in rewards]))
    return recall_hits, precision_hits, int(np.count_nonzero(part.counts))


# Each of these three marks what it matches as taken, and returns a reward for recall and one for precision a match.


def _take_pairs(
    scene: _Scene, free_truths: NDArray[np.bool_], free_predictions: NDArray[np.bool_]
) -> list[tuple[float, float]]:
    """Match one truth with one prediction."""
    near = (scene.recall > RECALL_THR) & (scene.precision > PRECISION_THR)
    # MMOCR asks for the only pair of its row and column, and counts ignored truths and predictions among them.
    lonely = near & (near.sum(axis=1, keepdims=True) == 1) & (near.sum(axis=0) == 1)
    pairs = lonely & (scene.distance < CENTER_DISTANCE_THR) & free_truths[:, None] & free_predictions
    free_truths &= ~pairs.any(axis=1)
    free_predictions &= ~pairs.any(axis=0)
    return [(ONE_TO_ONE_REWARD, ONE_TO_ONE_REWARD)] * int(np.count_nonzero(pairs))


def _take_split(
    scene: _Scene, free_truths: NDArray[np.bool_], free_predictions: NDArray[np.bool_]
) -> list[tuple[float, float]]:
    """Match one truth with several predictions."""
    rewards = []
    for truth in np.flatnonzero(free_truths):
        parts = np.flatnonzero(free_predictions & (scene.precision[truth] >= PRECISION_THR))
        if _total(scene.recall[truth, parts]) >= RECALL_THR:
            free_truths[truth] = False
            free_predictions[parts] = False
            rewards.append((ONE_TO_MANY_REWARD, ONE_TO_MANY_REWARD * len(parts)))
    return rewards


def _take_merged(
    scene: _Scene, free_truths: NDArray[np.bool_], free_predictions: NDArray[np.bool_]
) -> list[tuple[float, float]]:
    """Match several truths with one prediction."""
    rewards = []
    for prediction in np.flatnonzero(free_predictions):
        parts = np.flatnonzero(free_truths & (scene.recall[:, prediction] >= RECALL_THR))
        if _total(scene.precision[parts, prediction]) >= PRECISION_THR:
            free_predictions[prediction] = False
            free_truths[parts] = False
            rewards.append((MANY_TO_ONE_REWARD * len(parts), MANY_TO_ONE_REWARD))
    return rewards


def _total(values: NDArray[np.float64]) -> float:
    """Add from left to right, as a loop does: other orders round differently, and sums are held to thresholds."""
    return float(np.cumsum(values)[-1]) if len(values) else 0.0
