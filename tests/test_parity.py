"""The whole way from image to result and metric, against what the real MMOCR 0.6.3 recorded for the same files."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ocrdeploy import Recognition, open_predictor
from ocrdeploy.datasets import Sample
from ocrdeploy.errors import OcrDeployError
from ocrdeploy.evaluation.evaluating import EvaluationOptions, Outcome, evaluate
from ocrdeploy.evaluation.plan import DataChoice, choose_settings, open_data
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.predictor import Predictor
from ocrdeploy.results import Result
from ocrdeploy.running.models import open_torch
from tests.support.boundaries import unmatched
from tests.support.weights import seeded_arrays

MIN_IOU = {"dbnet_sample": 0.99, "dbnet": 0.99, "panet": 0.98, "psenet": 0.98}
"""Rectangles and outlines may start elsewhere and round otherwise in another OpenCV; nothing else may differ."""
SCORE_TOLERANCE = 1e-4
"""Scores are means of float32 maps that other kernels round in other ways."""
METRIC_TOLERANCE = 1e-6
MAP_TOLERANCE = 1e-4
"""Of DBNet's maps, whose values are 0 to 1; logits are compared relative to the output's largest magnitude."""

BACKENDS = ("torch", "onnxruntime")
BATCH_SIZES = (1, 4)
SEED = 7


def check_results(results: dict[str, Result], expected: dict[str, Any], architecture: str) -> None:
    assert list(results) == list(expected)
    for name, result in results.items():
        if isinstance(result, Recognition):
            assert result.text == expected[name]["text"]
            np.testing.assert_allclose(result.char_scores, expected[name]["score"], atol=SCORE_TOLERANCE)
        else:
            assert unmatched(result, expected[name], MIN_IOU[architecture], SCORE_TOLERANCE) == [], name


def score(predictor: Predictor, choice: DataChoice, batch_size: int) -> tuple[dict[str, float], dict[str, Result]]:
    results: dict[str, Result] = {}

    def keep(outcome: Outcome) -> None:
        assert isinstance(outcome.item, Sample)
        assert not isinstance(outcome.result, OcrDeployError)
        results[Path(outcome.item.name).name] = outcome.result

    (data,) = open_data(predictor.spec, choice)
    settings = choose_settings(predictor.spec, choice)
    evaluation = evaluate(
        predictor,
        data.samples,
        settings,
        EvaluationOptions(batch_size),
        keep,
    )
    return evaluation.metrics, results


@pytest.mark.parametrize(("backend", "batch_size"), list(product(BACKENDS, BATCH_SIZES)))
def test_the_bundled_model_finds_and_scores_what_it_does_in_mmocr(
    backend: str, batch_size: int, data_dir: Path, sample_dir: Path, sample_onnx: Path
) -> None:
    recorded = json.loads((data_dir / "end_to_end" / "dbnet_sample.json").read_text())
    choice = DataChoice(ann_file=str(sample_dir / "instances_test.json"), img_prefix=str(sample_dir / "imgs"))
    with open_predictor(sample_onnx, backend=backend) as predictor:
        metrics, results = score(predictor, choice, batch_size)
    check_results(results, recorded["results"], "dbnet_sample")
    assert metrics == pytest.approx(recorded["metric"], abs=METRIC_TOLERANCE)


@pytest.fixture(scope="module")
def trained_onnx(extra_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int | None], Path]:
    """The small trained models, dynamic, or static for a batch of toy images."""
    folder = tmp_path_factory.mktemp("trained")

    def make(architecture: str, static_batch: int | None) -> Path:
        path = folder / f"{architecture}-{static_batch}.onnx"
        if not path.exists():
            models = extra_data_dir / "models"
            shape = None if static_batch is None else (static_batch, 3, 736, 1312)
            config, checkpoint = models / f"{architecture}.py", models / f"{architecture}.pth"
            export_model(ExportRequest(config, checkpoint, path, dynamic=shape is None, shape=shape))
        return path

    return make


STATIC_AND_DYNAMIC = [
    (architecture, backend, batch_size, static)
    for architecture in ("dbnet", "panet", "psenet", "crnn")
    for backend, batch_size, static in (
        ("torch", 1, False),
        ("torch", 4, False),
        ("onnxruntime", 1, False),
        ("onnxruntime", 4, False),
        ("onnxruntime", 1, True),
        ("onnxruntime", 4, True),
    )
    # Words come in many widths, so a static recogniser is compared on tensors below.
    if not (static and architecture == "crnn")
]


@pytest.mark.parametrize(("architecture", "backend", "batch_size", "static"), STATIC_AND_DYNAMIC)
def test_trained_models_find_and_score_what_they_do_in_mmocr(
    architecture: str,
    backend: str,
    batch_size: int,
    static: bool,
    extra_data_dir: Path,
    trained_onnx: Callable[[str, int | None], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(extra_data_dir / "data")
    recorded = json.loads((extra_data_dir / "golden" / "end_to_end" / f"{architecture}.json").read_text())
    model = trained_onnx(architecture, batch_size if static else None)
    with open_predictor(model, backend=backend) as predictor:
        metrics, results = score(predictor, DataChoice(), batch_size)
    expected = {name: recorded["results"][name] for name in results}
    assert len(expected) == len(recorded["results"])
    check_results(results, expected, architecture)
    assert metrics == pytest.approx(recorded["metric"], abs=METRIC_TOLERANCE)


OFFICIAL = (
    "textdet/dbnet/dbnet_r18_fpnc_1200e_icdar2015",
    "textdet/psenet/psenet_r50_fpnf_600e_ctw1500",
    "textdet/psenet/psenet_r50_fpnf_600e_icdar2015",
    "textdet/panet/panet_r18_fpem_ffm_600e_ctw1500",
    "textdet/panet/panet_r18_fpem_ffm_600e_icdar2015",
    "textrecog/crnn/crnn_academic_dataset",
)


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("name", OFFICIAL)
def test_official_models_compute_what_they_do_in_mmocr(
    name: str, dynamic: bool, batch_size: int, extra_data_dir: Path, tmp_path: Path
) -> None:
    stem = Path(name).name
    golden = extra_data_dir / "golden"
    config = golden / "configs" / f"{name}.py"
    shapes = json.loads((golden / "state_dicts" / f"{stem}.json").read_text())
    weights = seeded_arrays([(key, tuple(shape)) for key, shape in shapes], SEED)
    checkpoint = tmp_path / "seeded.pth"
    state = {key: torch.from_numpy(np.asarray(value)) for key, value in weights.items()}
    torch.save({"meta": {"mmocr_version": "0.6.3"}, "state_dict": state}, checkpoint)
    recorded = np.load(golden / "networks" / f"{stem}.npz")
    for index in range(2):
        inputs, expected = recorded[f"input{index}"], recorded[f"output{index}"]
        batch, wanted = (np.repeat(array[:1], batch_size, axis=0) for array in (inputs, expected))
        shape = None if dynamic else batch.shape
        report = export_model(ExportRequest(config, checkpoint, tmp_path / "m.onnx", dynamic=dynamic, shape=shape))
        wanted = wanted[:, : report.spec.outputs[0].shape[1]] if stem.startswith("dbnet") else wanted
        allowed = MAP_TOLERANCE * (1 if stem.startswith("dbnet") else np.abs(wanted).max())
        with open_predictor(report.path) as candidate, open_torch(config, checkpoint) as reference:
            for predictor in (candidate, reference):
                output = predictor.infer(batch)[predictor.spec.outputs[0].name]
                np.testing.assert_allclose(output, wanted, atol=allowed, rtol=0)
