"""What only a GPU can show: engines compute what their ONNX models compute.

Every installed flavour of TensorRT builds for the GPU that is here, and runs what it has built.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ocrdeploy import open_predictor
from ocrdeploy.backends.trt import FLAVOURS, is_installed
from ocrdeploy.engines.building import build_engine
from ocrdeploy.engines.requests import BuildRequest
from ocrdeploy.engines.shape_requests import GivenProfile, ShapeRequest
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.hardware import cuda_device_count
from ocrdeploy.model_spec import Precision, TensorRTFlavour
from ocrdeploy.verification.inputs import drawn_images
from ocrdeploy.verification.tolerances import Tolerance, rule_of
from ocrdeploy.verification.verifying import verify
from tests.support.official_models import OfficialExports, official_models
from tests.support.tensorrt import QuietMonitor

pytestmark = [
    pytest.mark.requires_cuda,
    pytest.mark.skipif(not cuda_device_count(), reason="this machine has no NVIDIA GPU"),
]

FLOAT32_TOLERANCE = Tolerance(atol=1e-3, rtol=0)
"""Absolute: with seeded weights outputs stay within 20, which float32 holds to 2e-6. Other sums add some hundred times
that; TF32 would add a thousand times as much."""

SMALL_MODELS = ("dbnet", "panet", "psenet", "crnn")
INSTALLED = [
    pytest.param(flavour, marks=pytest.mark.skipif(not is_installed(flavour), reason=f"{flavour} is not installed"))
    for flavour in FLAVOURS
]


def tolerance(precision: Precision) -> Tolerance:
    """Return the documented bound of a precision."""
    return FLOAT32_TOLERANCE if precision == "fp32" else rule_of(precision).tensors


def build(
    model: Path, folder: Path, flavour: TensorRTFlavour, precision: Precision, shapes: ShapeRequest | None = None
) -> Path:
    path = folder / f"{precision}.engine"
    request = BuildRequest(model, path, flavour, fp16=precision == "fp16", shapes=shapes or ShapeRequest())
    build_engine(request, QuietMonitor())
    return path


@pytest.fixture(scope="module")
def official_onnx(tmp_path_factory: pytest.TempPathFactory) -> OfficialExports:
    return OfficialExports(tmp_path_factory.mktemp("official"))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("flavour", INSTALLED)
@pytest.mark.parametrize("name", official_models())
def test_outputs_with_seeded_weights(
    name: str, flavour: TensorRTFlavour, precision: Precision, official_onnx: OfficialExports, tmp_path: Path
) -> None:
    model = official_onnx(name)
    with open_predictor(model) as reference, open_predictor(build(model, tmp_path, flavour, precision)) as candidate:
        assert candidate.backend.precision == precision
        allowed = tolerance(precision)
        for pixels in drawn_images(reference.spec):
            batch = reference.prepare(pixels).tensor[None]
            output = reference.spec.outputs[0].name
            expected, actual = (side.infer(batch)[output] for side in (reference, candidate))
            assert np.abs(expected).max() <= 20
            assert np.abs(actual - expected).max() <= allowed.allowed(float(np.abs(expected).max()))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("flavour", INSTALLED)
@pytest.mark.parametrize("name", SMALL_MODELS)
def test_results_of_the_small_models(
    name: str,
    flavour: TensorRTFlavour,
    precision: Precision,
    extra_data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(extra_data_dir / "data")
    models, model = extra_data_dir / "models", tmp_path / "model.onnx"
    export_model(ExportRequest(models / f"{name}.py", models / f"{name}.pth", model, dynamic=True))
    folder = Path("ocr_toy_dataset/imgs" if name == "crnn" else "toy_dataset/imgs/test")
    images = [str(path) for path in sorted(folder.glob("*.jpg"))]
    with open_predictor(model) as reference, open_predictor(build(model, tmp_path, flavour, precision)) as candidate:
        comparison = verify(reference, candidate, images, tolerance(precision))
    assert [tensor.passed for tensor in comparison.tensors] == [True]
    assert comparison.results.passed


@pytest.mark.parametrize("flavour", INSTALLED)
def test_batches_and_profiles(flavour: TensorRTFlavour, seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    model = seeded_onnx("dbnet")
    shapes = ShapeRequest(
        (GivenProfile((1, 3, 32, 64), (2, 3, 64, 128)), GivenProfile((2, 3, 96, 32), (3, 3, 160, 64)))
    )
    path = build(model, tmp_path, flavour, "fp32", shapes=shapes)
    with open_predictor(model) as reference, open_predictor(path) as candidate:
        # Changes of the profile, a batch that runs in parts, and one that is filled up.
        for shape in ((1, 3, 32, 64), (2, 3, 160, 64), (5, 3, 64, 128), (1, 3, 96, 32), (4, 3, 96, 64)):
            batch = np.random.RandomState(0).normal(0, 1, shape).astype(np.float32)
            expected, actual = (side.infer(batch)["prob_map"] for side in (reference, candidate))
            np.testing.assert_allclose(actual, expected, rtol=0, atol=FLOAT32_TOLERANCE.atol)
