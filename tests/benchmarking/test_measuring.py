import sys
from collections.abc import Callable
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy import open_predictor
from ocrdeploy.backends import BackendName, Batch
from ocrdeploy.benchmarking.measuring import STAGES, BenchmarkOptions, Latency, find_bottleneck, measure
from ocrdeploy.errors import ImageError, ShapeError, UsageError
from ocrdeploy.hardware import CPU, Device
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.peak_memory import peak_rss_mib, reset_peak_rss
from ocrdeploy.predictor import Predictor
from tests.support.batches import images_of

SMALL = (1, 3, 64, 96)


class _Recorder:
    """A backend that gives empty maps and notes in which order it was asked."""

    name: BackendName = "onnxruntime"
    precision = "fp32"
    tf32 = False

    def __init__(self, log: list[tuple[str, tuple[int, ...]]], label: str, device: Device = CPU) -> None:
        self.log = log
        self.label = label
        self.device = device

    def run(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        n, _, height, width = images_of(batch).shape
        self.log.append((self.label, images_of(batch).shape))
        return {"prob_map": np.zeros((n, 1, height, width), np.float32)}

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def spec(sample_onnx: Path) -> ModelSpec:
    with open_predictor(sample_onnx) as predictor:
        return predictor.spec


def test_models_are_measured_in_turn_after_a_round_that_does_not_count(spec: ModelSpec) -> None:
    log: list[tuple[str, tuple[int, ...]]] = []
    rounds: list[int] = []
    predictors = [Predictor(spec, _Recorder(log, label)) for label in "ab"]
    results = measure(predictors, BenchmarkOptions(shape=SMALL, rounds=2, count=3), rounds.append)
    # Three images as a stream and three stage by stage.
    assert [label for label, _ in log] == (["a"] * 6 + ["b"] * 6) * 3
    assert {shape for _, shape in log} == {SMALL}
    assert rounds == [1, 2]
    for result in results:
        assert (result.shape, result.batch, result.images, result.rounds) == (SMALL, 1, 3, 2)
        assert list(result.stages) == list(STAGES)
        for latency in result.stages.values():
            assert 0 < latency.p50 <= latency.p90 <= latency.p99
    assert results[0].ratio.lowest == results[0].ratio.highest == 1
    assert 0 < results[1].ratio.lowest <= results[1].ratio.median <= results[1].ratio.highest


@pytest.mark.parametrize(
    "options", [BenchmarkOptions(shape=(3, 3, 64, 96), count=4), BenchmarkOptions(batch_sizes=(3,))]
)
def test_batches_hold_as_many_images_as_asked_for(options: BenchmarkOptions, spec: ModelSpec) -> None:
    log: list[tuple[str, tuple[int, ...]]] = []
    (result,) = measure([Predictor(spec, _Recorder(log, "a"))], options)
    assert {shape[0] for _, shape in log} == {3}
    assert result.batch == result.shape[0] == 3
    assert result.images % 3 == 0
    assert result.images >= options.count


@pytest.mark.parametrize("architecture", ["panet", "crnn"])
def test_drawn_images_go_through_every_architecture(architecture: str, seeded_onnx: Callable[[str], Path]) -> None:
    with open_predictor(seeded_onnx(architecture)) as predictor:
        (result,) = measure([predictor], BenchmarkOptions(rounds=1, count=2))
    assert result.images_per_second > 0
    assert result.network_images_per_second > 0
    assert result.peak_rss_mib > 10


def test_a_word_is_brought_to_the_shape_that_is_asked_for(seeded_onnx: Callable[[str], Path]) -> None:
    with open_predictor(seeded_onnx("crnn")) as predictor:
        (result,) = measure([predictor], BenchmarkOptions(shape=(2, 1, 32, 64), rounds=1, count=2))
        with pytest.raises(ShapeError, match="the model's input has 1 channels"):
            measure([predictor], BenchmarkOptions(shape=SMALL, rounds=1, count=1))
    assert result.shape == (2, 1, 32, 64)


def test_an_image_that_cannot_be_read_is_an_error(spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.jpg"):
        measure([Predictor(spec, _Recorder([], "a"))], BenchmarkOptions((tmp_path / "none.jpg",)))


@pytest.mark.parametrize("arguments", [{"rounds": 0}, {"count": 0}, {"batch_sizes": (0,)}, {"batch_sizes": ()}])
def test_numbers_are_positive(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        BenchmarkOptions(**arguments)


@pytest.mark.parametrize(
    ("device", "milliseconds", "expected"),
    [
        # Two cores: inference takes both of them for 4 ms, decoding one for 6 ms.
        (CPU, (0, 0, 4, 6), ("inference", 8 / 14)),
        (CPU, (0, 0, 1, 6), ("postprocess", 6 / 8)),
        (Device(0), (2, 2, 4, 2), ("inference", 1.0)),
        (Device(0), (8, 2, 4, 2), ("read", 8 / 12)),
    ],
)
def test_the_bottleneck_is_what_takes_most_of_the_busiest_processor(
    device: Device, milliseconds: tuple[float, ...], expected: tuple[str, float], spec: ModelSpec
) -> None:
    stages = {stage: Latency(ms, ms, ms, ms) for stage, ms in zip(STAGES, milliseconds, strict=True)}
    stage, share = find_bottleneck(Predictor(spec, _Recorder([], "a", device), threads=2), stages)
    assert stage == expected[0]
    assert share == pytest.approx(expected[1])


def test_the_peak_of_memory_rises_and_is_counted_anew() -> None:
    reset_peak_rss()
    before = peak_rss_mib()
    with mmap(-1, 64 * 2**20) as memory:  # pages that no allocator has kept
        memory.write(b"x" * len(memory))
        assert peak_rss_mib() > before + 32
    assert peak_rss_mib() > before + 32
    if sys.platform == "linux":
        reset_peak_rss()
        assert peak_rss_mib() < before + 32
