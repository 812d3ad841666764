"""The metric hmean-iou: one prediction for one truth, by their intersection over union."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.results import Detection

from .hmean import HmeanTally, ScoreSelection, ScoreSweep, as_result, select
from .matching import Matches, first_come
from .polygons import intersection_over_union, lies_in_ignored, measure
from .truth import DetectionTruth

IOU_THR = 0.5
"""Intersection over union above which a pair matches, exclusive."""
PRECISION_THR = 0.5
"""Share of a prediction's area in an ignored truth above which the prediction is ignored."""


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
        kept = select(self._selection, _scores(detections))
        used = np.flatnonzero(kept.any(axis=0))
        near, ignored = _overlaps([detections[index].polygon for index in used.tolist()], truth)
        rows: list[tuple[float, float, int]] = []
        for counted in kept[:, used] & ~ignored:
            hits = len(first_come(near & counted))
            rows.append((hits, hits, int(np.count_nonzero(counted))))
        self._tally.add(len(truth.polygons), rows)

    def match(self, detections: Sequence[Detection], truth: DetectionTruth) -> Matches:
        """Pair the truths and predictions of one image as `add` does, at the lowest score threshold."""
        near, ignored = _overlaps([detection.polygon for detection in detections], truth)
        counted = select(self._selection, _scores(detections))[0] & ~ignored
        return Matches(first_come(near & counted), counted)

    def result(self) -> dict[str, float]:
        """Return `hmean-iou:recall`, `hmean-iou:precision` and `hmean-iou:hmean`, 0 to 1."""
        return as_result("hmean-iou", self._tally.best())


def _scores(detections: Sequence[Detection]) -> NDArray[np.float64]:
    return np.array([detection.score for detection in detections], np.float64)


def _overlaps(
    polygons: Sequence[NDArray[np.float64]], truth: DetectionTruth
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which truths and predictions overlap enough, bool (T, P), and which predictions are ignored, bool (P,)."""
    predictions = measure(polygons)
    ignored = lies_in_ignored(predictions, measure(truth.ignored), PRECISION_THR)
    return intersection_over_union(measure(truth.polygons), predictions) > IOU_THR, ignored
