"""Float16 costs trained models nothing that their metrics would show."""

from pathlib import Path

import onnx
import pytest

from ocrdeploy import open_predictor
from ocrdeploy.datasets import Samples, read_data_argument, read_dataset
from ocrdeploy.engines.building import build_engine
from ocrdeploy.engines.requests import BuildRequest
from ocrdeploy.evaluation.evaluating import EvaluationOptions, Outcome, evaluate
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.graphs.mixed_precision import convert_to_float16
from ocrdeploy.predictor import Predictor
from ocrdeploy.results import Recognition
from tests.support.float16_rounding import round_like_float16
from tests.support.tensorrt import RTX, QuietMonitor, needs_rtx

pytestmark = needs_rtx

LARGEST_DROP = 0.005
LARGEST_DROP_WITH_ROUNDING = 0.006
"""With every operator's result rounded, as on a GPU. One of PANet's 28 boxes on ten images is so near a tie that any
rounding lifts its score over the threshold, even that of weights by one part in 10,000; one box is 0.0051 of hmean."""
LARGEST_RATIO = 0.8
"""Of the sizes of a float16 and a float32 engine."""


def score(model: Path, data: Samples | None = None) -> tuple[dict[str, float], list[str]]:
    """Return a model's metrics, on its own data set by default, and the texts that it reads."""
    texts: list[str] = []

    def on_outcome(outcome: Outcome) -> None:
        if isinstance(outcome.result, Recognition):
            texts.append(outcome.result.text)

    with open_predictor(model) as predictor:
        samples = data or _own_data(predictor)
        assert predictor.spec.evaluation is not None
        evaluation = evaluate(predictor, samples, predictor.spec.evaluation, EvaluationOptions(), on_outcome)
    assert evaluation.images == len(samples)
    return evaluation.metrics, texts


def _own_data(predictor: Predictor) -> Samples:
    """Return the data set that a model's spec names."""
    return read_dataset(predictor.spec.datasets[0])


def write_rounded(model: Path, path: Path) -> Path:
    """Write a float32 model as GPUs compute it in float16."""
    # Its operators compute in float32, which is what counts as its precision.
    rounded = convert_to_float16(onnx.load_model(model)).model
    round_like_float16(rounded)
    onnx.save_model(rounded, path)
    return path


def test_the_bundled_model_keeps_its_score(sample_onnx: Path, sample_dir: Path, tmp_path: Path) -> None:
    data = read_data_argument(sample_dir / "instances_test.json", "det", sample_dir / "imgs")
    expected, _ = score(sample_onnx, data)
    metrics, _ = score(write_rounded(sample_onnx, tmp_path / "rounded.onnx"), data)
    assert metrics == {key: pytest.approx(value, abs=LARGEST_DROP) for key, value in expected.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dbnet", "panet", "psenet", "crnn"])
def test_metrics_and_texts_of_the_small_models_stay(
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
    rounded = write_rounded(model, tmp_path / "rounded.onnx")
    for candidate, drop in ((half, LARGEST_DROP), (rounded, LARGEST_DROP_WITH_ROUNDING)):
        metrics, read = score(candidate)
        assert read == texts
        for key in expected:
            # Recall may fall where precision rises, at another threshold of the sweep.
            if not key.endswith(("recall", "precision")):
                assert metrics[key] == pytest.approx(expected[key], abs=drop), key
