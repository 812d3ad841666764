"""A config is a program: a command runs it once, however many models, backends and data sets ask it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome

Command = Callable[..., Outcome]


@pytest.fixture
def counting(sample_dir: Path, tmp_path: Path) -> tuple[Path, Callable[[], int]]:
    """The sample's config, which counts how often it runs, and how often that was since it was asked."""
    runs, config = tmp_path / "runs.txt", tmp_path / "counting.py"
    text = (sample_dir / "dbnet_sample.py").read_text().replace("img_scale=(1333, 736)", "img_scale=(448, 256)")
    config.write_text(f"{text}\nwith open({str(runs)!r}, 'a') as _file:\n    _file.write('x')\ndel _file\n")

    def count() -> int:
        number = len(runs.read_text()) if runs.exists() else 0
        runs.unlink(missing_ok=True)
        return number

    return config, count


def test_every_command_runs_a_config_once(
    command: Command,
    counting: tuple[Path, Callable[[], int]],
    sample_dir: Path,
    sample_data: list[str],
    tmp_path: Path,
) -> None:
    config, count = counting
    checkpoint, image = sample_dir / "dbnet_sample.pth", next((sample_dir / "imgs").glob("*.jpg"))
    model = tmp_path / "model.onnx"
    assert command("export", config, checkpoint, "--dynamic", "-o", model, "--verify").code == 0
    assert count() == 1
    given = ["--config", config]
    for words in (
        ("evaluate", model, checkpoint, "--backend", "torch,onnxruntime", *sample_data, *given),
        ("evaluate", model, "--backend", "torch,onnxruntime", *sample_data),
        ("predict", checkpoint, image, *given),
        ("verify", model, checkpoint, *given, "--images", image),
        ("verify", model, "--images", image),
        ("benchmark", checkpoint, *given, "--count", 1, "--rounds", 1),
    ):
        outcome = command(*words)
        assert (outcome.code, count()) == (0, 1), (words, outcome.err)
