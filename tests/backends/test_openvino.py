"""OpenVINO gives what ONNX Runtime gives, and says what it computes."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from ocrdeploy.backends.onnx import OnnxRuntimeBackend
from ocrdeploy.errors import CheckError, DeviceError, ModelError, UsageError
from ocrdeploy.hardware import Device
from tests.support.foreign_models import write_detector, write_recogniser

openvino = pytest.importorskip("ocrdeploy.backends.openvino", reason="openvino is not installed")

TOLERANCE = 1e-4
"""Of the largest magnitude: two runtimes that sum in another order."""
ARCHITECTURES = ("dbnet", "psenet", "panet", "crnn")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_outputs_are_those_of_onnx_runtime(architecture: str, seeded_onnx: Callable[[str], Path]) -> None:
    path = seeded_onnx(architecture)
    backend, reference = openvino.OpenVINOBackend(path, threads=1), OnnxRuntimeBackend(path, threads=1)
    name, shape, _ = backend.inputs[0]
    channels, height = shape[1], shape[2] if isinstance(shape[2], int) else 64
    for count, width in ((1, 96), (3, 64)):
        batch = {name: np.random.default_rng(0).standard_normal((count, channels, height, width)).astype(np.float32)}
        found, expected = backend.run(batch), reference.run(batch)
        assert list(found) == list(expected)
        for key, values in expected.items():
            assert found[key].dtype == values.dtype
            assert np.abs(found[key] - values).max() <= TOLERANCE * max(1, np.abs(values).max())
    backend.close()


def test_runs_beside_each_other_give_the_same(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    backend = openvino.OpenVINOBackend(write_detector(tmp_path / "d.onnx"), threads=2)
    run = backend.parallel_run(2)
    batches = [{"x": np.full((1, 3, 32, 32 + 32 * (index % 3)), index / 9, np.float32)} for index in range(12)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(run, batches))
    for batch, outputs in zip(batches, together, strict=True):
        np.testing.assert_array_equal(outputs["map"], backend.run(batch)["map"])


def test_an_output_is_no_view_of_the_next(tmp_path: Path) -> None:
    backend = openvino.OpenVINOBackend(write_detector(tmp_path / "d.onnx"), threads=1)
    first = backend.run({"x": np.ones((1, 3, 32, 32), np.float32)})["map"]
    kept = first.copy()
    backend.run({"x": -np.ones((1, 3, 32, 32), np.float32)})
    np.testing.assert_array_equal(first, kept)


def test_float32_is_computed_unless_less_is_asked_for(tmp_path: Path) -> None:
    """OpenVINO's own default is bfloat16 where the CPU has it."""
    path = write_detector(tmp_path / "d.onnx")
    assert openvino.OpenVINOBackend(path, threads=1).precision == "fp32"
    formats = openvino.cpu_formats()
    assert "fp32" in formats
    assert openvino.OpenVINOBackend(path, threads=1, precision="auto").precision in formats
    for asked in ("bf16", "fp16"):
        if asked in formats:
            assert openvino.OpenVINOBackend(path, threads=1, precision=asked).precision == asked
        else:
            with pytest.raises(DeviceError, match=f"asked to compute .* in {asked} and computes it in"):
                openvino.OpenVINOBackend(path, threads=1, precision=asked)


def test_a_format_that_does_not_exist_is_refused() -> None:
    assert openvino.parse_precision("BF16") == "bf16"
    with pytest.raises(UsageError, match="one of auto, fp32, fp16, bf16, got 'int4'"):
        openvino.parse_precision("int4")


def test_a_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="does not run on cuda:0"):
        openvino.OpenVINOBackend(write_detector(tmp_path / "d.onnx"), Device(0))


def test_operators_of_others_are_refused_by_name(tmp_path: Path) -> None:
    model = onnx.load_model(write_detector(tmp_path / "d.onnx"))
    model.graph.node[1].op_type, model.graph.node[1].domain = "Custom", "of.others"
    model.opset_import.append(onnx.helper.make_opsetid("of.others", 1))
    onnx.save_model(model, tmp_path / "custom.onnx")
    with pytest.raises(ModelError, match="Custom"):
        openvino.OpenVINOBackend(tmp_path / "custom.onnx", threads=1)


def test_an_input_that_does_not_fit_is_an_error_in_words(tmp_path: Path) -> None:
    backend = openvino.OpenVINOBackend(write_recogniser(tmp_path / "r.onnx"), threads=1)
    with pytest.raises(CheckError, match=r"cannot run .* on an input of 3×48"):
        backend.run({"x": np.zeros((3, 48), np.float32)})


def test_compiled_models_are_kept(tmp_path: Path) -> None:
    path, cache = write_detector(tmp_path / "d.onnx"), tmp_path / "cache"
    cache.mkdir()
    openvino.OpenVINOBackend(path, threads=1, cache=cache)
    assert any(cache.iterdir())


def test_nothing_is_sent_and_nothing_is_left_at_home(tmp_path: Path) -> None:
    """Its tools can report to their maker; a run must not."""
    path = write_detector(tmp_path / "d.onnx")
    program = (
        "import sys\n"
        "sys.addaudithook(lambda name, _: name.startswith('socket.connect') and sys.exit(name))\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from ocrdeploy.backends.openvino import OpenVINOBackend\n"
        f"OpenVINOBackend(Path({str(path)!r}), threads=1).run({{'x': np.zeros((1, 3, 32, 32), np.float32)}})\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "HOME": str(home)})
    assert list(home.iterdir()) == []
