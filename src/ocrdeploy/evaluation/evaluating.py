"""Accuracy and speed of a model on a labelled data set."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby

from ocrdeploy.datasets import BrokenSample, DetectionTruth, ImageSource, Item, LmdbImage, Sample
from ocrdeploy.datasets.lmdb_store import DATA_FILE
from ocrdeploy.errors import InputError, OcrDeployError, UsageError
from ocrdeploy.idle_options import refuse_idle
from ocrdeploy.model_spec import EvaluationSettings
from ocrdeploy.predictions.part_files import Stored
from ocrdeploy.predictions.records import Prediction, PredictionReader
from ocrdeploy.predictor import Predictor
from ocrdeploy.results import Recognition, Result
from ocrdeploy.whole_numbers import check_batch_size

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
        worst: How many of the worst images to tell.
    """

    batch_size: int | None = 1
    pad_batches: bool = False
    score_thr: float | None = None
    skip_broken: bool = False
    worst: int = 0

    def __post_init__(self) -> None:
        """Refuse a size that is none, what cannot matter, and an impossible threshold."""
        if self.batch_size is not None:
            check_batch_size(self.batch_size)
        refuse_idle(("--pad-batches", self.pad_batches, self.batch_size != 1, "where images run one by one"))
        if self.score_thr is not None and not 0 <= self.score_thr <= 1:
            raise UsageError(f"a score threshold is between 0 and 1, got {self.score_thr}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image.

    Attributes:
        index: Its place in the data set.
        item: The image and what is known of it, or an annotation that cannot be used.
        state: What its file was like before it was read, see `file_state`.
        result: What the model said of it, or what went wrong.
    """

    index: int
    item: Item
    state: str
    result: Result | OcrDeployError


@dataclass(frozen=True, slots=True)
class _Place:
    """An image on its way, with what an earlier run says of it, where that can stand for its result."""

    index: int
    item: Item
    state: str
    stored: Prediction | None = None


def evaluate(
    predictor: Predictor,
    samples: Iterable[Item],
    settings: EvaluationSettings,
    options: EvaluationOptions,
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
    earlier: Callable[[int], Stored | None] = lambda _index: None,
    on_earlier: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Run a model over a data set and score it.

    The samples are read one by one, so memory does not grow with the data set. An image whose result is not finite, or
    which fails in another way that is not its file's, is counted as failed, and the others go on.

    Args:
        predictor: The model.
        samples: The data set; its truths are those of the model's task.
        settings: The metrics and their score thresholds.
        options: How; a batch size that is not set counts as 1, because measuring is no part of evaluating.
        on_outcome: Called with what became of each image that was run, in the data set's order.
        earlier: Gives what an earlier run wrote for an image, by its place. It is not run again where its file is the
            same; images that had no result are. Where images run together, only whole windows of
            `Predictor.window_size` count, so that the images after them are batched as in a run without interruption.
        on_earlier: Called for each image that is not run again.

    Raises:
        InputError: An image or annotation cannot be read, and `skip_broken` is off; or an earlier result is of
            another image.
    """
    tally = Tally(settings, options.score_thr, options.worst)
    size = options.batch_size or 1
    places: Iterator[_Place] = (
        _place(index, item, earlier(index), again=size == 1) for index, item in enumerate(samples)
    )
    if size > 1:
        places = _whole_windows(places, predictor.window_size(size), predictor)
    for is_stored, group in groupby(places, key=lambda place: place.stored is not None):
        if not is_stored:
            for outcome in _run(predictor, group, options, size):
                tally.take(outcome.item, outcome.result, skip_broken=options.skip_broken)
                on_outcome(outcome)
            continue
        for place in group:
            if place.stored is not None and place.stored.result is not None and isinstance(place.item, Sample):
                tally.add(place.item, place.stored.result)
                tally.resumed += 1
            else:
                tally.broken += 1
            on_earlier()
    return tally.evaluation()


def file_state(source: ImageSource) -> str:
    """Return what tells an image's file from one that takes its place: size and time; empty where there is none."""
    path = source.folder / DATA_FILE if isinstance(source, LmdbImage) else source.path
    try:
        status = path.stat()
    except (OSError, ValueError):
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _run(predictor: Predictor, places: Iterable[_Place], options: EvaluationOptions, size: int) -> Iterator[Outcome]:
    """Run images and yield what became of them."""
    pending: deque[_Place] = deque()

    def images() -> Iterator[ImageSource | InputError]:
        for place in places:
            pending.append(place)
            yield place.item.error if isinstance(place.item, BrokenSample) else place.item.image

    for result in predictor.stream_outcomes(images(), size, pad_batches=options.pad_batches):
        place = pending.popleft()
        yield Outcome(place.index, place.item, place.state, result)


def _place(index: int, item: Item, stored: Stored | None, *, again: bool) -> _Place:
    """Return an image with the result of an earlier run, where it is still that of its file.

    Args:
        index: Its place.
        item: The image.
        stored: What the earlier run wrote, if anything.
        again: Whether what had no result is run again in any case.

    Raises:
        InputError: The earlier result is of another image.
    """
    state = file_state(item.image) if isinstance(item, Sample) else ""
    if stored is None:
        return _Place(index, item, state)
    found = stored.prediction
    expected = repr(item.name) if isinstance(item, Sample) else "none"
    if found.image and not (isinstance(item, Sample) and found.image == item.name):
        raise InputError(
            f"{found.origin}: a result for {found.image!r}, and the data set has {expected} there",
            "Remove the file to begin anew.",
        )
    is_same = stored.state == state and bool(found.image) == isinstance(item, Sample)
    return _Place(index, item, state, found if is_same and (found.result is not None or not again) else None)


def _whole_windows(places: Iterable[_Place], window: int, predictor: Predictor) -> Iterator[_Place]:
    """Yield images with their earlier results as long as whole windows have them, and from there on without.

    A window is counted as the stream counts it: images that cannot be read are none of it.
    """
    left = iter(places)
    block: list[_Place] = []
    count = 0
    for place in left:
        block.append(place)
        if place.stored is None or (place.stored.result is None and _can_be_read(place.item, predictor)):
            break
        count += place.stored.result is not None
        if count == window:
            yield from block
            block, count = [], 0
    else:
        yield from block
        return
    for place in chain(block, left):
        yield _Place(place.index, place.item, place.state)


def _can_be_read(item: Item, predictor: Predictor) -> bool:
    """Tell whether an image that had no result in an earlier run would take part in a batch now."""
    if isinstance(item, BrokenSample):
        return False
    try:
        predictor.preprocess(predictor.read(item.image))
    except InputError:
        return False
    return True


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
        options: Of these, `score_thr` and `skip_broken` count. With the second, images whose line tells an error are
            counted as broken.
        on_item: Called after each image.

    Raises:
        InputError: A line is no prediction, or not that of the image which the data set has in its place; or it tells
            an error, and `skip_broken` is off.
    """
    tally = Tally(settings, options.score_thr, options.worst)
    first = reader.peek()
    for item in samples:
        found = reader.peek()
        name = item.name if isinstance(item, Sample) else ""
        if found is None or first is None or _names(found) != (name, first.model, first.backend):
            raise _misfit(reader, item)
        if found.error:
            tally.take(item, InputError(f"{found.origin}: {found.error}"), skip_broken=options.skip_broken)
        elif isinstance(item, Sample):
            tally.add(item, _require_result(found, item))
        else:
            raise _misfit(reader, item)
        reader.drop()
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


def _misfit(reader: PredictionReader, item: Item) -> InputError:
    """Return the error of an image whose prediction is not the next line."""
    found = reader.peek()
    what = (
        f"{item.name!r} ({item.origin})" if isinstance(item, Sample) else f"an annotation that is broken: {item.error}"
    )
    got = f", got one for {found.image!r} by {found.model} on {found.backend}" if found else ", and the file ends"
    place = found.origin if found else f"{reader.path}, line {reader.count + 1}"
    return InputError(
        f"{place}: a prediction for {what} was expected{got}",
        "The lines are in the data set's order, one an image, those that could not be read included.",
    )
