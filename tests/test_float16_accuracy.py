"""Float16 costs the small trained models nothing that their metrics would show."""

from pathlib import Path

import pytest

from ocrdeploy import open_predictor
from ocrdeploy.datasets import Sample, read_dataset
from ocrdeploy.engine_building import build_engine
from ocrdeploy.engine_requests import BuildRequest
from ocrdeploy.evaluation import EvaluationOptions, evaluate
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.results import Recognition, Result
from tests.support.tensorrt import RTX, QuietMonitor

LARGEST_DROP = 0.005
LARGEST_RATIO = 0.8
"""Of the sizes of a float16 and a float32 engine."""


def score(model: Path) -> tuple[dict[str, float], list[str]]:
    """Return a model's metrics on its own data set, and the texts that it reads."""
    texts: list[str] = []

    def on_result(_sample: Sample, result: Result) -> None:
        if isinstance(result, Recognition):
            texts.append(result.text)

    with open_predictor(model) as predictor:
        spec = predictor.spec
        assert spec.evaluation is not None
        data = read_dataset(spec.datasets[0])
        evaluation = evaluate(predictor, data, spec.evaluation, EvaluationOptions(), on_result)
    assert evaluation.images == 10
    return evaluation.metrics, texts


@pytest.mark.parametrize("name", ["dbnet", "panet", "psenet", "crnn"])
def test_metrics_and_texts_stay(
    name: str, extra_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(extra_data_dir / "data")
    models, model, half = extra_data_dir / "models", tmp_path / "model.onnx", tmp_path / "half.onnx"
    export_model(ExportRequest(models / f"{name}.py", models / f"{name}.pth", model, dynamic=True))
    single = build_engine(BuildRequest(model, tmp_path / "fp32.engine", RTX, ("sm86",)), QuietMonitor())
    request = BuildRequest(model, tmp_path / "fp16.engine", RTX, ("sm86",), fp16=True, save_onnx=half)
    report = build_engine(request, QuietMonitor())
    assert report.size <= LARGEST_RATIO * single.size
    assert (report.images, report.record.profiles[0].opt[2:]) == (10, (32, 64) if name == "crnn" else (736, 1312))
    expected, texts = score(model)
    metrics, read = score(half)
    assert read == texts
    assert metrics == {key: pytest.approx(value, abs=LARGEST_DROP) for key, value in expected.items()}
