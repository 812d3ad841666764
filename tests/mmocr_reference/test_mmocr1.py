"""The real MMOCR 1.0.1 as a reference."""

from pathlib import Path

import numpy as np
import pytest

from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.mmocr_reference.reference import open_mmocr_reference
from ocrdeploy.model_spec import ExportOptions
from ocrdeploy.results import Recognition
from ocrdeploy.running.models import open_predictor, open_torch
from ocrdeploy.verification.result_difference import DetectionDifference, RecognitionDifference
from ocrdeploy.verification.verifying import verify
from tests.support.mmocr1_models import write_mmocr1_models

MAX_OUTPUT_DIFFERENCE = 1e-4
"""Of the largest magnitude: two PyTorch networks with the same weights differ in the order of their sums."""
POLYGON_TOLERANCE = 1e-3
"""Pixels: MMOCR 1.x divides by float64 ratios, of which float32 goes from step to step here."""

pytestmark = [
    pytest.mark.requires_mmocr,
    pytest.mark.filterwarnings("ignore:checkpoint .* does not say which generation:ocrdeploy.errors.OcrDeployWarning"),
]


@pytest.fixture(scope="module")
def models(extra_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mmocr1")
    write_mmocr1_models(extra_data_dir, folder)
    return folder


def images_of(models: Path, name: str) -> list[Path]:
    folder = models / ("ocr_toy_dataset/imgs" if name == "crnn" else "toy_dataset/imgs/test")
    return sorted(folder.glob("*.jpg"))[: 1 if name == "psenet" else 3]


@pytest.mark.parametrize("name", ["crnn", "dbnet", "panet", pytest.param("psenet", marks=pytest.mark.slow)])
def test_exported_models_agree_with_mmocr(name: str, models: Path, tmp_path: Path, mmocr1_python: Path) -> None:
    files = models / f"{name}.py", models / f"{name}.pth"
    report = export_model(ExportRequest(*files, tmp_path / "m.onnx", dynamic=True))
    with (
        open_mmocr_reference(*files, export=report.spec.export, python=mmocr1_python) as reference,
        open_predictor(report.path) as candidate,
    ):
        assert reference.versions["mmocr"] == "1.0.1"
        comparison = verify(reference, candidate, images_of(models, name))
    assert comparison.passed
    assert comparison.preprocessing.max_abs == 0
    match comparison.results:
        case DetectionDifference(matched=matched):
            assert matched >= 10
        case RecognitionDifference(texts_equal=equal):
            assert equal == 3


@pytest.mark.parametrize("name", ["crnn", "dbnet"])
def test_mmocr_finds_the_same_step_by_step_as_in_its_own_test_loop(
    name: str, models: Path, mmocr1_python: Path
) -> None:
    with open_mmocr_reference(models / f"{name}.py", models / f"{name}.pth", python=mmocr1_python) as reference:
        for image in images_of(models, name):
            (streamed,) = reference.stream([image])
            whole = reference(image)
            if isinstance(whole, Recognition):
                assert whole == streamed
                continue
            assert isinstance(streamed, list)
            assert [each.score for each in whole] == [each.score for each in streamed]
            for one, other in zip(whole, streamed, strict=True):
                np.testing.assert_allclose(one.polygon, other.polygon, rtol=0, atol=POLYGON_TOLERANCE)


def test_all_outputs_of_dbnet_are_those_of_mmocr(models: Path, mmocr1_python: Path) -> None:
    files = models / "dbnet.py", models / "dbnet.pth"
    noise = np.random.default_rng(0).standard_normal((1, 3, 64, 96), np.float32)
    options = ExportOptions(opset=17, dynamic=True, all_outputs=True)
    with (
        open_mmocr_reference(*files, export=options, python=mmocr1_python) as reference,
        open_torch(*files, options) as ours,
    ):
        (wanted,), (found,) = reference.infer(noise).values(), ours.infer(noise).values()
    assert wanted.shape == (1, 3, 64, 96)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=MAX_OUTPUT_DIFFERENCE)


def test_padding_before_normalisation_is_mmocrs(models: Path, mmocr1_python: Path) -> None:
    config = models / "padded.py"
    pad = "test_pipeline.insert(2, dict(type='Pad', size=(1344, 800), pad_val=dict(img=(7, 8, 9), seg=255)))\n"
    lines = (models / "dbnet.py").read_text().split("test_dataloader")
    config.write_text("test_dataloader".join([lines[0] + pad, *lines[1:]]))
    files = config, models / "dbnet.pth"
    (image,) = images_of(models, "dbnet")[:1]
    with open_mmocr_reference(*files, python=mmocr1_python) as reference, open_torch(*files) as ours:
        wanted, found = reference.prepare(image), ours.prepare(image)
    assert found.tensor.shape == (3, 800, 1344)
    np.testing.assert_array_equal(found.tensor, wanted.tensor)
    assert found.scale_factor == pytest.approx(wanted.scale_factor)
