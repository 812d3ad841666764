"""The metric hmean-iou: one prediction for one truth, by their intersection over union."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.results import Detection

from .hmean import HmeanTally, ScoreSelection, ScoreSweep, as_result, select
from .polygons import intersection_over_union, lies_in_ignored, measure
from .truth import DetectionTruth

IOU_THR = 0.5
PRECISION_THR = 0.5


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """What was found in one image.

    Attributes:
        hits: Number of pairs of a truth and a prediction.
        n_truth: Number of truths that are not ignored.
        n_predictions: Number of predictions that are not ignored.
    """

    hits: int
    n_truth: int
    n_predictions: int


class HmeanIou:
    """Recall, precision and harmonic mean of text detection over a data set, matched by intersection over union.

    Truth by truth, the first prediction that is still free and overlaps it by more than 0.5 is taken. A prediction
    that lies by more than half of its area in one ignored truth counts neither as right nor as wrong. The overlaps
    of an image are measured once and serve every score threshold; the polygons are not kept.

    Of no images at all, or of images without text and without predictions, all three numbers are 1, as in MMOCR.
    MMOCR stops at a polygon of three corners; here it is measured like any other.

    The protocol is that of ICDAR 2015, in MMOCR's form: a polygon that crosses itself is replaced by what a buffer of
    width zero makes of it, where ICDAR's official script refuses or measures it otherwise, and the best of several
    score thresholds is reported, where the script takes all predictions that it is given. Numbers of results with such
    polygons may differ from the script's.

    Source: `eval_hmean` and `eval_hmean_iou` in `mmocr.core.evaluation`, MMOCR v0.6.3.

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
        pairs = _match_candidates([detections[index].polygon for index in used.tolist()], truth, IOU_THR, PRECISION_THR)
        counts = [_count(pairs, row) for row in kept[:, used]]
        self._tally.add(len(truth.polygons), [(hits, hits, n_predictions) for hits, n_predictions in counts])

    def result(self) -> dict[str, float]:
        """Return `hmean-iou:recall`, `hmean-iou:precision` and `hmean-iou:hmean`, 0 to 1."""
        return as_result("hmean-iou", self._tally.best())


def count_matches(
    predictions: Sequence[NDArray[np.float64]],
    truth: DetectionTruth,
    iou_thr: float = IOU_THR,
    precision_thr: float = PRECISION_THR,
) -> MatchCounts:
    """Match the predictions of one image with its truth.

    Source: `eval_hmean_iou` in `mmocr.core.evaluation.hmean_iou`, MMOCR v0.6.3.

    Args:
        predictions: Shape (K, 2) each, float64: corners as (x, y) in pixels. Their order matters.
        truth: What is there, in the same pixels.
        iou_thr: Intersection over union above which a pair matches, exclusive.
        precision_thr: Share of a prediction's area in an ignored truth above which the prediction is ignored.
    """
    pairs = _match_candidates(predictions, truth, iou_thr, precision_thr)
    hits, n_predictions = _count(pairs, np.ones(len(predictions), np.bool_))
    return MatchCounts(hits, len(truth.polygons), n_predictions)


def match_polygons(
    predictions: Sequence[NDArray[np.float64]], truth: DetectionTruth
) -> tuple[list[tuple[int, int]], NDArray[np.bool_]]:
    """Match the predictions of one image with its truth, as `count_matches` counts them.

    Args:
        predictions: Shape (K, 2) each, float64: corners as (x, y) in pixels. Their order matters.
        truth: What is there, in the same pixels.

    Returns:
        The pairs (index of the truth, index of the prediction), and shape (P,), bool: the predictions that cover
        ignored text and do not count.
    """
    candidates = _match_candidates(predictions, truth, IOU_THR, PRECISION_THR)
    return _pairs(candidates, np.ones(len(predictions), np.bool_)), candidates.ignored


@dataclass(frozen=True, slots=True, eq=False)
class _MatchCandidates:
    """Pairs (truth, prediction) that overlap enough, truth by truth, and which predictions are ignored, bool (P,)."""

    pairs: list[tuple[int, int]]
    ignored: NDArray[np.bool_]


def _match_candidates(
    polygons: Sequence[NDArray[np.float64]], truth: DetectionTruth, iou_thr: float, precision_thr: float
) -> _MatchCandidates:
    predictions = measure(polygons)
    ignored = lies_in_ignored(predictions, measure(truth.ignored), precision_thr)
    near = intersection_over_union(measure(truth.polygons), predictions) > iou_thr
    rows, columns = np.nonzero(near & ~ignored)
    return _MatchCandidates(list(zip(rows.tolist(), columns.tolist(), strict=True)), ignored)


def _count(candidates: _MatchCandidates, kept: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the number of matches and of predictions that count, of those that are kept (bool, shape (P,))."""
    return len(_pairs(candidates, kept)), int(np.count_nonzero(kept & ~candidates.ignored))


def _pairs(candidates: _MatchCandidates, kept: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the pairs (truth, prediction) that match, of the predictions that are kept."""
    found: dict[int, int] = {}
    spent: set[int] = set()
    for truth, prediction in candidates.pairs:
        if kept[prediction] and truth not in found and prediction not in spent:
            found[truth] = prediction
            spent.add(prediction)
    return list(found.items())
