"""A stream of images through the stages of a predictor: stages overlap, order is kept, memory is bounded.

Where the network runs on the CPU, each worker takes an image (or a batch) the whole way, with a network that runs on
its share of the cores: no stage ever waits for another, and no core has two threads. On two idle cores this took 1.04
to 1.15 times the least that is possible when the network uses both of them well; two workers that share a network on
both cores took longer, because its threads wait for each other. On a GPU there is one inference at a time, in the
calling thread, and the workers read and decode beside it.

OpenCV's threads are left as they are: they are a setting of the whole process, which a library had better not change,
and with one thread a stage streams of DBNet, PANet and CRNN on two cores took 0.97 to 0.98 times as long, which is
within the spread (0.90 to 1.05).
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from ocrdeploy.batching import Shape
from ocrdeploy.decoders import Outputs
from ocrdeploy.errors import ItemError, MachineError, ModelError, OcrDeployError, UsageError
from ocrdeploy.plain_text import plain
from ocrdeploy.results import Result
from ocrdeploy.steps import Preprocessed

Item = TypeVar("Item")
Given = TypeVar("Given")
Made = TypeVar("Made")

AHEAD = 2
"""How many images a worker are begun before the oldest result is taken: one in work, one ready to be."""


@dataclass(frozen=True, slots=True)
class Named(Generic[Item]):
    """An item of a stream, with the name that errors give it."""

    name: str
    item: Item


@dataclass(frozen=True, slots=True)
class Stages(Generic[Item]):
    """What is done to an image; each may be called from any thread, unless said otherwise.

    Attributes:
        prepare: Reads and preprocesses.
        infer: Runs the network on a batch and returns what decoding reads; called by one thread at a time
            unless `overlaps`.
        decode: Turns that into a result an image.
        overlaps: Whether inferences run beside each other.
    """

    prepare: Callable[[Item], Preprocessed]
    infer: Callable[[Sequence[Preprocessed]], Outputs]
    decode: Callable[[Outputs, Sequence[Preprocessed]], list[Result]]
    overlaps: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the work is spread.

    Attributes:
        workers: Number of threads beside the calling one.
        window: Number of images that are looked through for batches.
        batches: Splits a window, given the shapes of its images, into batches of indices.
    """

    workers: int
    window: int
    batches: Callable[[Sequence[Shape]], Iterable[list[int]]]


Outcome = Result | OcrDeployError
_Prepared = Named[Preprocessed | OcrDeployError]
_Window = tuple[list[_Prepared], list[tuple[list[int], "Future[list[Result]]"]]]

OF_ALL_IMAGES = (MachineError, ModelError, UsageError)
"""Errors of the network that are no image's: of the machine, of the model, and of whoever uses it."""


def stream_outcomes(
    images: Iterable[Named[Item]], stages: Stages[Item], schedule: Schedule
) -> Generator[Outcome, None, None]:
    """Yield the result of each image, or what went wrong with it, in order.

    Where a batch fails, its images are run alone, so that one costs no other its result. The images are taken from the
    calling thread, at most a few windows before their results are.

    Args:
        images: The images, each with its name.
        stages: What is done to them.
        schedule: By how many threads, and in which batches.

    Raises:
        MachineError: The machine lacks something, such as a device that is no longer there.
        ModelError: The network gives something else than its spec says.
    """
    with workers(schedule.workers) as pool:
        if schedule.window == 1 and stages.overlaps:
            yield from in_order(pool, partial(_whole_way, stages), images, AHEAD * schedule.workers)
        else:
            yield from _in_batches(pool, images, stages, schedule)


def in_order(pool: Executor, function: Callable[[Given], Made], items: Iterable[Given], ahead: int) -> Iterator[Made]:
    """Yield the function's value for each item, in order; at most `ahead` more items are begun or done.

    Raises:
        Exception: Whatever the function raised, in the place of its value.
    """
    pending: deque[Future[Made]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


@contextmanager
def naming(names: Sequence[str]) -> Iterator[None]:
    """Let every error of the block name the image, or the batch, that it is about.

    Raises:
        OcrDeployError: As in the block, with the name in its message.
        ItemError: In place of any other exception.
    """
    name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more of one batch"
    try:
        yield
    except OcrDeployError as error:
        # Errors escape what is not printable in a name.
        if name and names[0] not in error.message and plain(names[0]) not in error.message:
            error.message = f"{name}: {error.message}"
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        raise ItemError(f"{name or 'the image'} could not be processed: {type(error).__name__}: {text}") from error


class _Workers(ThreadPoolExecutor):
    """Threads, as many as the system allows; where that is fewer, the calling thread does the rest of the work."""

    _has_all = True

    def submit(self, function: Callable[..., Made], /, *args: object, **kwargs: object) -> Future[Made]:
        """Begin the function in a thread, or do it at once."""
        if self._has_all:
            try:
                return super().submit(function, *args, **kwargs)
            except RuntimeError:  # a thread could not be started: a container may have few
                self._has_all = False
        future: Future[Made] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  (it is raised again where the result is asked for)
            future.set_exception(error)
        return future


@contextmanager
def workers(count: int) -> Iterator[Executor]:
    """Give a pool of threads that ends with the block, without beginning what has not begun."""
    pool = _Workers(count, thread_name_prefix="ocrdeploy")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare(stages: Stages[Item], image: Named[Item]) -> _Prepared:
    """Prepare an image, or say what is wrong with it."""
    try:
        with naming([image.name]):
            return Named(image.name, stages.prepare(image.item))
    except MachineError:
        raise
    except OcrDeployError as error:
        return Named(image.name, error)


def _whole_way(stages: Stages[Item], image: Named[Item]) -> Outcome:
    """Take one image from its file to its result."""
    prepared = _prepare(stages, image)
    if isinstance(prepared.item, OcrDeployError):
        return prepared.item
    return _predict_one(stages, image.name, prepared.item)


def _predict_one(stages: Stages[Item], name: str, image: Preprocessed) -> Outcome:
    """Take one image from its tensor to its result, or say what went wrong with it."""
    try:
        return _predict(stages, [name], [image])[0]
    except OF_ALL_IMAGES:
        raise
    except OcrDeployError as error:
        return error


def _predict(stages: Stages[Item], names: Sequence[str], members: Sequence[Preprocessed]) -> list[Result]:
    """Take a batch from its tensors to its results."""
    with naming(names):
        return stages.decode(stages.infer(members), members)


def _decode(
    stages: Stages[Item], names: Sequence[str], outputs: Outputs, members: Sequence[Preprocessed]
) -> list[Result]:
    """Take a batch from its outputs to its results."""
    with naming(names):
        return stages.decode(outputs, members)


def _in_batches(
    pool: Executor, images: Iterable[Named[Item]], stages: Stages[Item], schedule: Schedule
) -> Iterator[Outcome]:
    """Yield outcomes window by window; while one window runs, the next is prepared."""
    ahead = schedule.window + AHEAD * schedule.workers
    prepared = in_order(pool, partial(_prepare, stages), images, ahead)
    waiting: deque[_Window] = deque()
    while window := list(_take(prepared, schedule.window)):
        waiting.append((window, list(_begin(pool, window, stages, schedule))))
        if len(waiting) > 1:
            yield from _collect(stages, *waiting.popleft())
    while waiting:
        yield from _collect(stages, *waiting.popleft())


def _take(prepared: Iterator[_Prepared], count: int) -> Iterator[_Prepared]:
    """Yield images until there are `count` that could be read, with those between them that could not."""
    while count > 0 and (each := next(prepared, None)) is not None:
        count -= not isinstance(each.item, OcrDeployError)
        yield each


def _begin(
    pool: Executor, window: list[_Prepared], stages: Stages[Item], schedule: Schedule
) -> "Iterator[tuple[list[int], Future[list[Result]]]]":
    """Begin the batches of a window, and yield the places of their images and where their results will be."""
    whole = [(place, each.item) for place, each in enumerate(window) if not isinstance(each.item, OcrDeployError)]
    for batch in schedule.batches([item.tensor.shape for _, item in whole]):
        places = [whole[index][0] for index in batch]
        members = [whole[index][1] for index in batch]
        names = [window[place].name for place in places]
        if stages.overlaps:
            yield places, pool.submit(_predict, stages, names, members)
        else:
            yield places, _infer_here(pool, stages, names, members)


def _infer_here(
    pool: Executor, stages: Stages[Item], names: Sequence[str], members: Sequence[Preprocessed]
) -> "Future[list[Result]]":
    """Run a batch in this thread, and begin its decoding in another."""
    try:
        with naming(names):
            output = stages.infer(members)
    except OcrDeployError as error:
        failed: Future[list[Result]] = Future()
        failed.set_exception(error)
        return failed
    return pool.submit(_decode, stages, names, output, members)


def _collect(
    stages: Stages[Item], window: list[_Prepared], batches: "list[tuple[list[int], Future[list[Result]]]]"
) -> Iterator[Outcome]:
    """Yield the outcomes of a window in its order."""
    outcomes: dict[int, Outcome] = {}
    for places, future in batches:
        try:
            outcomes.update(zip(places, future.result(), strict=True))
        except OF_ALL_IMAGES:
            raise
        except OcrDeployError as error:
            outcomes.update(_alone(stages, window, places, error))
    for place, each in enumerate(window):
        yield each.item if isinstance(each.item, OcrDeployError) else outcomes[place]


def _alone(
    stages: Stages[Item], window: list[_Prepared], places: list[int], error: OcrDeployError
) -> Iterator[tuple[int, Outcome]]:
    """Yield the places and outcomes of a batch that failed: its images are run again, each alone."""
    for place in places:
        name, image = window[place].name, window[place].item
        if len(places) == 1 or isinstance(image, OcrDeployError):
            yield place, error
        else:
            yield place, _predict_one(stages, name, image)
