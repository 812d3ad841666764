"""What can be imported from `ocrdeploy` itself."""

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main

import ocrdeploy
from ocrdeploy import Detection, Recognition
from ocrdeploy.cli.app import app

GROUP: Any = typer.main.get_command(app)
HEAVY = ("torch", "onnxruntime", "onnx", "cv2", "numpy", "typer", "rich", "tensorrt_rtx")


@pytest.mark.parametrize("name", ocrdeploy.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert name in dir(ocrdeploy)
    assert getattr(ocrdeploy, name) is not None


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        ocrdeploy.nothing  # noqa: B018


def test_every_error_is_a_public_name() -> None:
    from ocrdeploy import errors

    kinds = [name for name, value in vars(errors).items() if isinstance(value, type)]
    assert [name for name in kinds if issubclass(getattr(errors, name), Exception) and name not in dir(ocrdeploy)] == []


def test_the_names_alone_import_nothing_heavy() -> None:
    program = f"import ocrdeploy, sys; dir(ocrdeploy); sys.exit(any(name in sys.modules for name in {HEAVY}))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", ["export_model", "verify", "evaluate", "build_engine", "benchmark", "open_predictor"])
def test_functions_import_pytorch_only_when_they_are_called(name: str) -> None:
    program = f"import ocrdeploy, sys; ocrdeploy.{name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


SCREEN = {"json_file", "markdown", "csv", "junit", "github", "quiet", "verbose", "show"}
"""What is for the screen, for files that are made of the results, and for CI."""
GATES = {"fail_under", "fail_over", "max_drop", "baseline", "max_slowdown"}
"""Thresholds; in Python numbers are compared."""
ELSEWHERE = {
    "export": {"verify", "builder", "mmocr_python", "threads"},
    "build-engine": {"verify", "image", "profiles", "threads"},
    "verify": set[str](),
    "evaluate": {"worst_folder", "from_predictions", "read"},
    "benchmark": set[str](),
}
"""What is another function's, or of the command alone."""
OTHER_NAMES = {
    "output_file": "output",
    "model": "onnx",
    "eval_metrics": "metrics",
    "device_id": "device",
    "backends": "backend",
}


@pytest.mark.parametrize(
    ("command", "function"),
    [
        ("export", "export_model"),
        ("build-engine", "build_engine"),
        ("verify", "verify"),
        ("evaluate", "evaluate"),
        ("benchmark", "benchmark"),
    ],
)
def test_functions_have_the_options_of_their_commands(command: str, function: str) -> None:
    options = {parameter.name for parameter in GROUP.commands[command].params} - {"help"}
    options -= SCREEN | GATES | ELSEWHERE[command]
    parameters = set(inspect.signature(getattr(ocrdeploy, function)).parameters)
    assert {OTHER_NAMES.get(name, name) for name in options} == parameters


def test_results_can_be_written_as_json_and_read_in_a_console() -> None:
    found = Detection(np.array([[1, 2], [3.25, 4], [5, 6]], np.float64), 0.5)
    assert json.loads(json.dumps(found.to_dict())) == {"polygon": [1, 2, 3.25, 4, 5, 6], "score": 0.5}
    assert repr(found) == "Detection(score=0.500, polygon=[(1.0, 2.0), (3.2, 4.0), (5.0, 6.0)])"
    read = Recognition("ab", (0.5, 1.0))
    assert json.loads(json.dumps(read.to_dict())) == {"text": "ab", "score": 0.75, "char_scores": [0.5, 1.0]}
    assert repr(read) == "Recognition('ab', score=0.750)"
    assert Recognition("", ()).score == 0


def test_a_model_is_exported_with_plain_arguments(sample_dir: Path, tmp_path: Path) -> None:
    model = tmp_path / "folder" / "m.onnx"
    report = ocrdeploy.export_model(
        str(sample_dir / "dbnet_sample.py"), str(sample_dir / "dbnet_sample.pth"), str(model), shape=(1, 3, 64, 64)
    )
    assert (report.path, report.spec.input.shape) == (model, (1, 3, 64, 64))
    with pytest.raises(ocrdeploy.UsageError, match=r"sample\.pth"):
        ocrdeploy.export_model(
            sample_dir / "dbnet_sample.py", sample_dir / "dbnet_sample.pth", sample_dir / "dbnet_sample.pth"
        )


def test_an_engine_of_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ocrdeploy.InputError, match="is tensorrt or tensorrt-rtx"):
        ocrdeploy.build_engine(tmp_path / "m.onnx", runtime="cuda")
    with pytest.raises(ocrdeploy.OcrDeployError, match=r"m\.onnx"):
        ocrdeploy.build_engine(tmp_path / "m.onnx", runtime="tensorrt-rtx", compute_capability="8.6", max_batch=2)


def test_a_benchmark_gives_rows(small_onnx: Path) -> None:
    first, second = ocrdeploy.benchmark(small_onnx, batch_size=[1, 2], count=2, rounds=1, threads=1)
    assert (first.model, first.measured.batch, second.measured.batch) == (str(small_onnx), 1, 2)
    assert first.numbers()["images_per_second"] == first.measured.images_per_second > 0
    with pytest.raises(ocrdeploy.ImageError):
        ocrdeploy.benchmark(small_onnx, images=["none.png"], count=1, rounds=1)
