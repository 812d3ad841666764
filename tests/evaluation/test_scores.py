import msgspec
import numpy as np
import pytest

from ocrdeploy.errors import UsageError
from ocrdeploy.evaluation.scores import check_metrics, make_metrics, mean_metrics, metric_number, metric_numbers
from ocrdeploy.metrics import DetectionTruth
from ocrdeploy.metrics.detection import HmeanIou
from ocrdeploy.metrics.hmean_iou_1x import HmeanIou1x
from ocrdeploy.model_spec import EvaluationSettings, Task, metric_name, metric_names
from ocrdeploy.results import Detection


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


def square(left: float, score: float, side: float = 10) -> Detection:
    corners = np.array([(left, 0), (left + side, 0), (left + side, 10), (left, 10)], np.float64)
    return Detection(corners, score)


def hmean_of(settings: EvaluationSettings, score_thr: float | None, *found: Detection) -> float:
    (metric,) = make_metrics(settings, score_thr)
    assert isinstance(metric, HmeanIou | HmeanIou1x)
    metric.add(found, DetectionTruth((square(0, 1).polygon,)))
    return metric.result()["hmean-iou:hmean"]


def test_models_of_both_generations_are_measured_by_their_own_rules() -> None:
    older, newer = EvaluationSettings(("hmean-iou",)), EvaluationSettings(("hmean-iou",), strategy="vanilla")
    assert hmean_of(older, None, square(0, 0.3)) == 0
    assert hmean_of(newer, None, square(0, 0.3)) == 1
    for settings in (older, newer):
        assert hmean_of(settings, 0.6, square(0, 0.5)) == 0
        assert hmean_of(settings, 0.4, square(0, 0.5)) == 1
    assert hmean_of(older, 0.5, square(0, 0.5)) == 0
    assert hmean_of(newer, 0.5, square(0, 0.5)) == 1
    assert hmean_of(newer, 1, square(0, 1)) == 1


def test_the_overlap_and_the_way_of_pairing_are_those_of_the_config() -> None:
    def settings(**given: object) -> EvaluationSettings:
        return msgspec.convert({"metric": ["hmean-iou"], "strategy": "vanilla", **given}, EvaluationSettings)

    assert hmean_of(settings(iou_thr=0.7), None, square(0, 0.9, side=8)) == 1
    assert hmean_of(settings(iou_thr=0.85), None, square(0, 0.9, side=8)) == 0
    greedy, optimal = (
        make_metrics(settings(strategy=name, iou_thr=0.4), None)[0] for name in ("vanilla", "max_matching")
    )
    # The first truth takes the detection that alone fits the second.
    truth = DetectionTruth((square(0, 1).polygon, square(4, 1).polygon))
    for metric, expected in ((greedy, 0.5), (optimal, 1)):
        assert isinstance(metric, HmeanIou1x)
        metric.add([square(4, 0.9), square(-4, 0.9)], truth)
        assert metric.result()["hmean-iou:hmean"] == expected


@pytest.mark.parametrize(
    ("name", "task", "numbers"),
    [
        ("HmeanIOUMetric", "det", ["hmean-iou:recall", "hmean-iou:precision", "hmean-iou:hmean"]),
        ("icdar/hmean", "det", ["hmean-iou:recall", "hmean-iou:precision", "hmean-iou:hmean"]),
        ("WordMetric", "recog", ["word_acc", "word_acc_ignore_case", "word_acc_ignore_case_symbol"]),
        ("CharMetric", "recog", ["char_recall", "char_precision"]),
        ("OneMinusNEDMetric", "recog", ["1-N.E.D"]),
        ("recog/1-N.E.D", "recog", ["1-N.E.D"]),
    ],
)
def test_names_of_the_newer_generation_are_known(name: str, task: Task, numbers: list[str]) -> None:
    check_metrics([name], task)
    assert metric_numbers(metric_names(name)) == numbers
    with pytest.raises(UsageError, match=f"--eval {name} does not go with task"):
        check_metrics([name], "recog" if task == "det" else "det")


@pytest.mark.parametrize("name", ["icdar/map", "recog/map", "IouMetric"])
def test_other_names_are_not(name: str) -> None:
    for task in ("det", "recog"):
        with pytest.raises(UsageError, match=f"--eval {name} does not go with task"):
            check_metrics([name], task)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hmean-iou:hmean", "hmean-iou:hmean"),
        ("icdar/recall", "hmean-iou:recall"),
        ("HmeanIOUMetric", "hmean-iou:hmean"),
        ("recog/word_acc", "word_acc"),
        ("WordMetric", "word_acc_ignore_case_symbol"),
        ("OneMinusNEDMetric", "1-N.E.D"),
        ("one_minus_ned", "1-N.E.D"),
        ("CharMetric", "CharMetric"),
        ("icdar/map", "icdar/map"),
    ],
)
def test_a_number_has_several_names(name: str, expected: str) -> None:
    assert metric_number(name) == expected
