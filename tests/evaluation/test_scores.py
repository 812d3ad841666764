import pytest

from ocrdeploy.errors import UsageError
from ocrdeploy.evaluation.scores import check_metrics, make_metric, mean_metrics, metric_numbers
from ocrdeploy.model_spec import EvaluationSettings, Task


def test_metrics_name_the_numbers_that_they_give() -> None:
    assert metric_numbers(["hmean-iou", "acc"]) == [
        "hmean-iou:recall", "hmean-iou:precision", "hmean-iou:hmean", "word_acc", "word_acc_ignore_case",
        "word_acc_ignore_case_symbol", "char_recall", "char_precision", "1-N.E.D",
    ]  # fmt: skip


def test_there_are_no_other_metrics() -> None:
    with pytest.raises(UsageError, match="there is no metric 'map'; there are hmean-iou, hmean-ic13, acc"):
        make_metric("map", EvaluationSettings(("acc",)), None)


@pytest.mark.parametrize(
    ("name", "task", "known"), [("acc", "det", "hmean-iou, hmean-ic13"), ("hmean-iou", "recog", "acc")]
)
def test_a_metric_belongs_to_a_task(name: str, task: Task, known: str) -> None:
    check_metrics(known.split(", "), task)
    with pytest.raises(UsageError, match=f"--eval {name} does not go with task '{task}', whose metrics are {known}"):
        check_metrics([name], task)


def test_the_mean_is_a_plain_one() -> None:
    assert mean_metrics([{"a": 1.0, "b": 0.0}, {"a": 0.5, "b": 0.0}]) == {"a": 0.75, "b": 0.0}
