"""How fast models are, stage by stage, and as a whole."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ocrdeploy.errors import ShapeError, UsageError
from ocrdeploy.peak_memory import peak_rss_mib, reset_peak_rss
from ocrdeploy.predictor import SIDE_WORKERS, ImageInput, Predictor
from ocrdeploy.tensors import check_asked_shape
from ocrdeploy.verification.inputs import drawn_images, static_shape

InputShape = tuple[int, int, int, int]
Stage = Literal["read", "preprocess", "inference", "postprocess"]
STAGES: tuple[Stage, ...] = ("read", "preprocess", "inference", "postprocess")
PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class BenchmarkOptions:
    """What to measure, and how often.

    Attributes:
        images: Image files; None draws some.
        batch_sizes: Images of one size that run together, each model in turn with each number; a static model has its
            own. None leaves it to a measurement on the first images, see `Predictor.choose_batch_size`.
        shape: Shape N×C×H×W that the images are brought to, whatever the model's pipeline makes of them; N is the batch
            size. None takes what the pipeline makes of them, for a static model its shape.
        rounds: How often every model is measured.
        count: How many images go through in a round; those that are given are taken again and again.

    Raises:
        UsageError: A number is not positive.
    """

    images: tuple[Path, ...] | None = None
    batch_sizes: tuple[int | None, ...] = (1,)
    shape: InputShape | None = None
    rounds: int = 5
    count: int = 10

    def __post_init__(self) -> None:
        """Refuse numbers that are not positive."""
        sizes = [1 if size is None else size for size in self.batch_sizes]
        if not sizes or min(*sizes, self.rounds, self.count) < 1:
            raise UsageError("batch size, rounds and count of a benchmark are positive numbers")
        if self.shape is not None:
            check_asked_shape(self.shape, "--shape")


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds an image: percentiles and mean over all images of all rounds."""

    p50: float
    p90: float
    p99: float
    mean: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """Speed in relation to the first model's in the same round: above 1 is faster. Median, smallest, largest."""

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What was measured of one model with one batch size.

    Attributes:
        model: The model's place among those that were given.
        batch: Images that ran together.
        shapes: The shapes N×C×H×W that the network was given, each once.
        images: Images a round.
        rounds: Number of rounds.
        threads: Number of CPU cores.
        stages: The latency of each stage, one after the other, with all cores at work on each.
        images_per_second: Median over the rounds, all stages together, as a stream.
        network_images_per_second: Median over the rounds, the network alone on the same tensors.
        rounds_images_per_second: All stages together in each round, of which `images_per_second` is the median.
        ratio: Speed of all stages together in relation to the first model's.
        network_ratio: Likewise of the network alone.
        peak_rss_mib: Most memory of the process while it ran as a stream, other models that are open included.
        bottleneck: The stage that the stream's speed depends on most.
        bottleneck_share: Its part, 0 to 1, of the time of that processor which has most to do.
    """

    model: int
    batch: int
    shapes: tuple[InputShape, ...]
    images: int
    rounds: int
    threads: int
    stages: dict[Stage, Latency]
    images_per_second: float
    network_images_per_second: float
    rounds_images_per_second: tuple[float, ...]
    ratio: Ratio
    network_ratio: Ratio
    peak_rss_mib: float
    bottleneck: Stage
    bottleneck_share: float

    @property
    def shape(self) -> InputShape:
        """The shape N×C×H×W of all batches, with -1 for a length that differs between them."""
        n, c, h, w = (lengths[0] if len(set(lengths)) == 1 else -1 for lengths in zip(*self.shapes, strict=True))
        return n, c, h, w


def measure(
    predictors: Sequence[Predictor],
    options: BenchmarkOptions,
    on_round: Callable[[int], None] = lambda _done: None,
) -> list[Benchmark]:
    """Measure models, all of them with the first batch size, then with the next.

    After a round of warming up, every model is measured once a round with every batch size, so that whatever else the
    machine does falls on all of them alike.

    Args:
        predictors: The models; the ratios are to the first with the first batch size.
        options: What to measure.
        on_round: Called with the number of rounds that are done.

    Raises:
        InputError: An image cannot be read, or a model does not take the shape.
        CheckError: A network's output is not finite.
    """
    subjects = [
        _make_subject(index, predictor, size, options)
        for size in options.batch_sizes
        for index, predictor in enumerate(predictors)
    ]
    for done in range(-1, options.rounds):
        for subject in subjects:
            subject.run_stream()
            subject.run_stages()
        if done < 0:
            for subject in subjects:
                subject.forget()
        else:
            on_round(done + 1)
    return [_summarize(subject, subjects[0], options) for subject in subjects]


@dataclass(slots=True)
class _Subject:
    """A model with the images of a round, and what was measured of it in seconds."""

    model: int
    predictor: Predictor
    images: Sequence[ImageInput]
    batch: int
    shapes: dict[InputShape, None] = field(default_factory=dict)
    peak_rss: float = 0.0
    times: dict[Stage, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    stream_seconds: list[float] = field(default_factory=list)
    network_seconds: list[float] = field(default_factory=list)

    def forget(self) -> None:
        """Forget what was measured, but not the memory."""
        self.times = {stage: [] for stage in STAGES}
        self.stream_seconds.clear()
        self.network_seconds.clear()

    def run_stream(self) -> None:
        """Measure all stages together."""
        reset_peak_rss()
        started = time.perf_counter()
        for _ in self.predictor.stream(self.images, self.batch):
            pass
        self.stream_seconds.append(time.perf_counter() - started)
        self.peak_rss = max(self.peak_rss, peak_rss_mib())

    def run_stages(self) -> None:
        """Measure each stage of each batch on its own; a batch's time is shared by its images."""
        predictor = self.predictor
        inference_before = sum(self.times["inference"])
        for group in _groups(self.images, self.batch):
            marks = [time.perf_counter()]
            pixels = [predictor.read(image) for image in group]
            marks.append(time.perf_counter())
            prepared = [predictor.preprocess(image) for image in pixels]
            marks.append(time.perf_counter())
            output = predictor.infer_prepared(prepared)
            marks.append(time.perf_counter())
            predictor.decode(output, prepared)
            marks.append(time.perf_counter())
            for stage, seconds in zip(STAGES, np.diff(marks).tolist(), strict=True):
                self.times[stage] += [seconds / len(group)] * len(group)
            channels, height, _ = prepared[0].tensor.shape
            width = max(item.tensor.shape[2] for item in prepared)
            self.shapes[self.batch, channels, height, width] = None
        self.network_seconds.append(sum(self.times["inference"]) - inference_before)


def _make_subject(model: int, predictor: Predictor, size: int | None, options: BenchmarkOptions) -> _Subject:
    """Return a model with its images."""
    spec = predictor.spec
    shape = options.shape or (static_shape(spec) if options.images is None else None)
    if shape is not None:
        channels = spec.input.shape[1]
        if shape[1] != channels:
            raise ShapeError(f"the model's input has {channels} channels, and the shape {shape} has {shape[1]}")
    given: Sequence[ImageInput] = options.images if options.images is not None else drawn_images(spec)
    batch = predictor.inference.batch_size(_batch_size(predictor, size, options, given))
    if batch > 1:
        # One image for the whole of a batch: those of different sizes would not run together.
        images = [given[index // batch % len(given)] for index in range(-(-options.count // batch) * batch)]
    else:
        images = [given[index % len(given)] for index in range(options.count)]
    if shape is not None:
        predictor = predictor.with_steps([step.fixed_to(shape[2:]) for step in spec.preprocessing])
    return _Subject(model, predictor, images, batch)


def _batch_size(predictor: Predictor, size: int | None, options: BenchmarkOptions, images: Sequence[ImageInput]) -> int:
    """Return how many images are to run together."""
    if options.shape is not None:
        return options.shape[0]
    return predictor.choose_batch_size(images).size if size is None else size


def _groups(images: Sequence[ImageInput], size: int) -> list[Sequence[ImageInput]]:
    """Return the images in batches."""
    return [images[start : start + size] for start in range(0, len(images), size)]


def _summarize(subject: _Subject, first: _Subject, options: BenchmarkOptions) -> Benchmark:
    """Return the numbers of a model."""
    stages = {stage: _latency(subject.times[stage]) for stage in STAGES}
    bottleneck, share = find_bottleneck(subject.predictor, stages)
    count = len(subject.images)
    return Benchmark(
        model=subject.model,
        batch=subject.batch,
        shapes=tuple(subject.shapes),
        images=count,
        rounds=options.rounds,
        threads=subject.predictor.threads,
        stages=stages,
        images_per_second=count / float(np.median(subject.stream_seconds)),
        network_images_per_second=count / float(np.median(subject.network_seconds)),
        rounds_images_per_second=tuple(count / seconds for seconds in subject.stream_seconds),
        ratio=_ratio(first.stream_seconds, subject.stream_seconds, count / len(first.images)),
        network_ratio=_ratio(first.network_seconds, subject.network_seconds, count / len(first.images)),
        peak_rss_mib=subject.peak_rss,
        bottleneck=bottleneck,
        bottleneck_share=share,
    )


def find_bottleneck(predictor: Predictor, stages: dict[Stage, Latency]) -> tuple[Stage, float]:
    """Return the stage that takes most of the processor which has most to do, and its part of that time.

    On the CPU all stages share the cores: inference takes all of them while it runs, each other stage one. A GPU does
    inference alone, and threads beside it do the rest.
    """
    core_time = {stage: stages[stage].mean for stage in STAGES}
    if predictor.backend.device.is_cuda:
        beside: dict[Stage, float] = {
            stage: core_time[stage] / SIDE_WORKERS for stage in STAGES if stage != "inference"
        }
        if core_time["inference"] >= sum(beside.values()):
            return "inference", 1.0
        core_time = beside
    else:
        core_time["inference"] *= predictor.threads
    stage = max(core_time, key=lambda each: core_time[each])
    total = sum(core_time.values())
    return stage, core_time[stage] / total if total else 1.0


def _latency(seconds: Sequence[float]) -> Latency:
    """Return percentiles and mean in milliseconds."""
    milliseconds = np.array(seconds) * 1000
    p50, p90, p99 = np.percentile(milliseconds, PERCENTILES).tolist()
    return Latency(p50, p90, p99, float(milliseconds.mean()))


def _ratio(first: Sequence[float], own: Sequence[float], work: float) -> Ratio:
    """Return the speeds of the rounds in relation to the first model's, which did 1 / `work` as many images."""
    ratios = work * np.array(first) / np.array(own)
    return Ratio(float(np.median(ratios)), float(ratios.min()), float(ratios.max()))
