"""The commands with OpenVINO."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openvino", reason="openvino is not installed")

Command = Callable[..., Any]


def test_it_is_a_column_of_its_own(small_onnx: Path, sample_data: list[str], command: Command) -> None:
    outcome = command("evaluate", small_onnx, "--backend", "onnxruntime,openvino", *sample_data, "--json", "-")
    first, second = outcome.document["rows"]
    assert (first["backend"], second["backend"]) == ("onnxruntime", "openvino")
    assert second["precision"] == "fp32"
    assert second["metrics"] == pytest.approx(first["metrics"], abs=1e-3)


def test_it_is_verified(small_onnx: Path, sample_dir: Path, command: Command) -> None:
    image = sample_dir / "imgs" / "syn_0025.jpg"
    outcome = command("verify", small_onnx, "--backend", "openvino", "--images", image, "--json", "-")
    assert outcome.code == 0, outcome.err
    (comparison,) = outcome.document["comparisons"]
    assert (comparison["reference"], comparison["candidate"]) == ("torch", "openvino")


def test_a_format_is_for_openvino_alone(small_onnx: Path, sample_dir: Path, command: Command) -> None:
    image = sample_dir / "imgs" / "syn_0025.jpg"
    assert "--precision" in command("predict", small_onnx, image, "--precision", "bf16").error
    assert command("predict", small_onnx, image, "--backend", "openvino", "--precision", "int4").code == 2
    assert command("predict", small_onnx, image, "--backend", "openvino", "--precision", "auto").code == 0
    assert command("predict", small_onnx, image, "--backend", "openvino", "--device", "cuda").code == 3
