"""The scores of a data set: metrics by name, summed up image by image."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ocrdeploy.datasets import DetectionTruth, Item, Sample
from ocrdeploy.errors import InputError, OcrDeployError, UsageError
from ocrdeploy.metrics.detection import HmeanIou
from ocrdeploy.metrics.hmean import FixedScore, ScoreSelection, ScoreSweep
from ocrdeploy.metrics.hmean_ic13 import HmeanIc13
from ocrdeploy.metrics.hmean_iou_1x import HmeanIou1x, ScoreThresholds
from ocrdeploy.metrics.recognition import RecognitionMetric
from ocrdeploy.model_spec import (
    DETECTION_METRICS,
    HMEAN_NUMBERS,
    RECOGNITION_METRICS,
    WORD_METRICS,
    EvaluationSettings,
    Task,
    metric_names,
)
from ocrdeploy.results import Recognition, Result

from .worst import Matcher, Mistakes, WorstImages

Metric = HmeanIou | HmeanIou1x | HmeanIc13 | RecognitionMetric


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one model scored on one data set.

    Attributes:
        images: How many images count.
        broken: How many were left out because they or their annotation cannot be read.
        resumed: How many of `images` have their result from an earlier run.
        labels: How many instances or words of these images are labelled and count.
        metrics: The numbers, under MMOCR's names.
        seconds: Wall time from the first read to the metric.
        failed: How many were left out because the model, not their file, failed on them.
        failure: What the first of these was; None where there is none.
        worst: The worst images, as many as were asked for, the worst first.
    """

    images: int
    broken: int
    resumed: int
    labels: int
    metrics: dict[str, float]
    seconds: float
    failed: int = 0
    failure: OcrDeployError | None = None
    worst: tuple[Mistakes, ...] = ()

    @property
    def images_per_second(self) -> float | None:
        """Images through all stages in a second; None where no model was run."""
        run = self.images - self.resumed
        return run / self.seconds if run and self.seconds else None


class Tally:
    """The scores of one data set, image by image.

    Args:
        settings: The metrics and their score thresholds.
        score_thr: Count detections above this score only, instead of the settings' sweep over thresholds.
        worst: How many of the worst images to keep.

    Attributes:
        images: How many images count.
        broken: How many were left out.
        resumed: How many of `images` have their result from an earlier run.

    Raises:
        UsageError: There is no such metric.
    """

    def __init__(self, settings: EvaluationSettings, score_thr: float | None, worst: int = 0) -> None:
        self._metrics = make_metrics(settings, score_thr)
        self._worst = WorstImages(worst, _matcher(settings, score_thr))
        self._started = time.perf_counter()
        self.images = 0
        self.broken = 0
        self.resumed = 0
        self.labels = 0
        self.failed = 0
        self.failure: OcrDeployError | None = None

    def add(self, sample: Sample, result: Result) -> None:
        """Score one image.

        Raises:
            UsageError: The annotation is not for the result's task.
        """
        for metric in self._metrics:
            _add(metric, result, sample)
        self._worst.look(sample, result)
        self.images += 1
        self.labels += len(sample.truth.polygons) if isinstance(sample.truth, DetectionTruth) else 1

    def take(self, item: Item, outcome: Result | OcrDeployError, *, skip_broken: bool) -> None:
        """Score one image, or count what went wrong with it.

        Raises:
            InputError: It cannot be read, and `skip_broken` is off.
        """
        if isinstance(outcome, InputError):
            if not skip_broken:
                raise outcome
            self.broken += 1
        elif isinstance(outcome, OcrDeployError):
            self.failed += 1
            self.failure = self.failure or outcome
        elif isinstance(item, Sample):
            self.add(item, outcome)

    def evaluation(self) -> Evaluation:
        """Return the scores of what was added, and the time since the tally was made."""
        metrics = {key: value for metric in self._metrics for key, value in metric.result().items()}
        seconds = time.perf_counter() - self._started
        counts = self.images, self.broken, self.resumed, self.labels
        return Evaluation(*counts, metrics, seconds, self.failed, self.failure, self._worst.images())


def make_metrics(settings: EvaluationSettings, score_thr: float | None) -> list[Metric]:
    """Return the empty metrics of an evaluation; all the numbers of words are one metric."""
    metrics: list[Metric] = []
    for name in settings.metric:
        match name:
            case "hmean-iou":
                metrics.append(_hmean_iou(settings, score_thr))
            case "hmean-ic13":
                metrics.append(HmeanIc13(_selection(settings, score_thr)))
    words = [name for name in settings.metric if name in RECOGNITION_METRICS]
    if words:
        metrics.append(RecognitionMetric(WORD_METRICS if "acc" in words else words))
    return metrics


def _matcher(settings: EvaluationSettings, score_thr: float | None) -> Matcher:
    """Return what pairs truths and detections, by overlap whatever the metric is."""
    return _hmean_iou(settings, score_thr).match


def _hmean_iou(settings: EvaluationSettings, score_thr: float | None) -> HmeanIou | HmeanIou1x:
    """Return the metric in the form of the config's generation."""
    if settings.strategy is None:
        return HmeanIou(_selection(settings, score_thr))
    thresholds = _thresholds_1x(settings, score_thr)
    return HmeanIou1x(thresholds, settings.strategy, settings.iou_thr, settings.precision_thr)


def _selection(settings: EvaluationSettings, score_thr: float | None) -> ScoreSelection:
    """Return which predictions MMOCR 0.x judges, or those that the user wants."""
    if score_thr is not None:
        return FixedScore(score_thr)
    return ScoreSweep(settings.min_score_thr, settings.max_score_thr, settings.step)


def _thresholds_1x(settings: EvaluationSettings, score_thr: float | None) -> ScoreThresholds | FixedScore:
    """Return the score thresholds that MMOCR 1.x tries, or the one that the user wants."""
    if score_thr is not None:
        return FixedScore(score_thr)
    return ScoreThresholds(settings.min_score_thr, settings.max_score_thr, settings.step)


def metric_numbers(names: Sequence[str]) -> list[str]:
    """Return the names of the numbers that metrics give, such as `hmean-iou:recall` of `hmean-iou`."""
    return [key for metric in make_metrics(EvaluationSettings(tuple(names)), None) for key in metric.result()]


def metric_number(name: str) -> str:
    """Return the name, as reports have it, of a number that MMOCR 0.x or 1.x may call otherwise.

    A metric of MMOCR 1.x stands for its number where it gives one by default: `HmeanIOUMetric` for the harmonic mean.
    """
    main = {"HmeanIOUMetric": "hmean-iou:hmean", "WordMetric": "word_acc_ignore_case_symbol"}
    return main.get(name) or HMEAN_NUMBERS.get(name) or (metric_names(name)[0] if name != "CharMetric" else name)


def check_metrics(names: Sequence[str], task: Task) -> None:
    """Refuse metrics that do not exist or belong to the other task.

    Raises:
        UsageError: Names the metrics of the task.
    """
    known = DETECTION_METRICS if task == "det" else RECOGNITION_METRICS
    for name in names:
        if not set(metric_names(name)) <= set(known):
            raise UsageError(f"--eval {name} does not go with task {task!r}, whose metrics are {', '.join(known)}")


def mean_metrics(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the plain mean of each number over several data sets, as MMOCR's UniformConcatDataset does."""
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}


def _add(metric: Metric, result: Result, sample: Sample) -> None:
    """Score one result."""
    match metric, result, sample.truth:
        case RecognitionMetric(), Recognition(text=text), str(truth):
            metric.add(text, truth)
        case ((HmeanIou() | HmeanIou1x() | HmeanIc13()), list(), DetectionTruth() as truth):
            metric.add(result, truth)
        case _:
            raise UsageError(f"the annotation of {sample.name} is not for this model's task")
