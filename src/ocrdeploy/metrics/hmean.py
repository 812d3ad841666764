"""Recall, precision and their harmonic mean, at one score threshold or at the best of several."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.model_spec.spec import check_sweep


@dataclass(frozen=True, slots=True)
class Hmean:
    """Recall, precision and their harmonic mean, 0 to 1."""

    recall: float
    precision: float
    hmean: float


def hmean(recall_hits: float, precision_hits: float, n_truth: int, n_predictions: int) -> Hmean:
    """Return recall, precision and their harmonic mean.

    Where there is nothing to find, recall is 1, and precision is 1 if nothing was predicted and 0 otherwise. With
    hits, but no predictions that count, precision is 0.

    Source: `compute_hmean` in `mmocr.core.evaluation.utils`, MMOCR v0.6.3.

    Args:
        recall_hits: What was found, as recall counts it.
        precision_hits: What was found, as precision counts it; the same number unless the metric rewards one
            prediction of several truths, or the other way round.
        n_truth: Number of truths that are not ignored.
        n_predictions: Number of predictions that are not ignored.
    """
    if n_truth == 0:
        recall = 1.0
        precision = 0.0 if n_predictions else 1.0
    else:
        recall = recall_hits / n_truth
        precision = precision_hits / n_predictions if n_predictions else 0.0
    total = recall + precision
    return Hmean(recall, precision, 2 * precision * recall / total if total else 0.0)


@dataclass(frozen=True, slots=True)
class ScoreSweep:
    """Try several score thresholds and report the one with the best harmonic mean, the lowest of equals.

    A prediction takes part if its score is greater than `min_score_thr` and at least the threshold that is tried:
    `min_score_thr` and then every `step` up to `max_score_thr`, but never 1. As MMOCR counts them in floating-point
    numbers, one step more may fit: 0.3 to 0.3 by 0.1 tries 0.3 and 0.4. Where that leaves no threshold at all
    (`min_score_thr` 1), at which MMOCR stops, `min_score_thr` itself is tried.

    Source: `eval_hmean` in `mmocr.core.evaluation.hmean`, MMOCR v0.6.3.

    Raises:
        ValueError: The numbers are no sweep within 0 to 1.
    """

    min_score_thr: float = 0.3
    max_score_thr: float = 0.9
    step: float = 0.1

    def __post_init__(self) -> None:
        """Refuse an impossible sweep."""
        check_sweep(self.min_score_thr, self.max_score_thr, self.step)

    def thresholds(self) -> tuple[float, ...]:
        """Return the score thresholds that are tried, ascending."""
        stop = min(self.max_score_thr + self.step, 1.0)
        return tuple(np.arange(self.min_score_thr, stop, self.step).tolist()) or (self.min_score_thr,)


@dataclass(frozen=True, slots=True)
class FixedScore:
    """Keep the predictions whose score is greater than `score_thr`."""

    score_thr: float


@dataclass(frozen=True, slots=True)
class AllScores:
    """Keep all predictions, whatever their score."""


ScoreSelection = ScoreSweep | FixedScore | AllScores
"""Which predictions of a data set are judged."""


def select(selection: ScoreSelection, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which predictions take part.

    Args:
        selection: Which are judged.
        scores: Shape (P,): the scores of the predictions.

    Returns:
        Shape (T, P), bool: a row a threshold of a sweep, else one row.
    """
    match selection:
        case ScoreSweep():
            thresholds = np.array(selection.thresholds())
            kept: NDArray[np.bool_] = (scores > selection.min_score_thr) & (scores >= thresholds[:, None])
            return kept
        case FixedScore():
            return scores[None] > selection.score_thr
        case AllScores():
            return np.ones((1, len(scores)), np.bool_)


class HmeanTally:
    """The sums over images of what :func:`hmean` takes, for each of several score thresholds.

    Args:
        rows: How many thresholds there are.
    """

    def __init__(self, rows: int) -> None:
        self._n_truth = 0
        self._n_predictions = [0] * rows
        self._recall_hits = [0.0] * rows
        self._precision_hits = [0.0] * rows

    def add(self, n_truth: int, hits: Sequence[tuple[float, float, int]]) -> None:
        """Add one image.

        Args:
            n_truth: Number of truths that are not ignored.
            hits: For each threshold the hits as recall counts them, as precision counts them, and the number of
                predictions that are not ignored.
        """
        self._n_truth += n_truth
        for row, (recall_hits, precision_hits, n_predictions) in enumerate(hits):
            self._recall_hits[row] += recall_hits
            self._precision_hits[row] += precision_hits
            self._n_predictions[row] += n_predictions

    def best(self) -> Hmean:
        """Return the best harmonic mean, the first of equals, with its recall and precision."""
        rows = zip(self._recall_hits, self._precision_hits, self._n_predictions, strict=True)
        return max((hmean(recall, precision, self._n_truth, n) for recall, precision, n in rows), key=_hmean_of)


def as_result(name: str, value: Hmean) -> dict[str, float]:
    """Return the numbers under MMOCR's names, such as `hmean-iou:recall`."""
    return {f"{name}:recall": value.recall, f"{name}:precision": value.precision, f"{name}:hmean": value.hmean}


def _hmean_of(value: Hmean) -> float:
    return value.hmean
