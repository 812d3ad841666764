import pytest

from ocrdeploy.errors import UsageError
from ocrdeploy.evaluation.scores import check_metrics, make_metrics, mean_metrics, metric_numbers
from ocrdeploy.model_spec import EvaluationSettings, Task, metric_name


def test_metrics_name_the_numbers_that_they_give() -> None:
    assert metric_numbers(["hmean-iou", "acc"]) == [
        "hmean-iou:recall", "hmean-iou:precision", "hmean-iou:hmean", "word_acc", "word_acc_ignore_case",
        "word_acc_ignore_case_symbol", "char_recall", "char_precision", "1-N.E.D",
    ]  # fmt: skip


def test_there_are_no_other_metrics() -> None:
    with pytest.raises(ValueError, match="unknown metric 'map'; known are hmean-iou, hmean-ic13, acc, word_acc"):
        metric_numbers(["map"])


@pytest.mark.parametrize("name", ["word_acc", "char_recall", "one_minus_ned", "1-N.E.D", "recog/word_acc_ignore_case"])
def test_numbers_of_words_may_be_asked_for_one_by_one(name: str) -> None:
    check_metrics([name], "recog")
    expected = {"one_minus_ned": "1-N.E.D"}.get(name, name.removeprefix("recog/"))
    assert metric_numbers([metric_name(name)]) == [expected]


def test_several_numbers_of_words_are_one_metric() -> None:
    (metric,) = make_metrics(EvaluationSettings(("char_precision", "word_acc")), None)
    assert list(metric.result()) == ["word_acc", "char_precision"]
    assert len(metric_numbers(["word_acc", "acc"])) == 6


@pytest.mark.parametrize(
    ("name", "task", "known"), [("acc", "det", "hmean-iou, hmean-ic13"), ("hmean-iou", "recog", "acc")]
)
def test_a_metric_belongs_to_a_task(name: str, task: Task, known: str) -> None:
    check_metrics(known.split(", "), task)
    with pytest.raises(UsageError, match=f"--eval {name} does not go with task '{task}', whose metrics are {known}"):
        check_metrics([name], task)


def test_the_mean_is_a_plain_one() -> None:
    assert mean_metrics([{"a": 1.0, "b": 0.0}, {"a": 0.5, "b": 0.0}]) == {"a": 0.75, "b": 0.0}
