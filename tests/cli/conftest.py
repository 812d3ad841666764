import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from ocrdeploy.cli.main import run

HMEAN_ON_SAMPLE = 0.9726
"""What the real MMOCR 0.6.3 gives on the bundled images."""


@dataclass(frozen=True)
class Outcome:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The error, and behind it the hint of what to do, as one sentence after the other."""
        error, *hint = (line for line in self.err.splitlines() if not line.startswith("Usage: "))
        assert error.startswith("ocrdeploy: error: ")
        assert len(hint) <= 1, self.err
        assert all(line.startswith("hint: ") for line in hint)
        return ". ".join([error.removeprefix("ocrdeploy: error: "), *(line.removeprefix("hint: ") for line in hint)])

    @property
    def misuse(self) -> tuple[str, str, str]:
        """The usage line, the error and the hint of a command line that cannot be understood."""
        usage, error, hint = self.err.splitlines()
        assert usage.startswith("Usage: ocrdeploy")
        return usage, error.removeprefix("ocrdeploy: error: "), hint.removeprefix("hint: ")


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run a command line in this process."""
    monkeypatch.setitem(os.environ, "OPENCV_LOG_LEVEL", "SILENT")

    def call(*arguments: str | Path | int) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def sample_data(sample_dir: Path) -> list[str]:
    """The options that name the bundled images and their annotation."""
    return ["--ann-file", str(sample_dir / "instances_test.json"), "--img-prefix", str(sample_dir / "imgs")]


@pytest.fixture
def changed_onnx(small_onnx: Path, tmp_path: Path) -> Path:
    """A small model with another last bias: the map is lower everywhere, so boxes vanish."""
    model = onnx.load_model(small_onnx)
    last = next(node for node in reversed(model.graph.node) if node.op_type == "ConvTranspose")
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == last.input[2])
    bias.CopyFrom(onnx.numpy_helper.from_array((onnx.numpy_helper.to_array(bias) - 4).astype(np.float32), bias.name))
    path = tmp_path / "changed.onnx"
    onnx.save_model(model, path)
    return path
