"""Accuracy and speed of a model on a labelled data set."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ocrdeploy.datasets import BrokenSample, Sample
from ocrdeploy.errors import InputError, UsageError
from ocrdeploy.metrics.detection import HmeanIou
from ocrdeploy.metrics.hmean import FixedScore, ScoreSelection, ScoreSweep
from ocrdeploy.metrics.hmean_ic13 import HmeanIc13
from ocrdeploy.metrics.recognition import RecognitionMetric
from ocrdeploy.metrics.truth import DetectionTruth
from ocrdeploy.model_spec import DETECTION_METRICS, RECOGNITION_METRICS, EvaluationSettings, Task
from ocrdeploy.predictor import Predictor
from ocrdeploy.preprocessing import Preprocessed
from ocrdeploy.results import Recognition, Result

Metric = HmeanIou | HmeanIc13 | RecognitionMetric


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """How to evaluate.

    Attributes:
        batch_size: Images of one size that run together.
        pad_batches: Pad words of different widths to one, which changes results.
        score_thr: Count detections above this score only, instead of the settings' sweep over thresholds.
        skip_broken: Count images and annotations that cannot be read and go on, instead of stopping at the first.
    """

    batch_size: int = 1
    pad_batches: bool = False
    score_thr: float | None = None
    skip_broken: bool = False

    def __post_init__(self) -> None:
        """Refuse an impossible threshold."""
        if self.score_thr is not None and not 0 <= self.score_thr <= 1:
            raise UsageError(f"a score threshold is between 0 and 1, got {self.score_thr}")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one model scored on one data set.

    Attributes:
        images: How many images count.
        broken: How many were left out because they or their annotation cannot be read.
        metrics: The numbers, under MMOCR's names.
        seconds: Wall time from the first read to the metric.
    """

    images: int
    broken: int
    metrics: dict[str, float]
    seconds: float

    @property
    def images_per_second(self) -> float:
        """Images through all stages in a second."""
        return self.images / self.seconds if self.seconds else 0.0


def evaluate(
    predictor: Predictor,
    samples: Iterable[Sample | BrokenSample],
    settings: EvaluationSettings,
    options: EvaluationOptions,
    on_result: Callable[[Sample, Result], None] = lambda _sample, _result: None,
    on_broken: Callable[[InputError], None] = lambda _error: None,
) -> Evaluation:
    """Run a model over a data set and score it.

    The samples are read one by one, so memory does not grow with the data set.

    Args:
        predictor: The model.
        samples: The data set; its truths are those of the model's task.
        settings: The metrics and their score thresholds.
        options: How.
        on_result: Called with each result, in the data set's order.
        on_broken: Called with what is wrong with each sample that is skipped.

    Raises:
        InputError: An image or annotation cannot be read, and `skip_broken` is off.
        CheckError: The network's output is not finite.
    """
    metrics = [make_metric(name, settings, options.score_thr) for name in settings.metric]
    reader = _Reader(predictor, options.skip_broken, on_broken)
    count = 0
    started = time.perf_counter()
    stream = predictor.stream_prepared(reader.read(samples), options.batch_size, pad_batches=options.pad_batches)
    for result in stream:
        sample = reader.pending.popleft()
        for metric in metrics:
            _add(metric, result, sample)
        on_result(sample, result)
        count += 1
    values = {key: value for metric in metrics for key, value in metric.result().items()}
    return Evaluation(count, reader.broken, values, time.perf_counter() - started)


class _Reader:
    """Reads and prepares samples, and keeps those whose results are still to come."""

    def __init__(self, predictor: Predictor, skip_broken: bool, on_broken: Callable[[InputError], None]) -> None:
        self._predictor = predictor
        self._on_broken = on_broken
        self._skip_broken = skip_broken
        self.pending: deque[Sample] = deque()
        self.broken = 0

    def read(self, samples: Iterable[Sample | BrokenSample]) -> Iterator[Preprocessed]:
        """Yield each sample's prepared image."""
        for sample in samples:
            try:
                prepared = self._prepare(sample)
            except InputError as error:
                if not self._skip_broken:
                    raise
                self.broken += 1
                self._on_broken(error)
            else:
                self.pending.append(prepared[0])
                yield prepared[1]

    def _prepare(self, sample: Sample | BrokenSample) -> tuple[Sample, Preprocessed]:
        """Return a sample with its prepared image."""
        if isinstance(sample, BrokenSample):
            raise sample.error
        return sample, self._predictor.prepare_source(sample.image)


def make_metric(name: str, settings: EvaluationSettings, score_thr: float | None) -> Metric:
    """Return an empty metric.

    Raises:
        UsageError: There is no such metric.
    """
    selection: ScoreSelection = ScoreSweep(settings.min_score_thr, settings.max_score_thr, settings.step)
    if score_thr is not None:
        selection = FixedScore(score_thr)
    match name:
        case "hmean-iou":
            return HmeanIou(selection)
        case "hmean-ic13":
            return HmeanIc13(selection)
        case "acc":
            return RecognitionMetric()
    raise UsageError(f"there is no metric {name!r}; there are {', '.join(DETECTION_METRICS + RECOGNITION_METRICS)}")


def check_metrics(names: Sequence[str], task: Task) -> None:
    """Refuse metrics that do not exist or belong to the other task.

    Raises:
        UsageError: Names the metrics of the task.
    """
    known = DETECTION_METRICS if task == "det" else RECOGNITION_METRICS
    for name in names:
        if name not in known:
            raise UsageError(f"--eval {name} does not go with task {task!r}, whose metrics are {', '.join(known)}")


def mean_metrics(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the plain mean of each number over several data sets, as MMOCR's UniformConcatDataset does."""
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}


def _add(metric: Metric, result: Result, sample: Sample) -> None:
    """Score one result."""
    match metric, result, sample.truth:
        case RecognitionMetric(), Recognition(text=text), str(truth):
            metric.add(text, truth)
        case ((HmeanIou() | HmeanIc13()), list(), DetectionTruth() as truth):
            metric.add(result, truth)
        case _:
            raise UsageError(f"the annotation of {sample.name} is not for this model's task")
