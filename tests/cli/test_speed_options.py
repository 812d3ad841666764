"""Options that decide how fast a command is, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrdeploy.batch_choice import BatchChoice
from ocrdeploy.predictor import Predictor
from tests.cli.conftest import Outcome

Command = Callable[..., Outcome]
WORDS = 5


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A list of words and their images."""
    folder = tmp_path / "words"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(WORDS):
        cv2.imwrite(str(folder / f"{index}.png"), generator.integers(0, 255, (32, 96, 3)).astype(np.uint8))
    (folder / "words.tsv").write_text("".join(f"{index}.png\tword\n" for index in range(WORDS)))
    return folder


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The batch sizes with which predictors stream; a measurement chooses 4."""
    sizes: list[int] = []
    stream = Predictor.stream_outcomes

    def record(self: Predictor, images: object, batch_size: int = 1, **options: bool) -> object:
        sizes.append(batch_size)
        return stream(self, images, batch_size, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Predictor, "stream_outcomes", record)
    monkeypatch.setattr(Predictor, "choose_batch_size", lambda _self, _images: BatchChoice(4, {1: 2.0, 4: 1.0}))
    return sizes


def test_evaluate_takes_the_batch_size_that_was_measured_and_tells_it(
    command: Command, seeded_recognizer: Callable[..., Path], words: Path, streamed: list[int]
) -> None:
    model = seeded_recognizer(decode_in_graph=True)
    data = "--data", words / "words.tsv", "--img-prefix", words
    outcome = command("evaluate", model, *data, "--json", "-")
    assert outcome.code == 0
    assert (outcome.document["rows"][0]["batch_size"], streamed) == (4, [4])
    assert "batch size 4 (time an image by batch size: 1: 2.00 ms" in command("evaluate", model, *data, "-v").out
    outcome = command("evaluate", model, *data, "--json", "-", "--batch-size", 2)
    assert (outcome.document["rows"][0]["batch_size"], streamed) == (2, [4, 4, 2])


def test_predictions_do_not_depend_on_a_measurement(
    command: Command, seeded_recognizer: Callable[..., Path], words: Path, streamed: list[int], tmp_path: Path
) -> None:
    model = seeded_recognizer(decode_in_graph=False)
    data = "--data", words / "words.tsv", "--img-prefix", words
    outcome = command("evaluate", model, *data, "--predictions", tmp_path / "p.jsonl", "--json", "-")
    assert (outcome.document["rows"][0]["batch_size"], streamed) == (1, [1])


def test_predict_and_benchmark_take_it_as_well(
    command: Command, seeded_recognizer: Callable[..., Path], words: Path, streamed: list[int]
) -> None:
    model = seeded_recognizer(decode_in_graph=True)
    images = sorted(words.glob("*.png"))
    assert command("predict", model, *images, "--json", "-").code == 0
    assert command("predict", model, *images, "--json", "-", "--batch-size", 3).code == 0
    assert streamed == [4, 3]
    rows = command("benchmark", model, "--rounds", 1, "--count", 4, "--json", "-").document["rows"]
    assert [row["batch"] for row in rows] == [4]


def test_a_detector_runs_one_image_at_a_time(
    command: Command, small_onnx: Path, sample_data: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    outcome = command("evaluate", small_onnx, *sample_data, "--json", "-")
    assert outcome.document["rows"][0]["batch_size"] == 1


@pytest.mark.parametrize("name", ["evaluate", "predict", "benchmark"])
def test_optimised_models_are_kept_in_a_folder_that_is_there(
    name: str, command: Command, seeded_recognizer: Callable[..., Path], words: Path, tmp_path: Path
) -> None:
    model, cache = seeded_recognizer(decode_in_graph=True), tmp_path / "cache"
    arguments = {
        "evaluate": ("--data", words / "words.tsv", "--img-prefix", words),
        "predict": (words,),
        "benchmark": ("--rounds", 1, "--count", 1, "--batch-size", 1),
    }[name]
    line = (name, model, *arguments, "--optimized-model-cache", cache)
    outcome = command(*line)
    assert outcome.code == 2
    assert outcome.error == f"the folder for optimised models {cache} does not exist. Make it first."
    cache.mkdir()
    assert command(*line).code == 0
    assert len(list(cache.iterdir())) == 1
