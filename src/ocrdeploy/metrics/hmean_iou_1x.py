"""The metric hmean-iou as MMOCR 1.x counts it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from ocrdeploy.results import Detection

from .hmean import FixedScore, HmeanTally, as_result
from .matching import Matches, MatchStrategy, Pairs, first_come, most_pairs
from .polygons import PolygonSet, in_one_piece, intersection_areas, intersection_over_union, measure
from .truth import DetectionTruth

AREA_EPSILON = 1e-5
"""What MMOCR 1.x adds to a prediction's area before it divides by it, in square pixels."""


@dataclass(frozen=True, slots=True)
class ScoreThresholds:
    """The score thresholds that are tried, of which the best counts: from `start` to below `stop` by `step`."""

    start: float = 0.3
    stop: float = 0.9
    step: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what is no range, or one of very many."""
        if not 0 < self.step <= 1 or not 0 <= self.start < self.stop <= 2 or (self.stop - self.start) / self.step > 1e4:
            raise ValueError(
                f"score thresholds go up from start to stop within 0 to 1, by a step of at least 1e-4; got "
                f"start {self.start}, stop {self.stop}, step {self.step}"
            )

    def values(self) -> NDArray[np.float32]:
        """Return the thresholds, shape (T,), ascending, in the precision of the scores they are compared with."""
        return np.arange(self.start, self.stop, self.step).astype(np.float32)


class HmeanIou1x:
    """Recall, precision and harmonic mean of text detection over a data set, by the rules of MMOCR 1.x.

    What differs from `HmeanIou`: scores and corners are float32; a prediction takes part whose score is at least the
    threshold; a polygon that crosses itself and falls apart is replaced by its convex hull; the share of a prediction
    in an ignored truth is divided by its area plus 1e-5; with the strategy `max_matching` as many pairs as possible
    are matched, where `vanilla` takes, truth by truth, the first that is free.

    Source: `HmeanIOUMetric` in `mmocr.evaluation.metrics.hmean_iou_metric`, `poly_make_valid` in
    `mmocr.utils.polygon_utils`, MMOCR v1.0.1.

    Args:
        thresholds: The score thresholds, of which the one with the best harmonic mean counts, the lowest of equals; or
            the only one, which a score may be equal to here too.
        strategy: How truths and predictions are paired.
        iou_thr: Intersection over union above which a pair matches, exclusive.
        precision_thr: Share of a prediction's area in an ignored truth above which the prediction is ignored.
    """

    def __init__(
        self,
        thresholds: ScoreThresholds | FixedScore = ScoreThresholds(),
        strategy: MatchStrategy = "vanilla",
        iou_thr: float = 0.5,
        precision_thr: float = 0.5,
    ) -> None:
        if isinstance(thresholds, FixedScore):
            self._thresholds = np.array([thresholds.score_thr], np.float32)
        else:
            self._thresholds = thresholds.values()
        self._strategy = strategy
        self._iou_thr = iou_thr
        self._precision_thr = precision_thr
        self._counts = HmeanTally(len(self._thresholds))

    def add(self, detections: Sequence[Detection], truth: DetectionTruth) -> None:
        """Add one image.

        Args:
            detections: What was found, in pixels of the original image, in the decoder's order.
            truth: What is there, in the same pixels.
        """
        near, kept = self._overlaps(detections, truth)
        rows: list[tuple[float, float, int]] = []
        for counted in kept:
            hits = len(self._pair(near & counted))
            rows.append((hits, hits, int(np.count_nonzero(counted))))
        self._counts.add(len(truth.polygons), rows)

    def match(self, detections: Sequence[Detection], truth: DetectionTruth) -> Matches:
        """Pair the truths and predictions of one image as `add` does, at the lowest score threshold."""
        near, kept = self._overlaps(detections, truth)
        return Matches(self._pair(near & kept[0]), kept[0])

    def _overlaps(
        self, detections: Sequence[Detection], truth: DetectionTruth
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which truths and predictions overlap enough, shape (T, P), and which count at each threshold."""
        scores = np.array([detection.score for detection in detections], np.float32)
        predictions = _measure_1x([detection.polygon for detection in detections])
        inside = intersection_areas(_measure_1x(truth.ignored), predictions) / (predictions.areas + AREA_EPSILON)
        counted = ~(inside > self._precision_thr).any(axis=0)
        near = intersection_over_union(_measure_1x(truth.polygons), predictions) > self._iou_thr
        return near, counted & (scores >= self._thresholds[:, None])

    def _pair(self, near: NDArray[np.bool_]) -> Pairs:
        return first_come(near) if self._strategy == "vanilla" else most_pairs(near)

    def result(self) -> dict[str, float]:
        """Return `hmean-iou:recall`, `hmean-iou:precision` and `hmean-iou:hmean`, 0 to 1."""
        return as_result("hmean-iou", self._counts.best())


def _measure_1x(polygons: Sequence[NDArray[np.float64]]) -> PolygonSet:
    """Make polygons ready for measuring, with corners in float32 and convex hulls for what falls apart."""
    measured = measure([polygon.astype(np.float32).astype(np.float64) for polygon in polygons])
    shapes = in_one_piece(measured.shapes)
    return PolygonSet(shapes, measured.areas, shapely.bounds(shapes).reshape(-1, 4))
