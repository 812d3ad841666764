from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy import open_predictor
from ocrdeploy.backends import Batch
from ocrdeploy.batch_choice import MAX_SECONDS, REPEATS, SIZES, BatchChoice, measure_batch_size
from ocrdeploy.exporting import ExportRequest, export_model
from tests.support.batches import batch_of, images_of
from tests.support.models import write_model

WORD: NDArray[np.float32] = np.zeros((1, 1, 32, 100), np.float32)


class Machine:
    """A network whose runs take as long as is told, and the clock by which they do."""

    def __init__(self, milliseconds: dict[int, float]) -> None:
        self.milliseconds = milliseconds
        self.now = 0.0
        self.batches: list[int] = []

    def run(self, batch: Batch) -> None:
        size = len(images_of(batch))
        self.batches.append(size)
        self.now += size * self.milliseconds[size] / 1000

    def choose(self, image: NDArray[np.float32] = WORD) -> BatchChoice:
        return measure_batch_size(self.run, batch_of(image), lambda: self.now)


@pytest.mark.parametrize(
    ("milliseconds", "size", "measured"),
    [
        ({1: 4, 2: 3, 4: 2.5, 8: 2.2, 16: 2.0}, 16, (1, 2, 4, 8, 16)),
        ({1: 4, 2: 3, 4: 2.9, 8: 1.0, 16: 1.0}, 2, (1, 2, 4)),
        ({1: 4, 2: 4.1}, 1, (1, 2)),
        ({1: 4, 2: 3.81}, 1, (1, 2)),
        ({1: 4, 2: 3.79, 4: 9.0}, 2, (1, 2, 4)),
    ],
)
def test_a_batch_grows_as_long_as_it_gains(
    milliseconds: dict[int, float], size: int, measured: tuple[int, ...]
) -> None:
    machine = Machine(milliseconds)
    choice = machine.choose()
    assert choice.size == size
    assert tuple(choice.milliseconds) == measured
    assert choice.milliseconds == pytest.approx({each: milliseconds[each] for each in measured})
    assert machine.batches == [each for each in measured for _ in range(REPEATS)]


def test_a_slow_machine_is_not_measured_for_long() -> None:
    machine = Machine({1: 60, 2: 50, 4: 40, 8: 30, 16: 20})
    assert machine.choose().size == 2
    assert machine.now < MAX_SECONDS
    slower = Machine(dict.fromkeys(SIZES, 5000))
    assert slower.choose().size == 1
    assert slower.batches == [1] * REPEATS


def test_a_wide_word_does_not_fill_the_memory() -> None:
    machine = Machine({1: 4, 2: 3, 4: 2, 8: 1, 16: 0.5})
    assert machine.choose(np.zeros((1, 1, 32, 2000), np.float32)).size == 4


def test_the_choice_is_told_with_its_reason() -> None:
    assert (
        BatchChoice(2, {1: 4.0, 2: 3.123}).text == "batch size 2 (time an image by batch size: 1: 4.00 ms, 2: 3.12 ms)"
    )
    assert BatchChoice(1).text == "batch size 1"


def word(width: int) -> NDArray[np.uint8]:
    return np.full((32, width, 3), 128, np.uint8)


def test_words_are_measured_at_their_median_width(seeded_recognizer: Callable[..., Path], tmp_path: Path) -> None:
    with open_predictor(seeded_recognizer(decode_in_graph=False), device="cpu", threads=1) as predictor:
        shapes: list[tuple[int, ...]] = []
        run = predictor.backend.run

        def record(batch: Batch) -> dict[str, NDArray[np.float32]]:
            shapes.append(images_of(batch).shape)
            return run(batch)

        predictor.backend.run = record  # type: ignore[method-assign]
        choice = predictor.choose_batch_size([word(320), tmp_path / "none.png", word(64), word(96)])
        assert {shape[1:] for shape in shapes} == {(1, 32, 96)}
        assert choice.size in SIZES
        assert predictor.choose_batch_size([]) == BatchChoice(1)
        assert predictor.choose_batch_size([tmp_path / "none.png"]) == BatchChoice(1)


def test_detectors_and_static_models_are_not_measured(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    with open_predictor(seeded_onnx("dbnet")) as predictor:
        assert predictor.choose_batch_size([word(64)]) == BatchChoice(1)
    files = write_model(tmp_path, "crnn")
    path = tmp_path / "static.onnx"
    export_model(ExportRequest(files.config, files.checkpoint, path, shape=(3, 1, 32, 96)))
    with open_predictor(path) as predictor:
        assert predictor.choose_batch_size([word(96)]) == BatchChoice(3)
