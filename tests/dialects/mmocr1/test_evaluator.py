"""A config's `test_evaluator` to metrics and names of data sets."""

from typing import Any

import pytest

from ocrdeploy.dialects.mmocr1.evaluator import read_evaluator
from ocrdeploy.errors import ConfigError, OcrDeployWarning
from ocrdeploy.model_spec import EvaluationSettings, JsonDataset, Task

ONE = (JsonDataset("a.json"),)
TWO = (*ONE, JsonDataset("b.json"))
LOADER: dict[str, Any] = {"dataset": {}}
HMEAN = {"type": "HmeanIOUMetric"}


def read(evaluator: Any, task: Task = "recog") -> EvaluationSettings:
    settings, datasets = read_evaluator({"test_dataloader": LOADER, "test_evaluator": evaluator}, ONE, task)
    assert datasets == ONE
    return settings


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ({}, EvaluationSettings(("hmean-iou",), strategy="vanilla")),
        (
            {
                "strategy": "max_matching",
                "match_iou_thr": 0.6,
                "ignore_precision_thr": 0.4,
                "pred_score_thrs": {"start": 0.3, "stop": 1, "step": 0.05},
                "prefix": "x",
                "collect_device": "gpu",
            },
            EvaluationSettings(("hmean-iou",), 0.3, 1, 0.05, "max_matching", 0.6, 0.4),
        ),
        ({"pred_score_thrs": {"start": 0.5, "stop": 1}}, EvaluationSettings(("hmean-iou",), 0.5, 1, 1, "vanilla")),
    ],
)
def test_hmean(metric: dict[str, Any], expected: EvaluationSettings) -> None:
    written = HMEAN | metric
    forms: list[Any] = [written, [written], {"type": "Evaluator", "metrics": written}, {"metrics": [written]}]
    assert [read(form, "det") for form in forms] == [expected] * 4


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ([{"type": "WordMetric"}], ["word_acc_ignore_case_symbol"]),
        ([{"type": "mmocr.WordMetric", "mode": "exact"}], ["word_acc"]),
        (
            [{"type": "CharMetric"}, {"type": "WordMetric", "mode": ["exact", "ignore_case"]}],
            ["char_recall", "char_precision", "word_acc", "word_acc_ignore_case"],
        ),
        ([{"type": "OneMinusNEDMetric", "prefix": None}, {"type": "OneMinusNEDMetric"}], ["1-N.E.D"]),
    ],
)
def test_words(metrics: list[dict[str, Any]], expected: list[str]) -> None:
    assert read(metrics) == EvaluationSettings(tuple(expected))


def test_without_an_evaluator_the_metrics_are_those_of_the_task() -> None:
    assert read(None, "det") == EvaluationSettings(("hmean-iou",), strategy="vanilla")
    assert read(None) == EvaluationSettings(("acc",))


def test_the_evaluator_of_validation_goes_with_its_data() -> None:
    values = {"val_dataloader": LOADER, "val_evaluator": {"type": "CharMetric"}}
    assert read_evaluator(values, ONE, "recog")[0].metric == ("char_recall", "char_precision")
    assert read_evaluator(values | {"test_dataloader": LOADER}, ONE, "recog")[0].metric == ("acc",)


def test_data_sets_get_their_names() -> None:
    evaluator = {
        "type": "mmocr.MultiDatasetsEvaluator",
        "metrics": {"type": "CharMetric"},
        "dataset_prefixes": ["A", "B"],
    }
    _, datasets = read_evaluator({"test_dataloader": LOADER, "test_evaluator": evaluator}, TWO, "recog")
    assert datasets == (JsonDataset("a.json", name="A"), JsonDataset("b.json", name="B"))


def test_data_sets_that_mmocr_counts_together_are_told() -> None:
    with pytest.warns(OcrDeployWarning, match=r"MMOCR 1\.x counts the 2 data sets of the config together"):
        _, datasets = read_evaluator({"test_dataloader": LOADER, "test_evaluator": HMEAN}, TWO, "det")
    assert datasets == TWO


@pytest.mark.parametrize(
    ("task", "evaluator", "message"),
    [
        ("det", {"type": "F1Metric"}, "test_evaluator.type = 'F1Metric' cannot be honoured: supported for this model "),
        ("det", [{"type": "WordMetric"}], r"test_evaluator\[0\].type = 'WordMetric' cannot be honoured"),
        ("det", [HMEAN, HMEAN], "test_evaluator of the config has 2 metrics of one kind; one is supported"),
        ("det", [], "test_evaluator of the config is an empty list of metrics"),
        ("det", 5, "test_evaluator of the config must be a dict, got int"),
        ("det", HMEAN | {"novelty": 1}, "test_evaluator.novelty of the config: not known"),
        ("det", HMEAN | {"strategy": "best"}, "Invalid enum value 'best'"),
        ("det", HMEAN | {"match_iou_thr": 2.0}, "iou_thr"),
        ("det", HMEAN | {"pred_score_thrs": {"start": 0.5, "stop": 0.5}}, "from 0.5 to below the same are none"),
        ("det", HMEAN | {"pred_score_thrs": {"start": 0.9, "stop": 0.5}}, r"no sweep in \[0, 1\]"),
        ("recog", {"type": "WordMetric", "mode": ["loose"]}, "mode of the config: known are exact, ignore_case, "),
        ("recog", {"type": "WordMetric", "mode": []}, r"ignore_case_symbol, got \[\]"),
        ("recog", {"type": "CharMetric", "valid_symbol": "[a]"}, "valid_symbol = .* cannot be honoured"),
        ("recog", {"metrics": []}, "test_evaluator.metrics of the config is an empty list"),
        (
            "recog",
            {"type": "MultiDatasetsEvaluator", "metrics": [], "dataset_prefixes": ["A", "B"]},
            "dataset_prefixes of the config has 2 names for 1 data sets",
        ),
        ("recog", {"type": "MultiDatasetsEvaluator", "metrics": [], "dataset_prefixes": None}, "dataset_prefixes"),
    ],
)
def test_what_cannot_be_honoured_is_named(task: Task, evaluator: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read(evaluator, task)
    assert "\n" not in caught.value.message


def test_two_data_sets_have_two_names() -> None:
    evaluator = {"type": "MultiDatasetsEvaluator", "metrics": [], "dataset_prefixes": ["A", "A"]}
    with pytest.raises(ConfigError, match="names two data sets alike"):
        read_evaluator({"test_dataloader": LOADER, "test_evaluator": evaluator}, TWO, "recog")
