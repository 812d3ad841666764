"""Accuracy and speed of a model on a labelled data set."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ocrdeploy.datasets import BrokenSample, DetectionTruth, ImageSource, Item, Sample
from ocrdeploy.errors import InputError, OcrDeployError, UsageError
from ocrdeploy.model_spec import EvaluationSettings
from ocrdeploy.predictions.records import Prediction, PredictionReader
from ocrdeploy.predictor import Predictor
from ocrdeploy.results import Recognition, Result

from .scores import Evaluation, Tally


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """How to evaluate.

    Attributes:
        batch_size: Images of one size that run together; None leaves it to a measurement, see
            `Predictor.choose_batch_size`.
        pad_batches: Pad words of different widths to one, which changes results.
        score_thr: Count detections above this score only, instead of the settings' sweep over thresholds.
        skip_broken: Count images and annotations that cannot be read and go on, instead of stopping at the first.
    """

    batch_size: int | None = 1
    pad_batches: bool = False
    score_thr: float | None = None
    skip_broken: bool = False

    def __post_init__(self) -> None:
        """Refuse an impossible threshold."""
        if self.score_thr is not None and not 0 <= self.score_thr <= 1:
            raise UsageError(f"a score threshold is between 0 and 1, got {self.score_thr}")


def evaluate(
    predictor: Predictor,
    samples: Iterable[Item],
    settings: EvaluationSettings,
    options: EvaluationOptions,
    on_result: Callable[[Sample, Result], None] = lambda _sample, _result: None,
    on_broken: Callable[[Item, OcrDeployError], None] = lambda _item, _error: None,
    earlier: Iterable[Prediction] = (),
) -> Evaluation:
    """Run a model over a data set and score it.

    The samples are read one by one, so memory does not grow with the data set.

    Args:
        predictor: The model.
        samples: The data set; its truths are those of the model's task.
        settings: The metrics and their score thresholds.
        options: How; a batch size that is not set counts as 1, because measuring is no part of evaluating.
        on_result: Called with each result, in the data set's order.
        on_broken: Called with each sample that is skipped, and what is wrong with it, in the same order.
        earlier: What an earlier run gave for the first samples, which are not run again: one each, in whole windows
            of `Predictor.window_size`.

    Raises:
        InputError: An image or annotation cannot be read, and `skip_broken` is off; or an earlier result is of
            another image.
        CheckError: The network's output is not finite.
    """
    tally = Tally(settings, options.score_thr)
    items = iter(samples)
    for prediction in earlier:
        _add_earlier(tally, prediction, next(items, None))
    pending: deque[Item] = deque()
    images = _images(items, pending)
    for outcome in predictor.stream_outcomes(images, options.batch_size or 1, pad_batches=options.pad_batches):
        item = pending.popleft()
        if isinstance(outcome, OcrDeployError):
            if not options.skip_broken:
                raise outcome
            tally.broken += 1
            on_broken(item, outcome)
        elif isinstance(item, Sample):
            tally.add(item, outcome)
            on_result(item, outcome)
    return tally.evaluation()


def _images(items: Iterable[Item], pending: deque[Item]) -> Iterator[ImageSource | InputError]:
    """Yield where each sample's image is, or what is wrong with its annotation, and keep the sample in `pending`."""
    for item in items:
        pending.append(item)
        yield item.error if isinstance(item, BrokenSample) else item.image


def evaluate_predictions(
    reader: PredictionReader,
    samples: Iterable[Item],
    settings: EvaluationSettings,
    options: EvaluationOptions,
    on_item: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Score predictions without running a model.

    Args:
        reader: Stands at the data set's first prediction, and is left behind its last.
        samples: The data set.
        settings: The metrics and their score thresholds.
        options: Of these, `score_thr` and `skip_broken` count. With the second, images without a prediction are
            counted as broken: they were skipped when the file was written.
        on_item: Called after each image.

    Raises:
        InputError: A line is no prediction, or not that of the image which the data set has in its place.
    """
    tally = Tally(settings, options.score_thr)
    first = reader.peek()
    for item in samples:
        found = reader.peek()
        if isinstance(item, BrokenSample):
            if not options.skip_broken:
                raise item.error
            tally.broken += 1
        elif found is not None and first is not None and _names(found) == (item.name, first.model, first.backend):
            tally.add(item, _require_result(found, item))
            reader.drop()
        elif options.skip_broken:
            tally.broken += 1
        else:
            raise _misfit(reader, item)
        on_item()
    tally.resumed = tally.images
    return tally.evaluation()


def _names(prediction: Prediction) -> tuple[str, str, str]:
    """Return image, model and backend."""
    return prediction.image, prediction.model, prediction.backend


def _require_result(prediction: Prediction, sample: Sample) -> Result:
    """Return the result of a prediction.

    Raises:
        InputError: There is none, or it is of another task than the sample's annotation.
    """
    is_text, has_polygons = isinstance(prediction.result, Recognition), isinstance(sample.truth, DetectionTruth)
    if prediction.result is None or is_text == has_polygons:
        wanted = "polygons" if has_polygons else "a text"
        raise InputError(f"{prediction.origin}: {sample.name!r} has {wanted} in the data set, and another result here")
    return prediction.result


def _misfit(reader: PredictionReader, sample: Sample) -> InputError:
    """Return the error of a sample whose prediction is not the next line."""
    found = reader.peek()
    expected = f"a prediction for {sample.name!r} ({sample.origin}) was expected"
    got = f", got one for {found.image!r} by {found.model} on {found.backend}" if found else ", and the file ends"
    place = found.origin if found else f"{reader.path}, line {reader.count + 1}"
    return InputError(
        f"{place}: {expected}{got}",
        "The lines are in the data set's order; images that were skipped when they were written are left out with "
        "--skip-broken.",
    )


def _add_earlier(tally: Tally, prediction: Prediction, item: Item | None) -> None:
    """Score what an earlier run gave for an image, or count that it was skipped.

    Raises:
        InputError: It is of another image.
    """
    if prediction.result is None:
        tally.broken += 1
        return
    if not isinstance(item, Sample) or item.name != prediction.image:
        expected = repr(item.name) if isinstance(item, Sample) else "none"
        raise InputError(
            f"{prediction.origin}: a result for {prediction.image!r}, and the data set has {expected} there",
            "Leave out --resume to start anew.",
        )
    tally.add(item, prediction.result)
    tally.resumed += 1
