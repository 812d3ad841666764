"""What only a GPU can show: networks on CUDA compute what they compute on the CPU."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ocrdeploy import open_predictor
from ocrdeploy.hardware import cuda_device_count
from ocrdeploy.verification.inputs import drawn_images
from ocrdeploy.verification.verifying import verify
from tests.support.models import ARCHITECTURES, write_model

pytestmark = [
    pytest.mark.requires_cuda,
    pytest.mark.skipif(not cuda_device_count(), reason="this machine has no NVIDIA GPU"),
]

FLOAT32_TOLERANCE = 5e-5
"""Relative to the largest magnitude. Measured with TF32 off: 1.5e-6 to 3.8e-6; with it, 6e-4 to 3.5e-3."""


@pytest.fixture(params=["onnxruntime", "torch"])
def backend(request: pytest.FixtureRequest) -> str:
    """A backend that runs on CUDA here; the test is skipped where it is not installed or built without CUDA."""
    if request.param == "torch":
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("this PyTorch is built without CUDA")
    else:
        if importlib.util.find_spec("onnxruntime") is None:
            pytest.skip("onnxruntime-gpu is not installed")
        import onnxruntime

        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            pytest.skip("this ONNX Runtime is built without CUDA")
    return str(request.param)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_cuda_computes_what_the_cpu_does(architecture: str, backend: str, seeded_onnx: Callable[[str], Path]) -> None:
    model = seeded_onnx(architecture)
    with (
        open_predictor(model, device="cpu") as reference,
        open_predictor(model, backend=backend, device="cuda") as candidate,
    ):
        assert "cuda" in str(candidate.backend.device).lower()
        for pixels in drawn_images(reference.spec):
            batch = reference.prepare(pixels).tensor[None]
            expected, found = reference.infer(batch), candidate.infer(batch)
            for name, values in expected.items():
                allowed = FLOAT32_TOLERANCE * max(1.0, float(np.abs(values).max()))
                np.testing.assert_allclose(found[name], values, rtol=0, atol=allowed)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_verify_passes_on_cuda(architecture: str, backend: str, seeded_onnx: Callable[[str], Path]) -> None:
    model = seeded_onnx(architecture)
    with (
        open_predictor(model, device="cpu") as reference,
        open_predictor(model, backend=backend, device="cuda") as candidate,
    ):
        assert verify(reference, candidate, []).passed


def test_pytorch_is_left_as_it_was(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    files = write_model(tmp_path, "dbnet")
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32, torch.get_num_threads()
    with open_predictor(files.checkpoint, config=files.config, device="cuda") as predictor:
        predictor(next(iter(drawn_images(predictor.spec))))
    after = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32, torch.get_num_threads()
    assert after == before
