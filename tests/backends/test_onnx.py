import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.backends import onnx as onnx_backend
from ocrdeploy.backends.onnx import OnnxRuntimeBackend
from ocrdeploy.backends.onnx_sessions import SessionSource
from ocrdeploy.errors import DeviceError, OcrDeployWarning
from ocrdeploy.hardware import CPU, Device

BATCH: NDArray[np.float32] = np.random.default_rng(0).standard_normal((1, 3, 64, 96), dtype=np.float32)

THREADS_TOLERANCE = 1e-6
"""Sums that are split among threads round differently in the last bits of float32; probabilities are at most 1."""


@pytest.fixture
def model(sample_onnx: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sample_onnx, tmp_path))


@pytest.mark.parametrize("first", ["alone", "beside"])
def test_runs_beside_each_other_compute_the_same(model: Path, first: str) -> None:
    backend = OnnxRuntimeBackend(model, CPU, threads=2)
    expected = backend.run({"input": BATCH})["prob_map"] if first == "alone" else None
    run = backend.parallel_run(2)
    assert run is not None
    beside = run({"input": BATCH})["prob_map"]
    alone = backend.run({"input": BATCH})["prob_map"] if expected is None else expected
    np.testing.assert_allclose(beside, alone, atol=THREADS_TOLERANCE, rtol=0)


def test_one_core_needs_one_session(model: Path) -> None:
    backend = OnnxRuntimeBackend(model, CPU, threads=1)
    assert backend.parallel_run(1) == backend.run


@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_is_no_longer_the_same_is_not_opened_again(model: Path, replaced: bool) -> None:
    unused, streaming = (OnnxRuntimeBackend(model, CPU, threads=2) for _ in range(2))
    run = streaming.parallel_run(2)
    assert run is not None
    expected = run({"input": BATCH})["prob_map"]
    model.unlink()
    if replaced:
        model.write_bytes(b"another model")
    assert unused.parallel_run(2) is None
    for backend in (unused, streaming):
        np.testing.assert_allclose(backend.run({"input": BATCH})["prob_map"], expected, atol=THREADS_TOLERANCE, rtol=0)


def test_a_gpu_that_the_runtime_cannot_use_is_one_warning_and_refused_where_it_was_named(
    sample_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_backend, "cuda_device_count", lambda: 1)
    with pytest.warns(
        OcrDeployWarning, match=r"^running on the CPU: this ONNX Runtime is built without CUDA\. Install"
    ):
        assert OnnxRuntimeBackend(sample_onnx).device == CPU
    with pytest.raises(DeviceError, match="built without CUDA"):
        OnnxRuntimeBackend(sample_onnx, Device(0))
    monkeypatch.setattr(onnx_backend, "available_providers", lambda: ("CUDAExecutionProvider", "CPUExecutionProvider"))
    real = SessionSource.open
    # ONNX Runtime goes on without a provider that fails to load.
    monkeypatch.setattr(SessionSource, "open", lambda self, _device, threads: real(self, CPU, threads))
    monkeypatch.setattr(onnx_backend, "cuda_problem", lambda: "libcudnn.so.9: cannot open")
    with pytest.warns(OcrDeployWarning, match=r"^running on the CPU: libcudnn\.so\.9: cannot open\. Install CUDA and"):
        assert OnnxRuntimeBackend(sample_onnx).device == CPU
    with pytest.raises(DeviceError, match=r"ONNX Runtime cannot use cuda:0: libcudnn\.so\.9"):
        OnnxRuntimeBackend(sample_onnx, Device(0))
