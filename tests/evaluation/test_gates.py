import json
from dataclasses import replace
from pathlib import Path

import pytest

from ocrdeploy.errors import InputError, UsageError
from ocrdeploy.evaluation.baseline import Baseline, read_baseline
from ocrdeploy.evaluation.bounds import Bound
from ocrdeploy.evaluation.gates import Gates, check_drop_has_reference, parse_maximum, parse_minimum
from ocrdeploy.evaluation.rows import EvaluationRow, add_mean, arrange
from tests.support.evaluation_rows import ROW, TORCH

HMEAN = "hmean-iou:hmean"


def scored(row: EvaluationRow, hmean: float, recall: float = 0.5, dataset: str = "toy") -> EvaluationRow:
    return replace(
        row,
        dataset=dataset,
        metrics={"hmean-iou:recall": recall, "hmean-iou:precision": 0.5, HMEAN: hmean},
    )


def failures(gates: Gates, *rows: EvaluationRow) -> list[str]:
    return gates.failures(arrange(rows))


def test_a_number_that_is_too_small_fails_and_is_told_by_how_much() -> None:
    gates = Gates((Bound(HMEAN, 0.79),))
    assert failures(gates, scored(TORCH, 0.8), scored(ROW, 0.7652)) == [
        "hmean-iou:hmean of m.onnx on ONNX Runtime (toy) is 0.7652, 0.0248 under 0.79"
    ]


@pytest.mark.parametrize(("hmean", "passes"), [(0.79, True), (0.79 - 1e-12, True), (0.789999, False), (0.8, True)])
def test_the_least_value_itself_passes(hmean: float, passes: bool) -> None:
    assert (failures(Gates((Bound(HMEAN, 0.79),)), scored(ROW, hmean)) == []) == passes


def test_a_tiny_distance_is_not_told_as_nothing() -> None:
    (text,) = failures(Gates((Bound(HMEAN, 0.79),)), scored(ROW, 0.789999))
    assert text.endswith("1.0e-06 under 0.79")


def test_of_several_data_sets_the_mean_counts() -> None:
    rows = add_mean([scored(ROW, 0.6, dataset="a"), scored(ROW, 0.9, dataset="b")])
    assert failures(Gates((Bound(HMEAN, 0.75),)), *rows) == []
    (text,) = failures(Gates((Bound(HMEAN, 0.76),)), *rows)
    assert "(mean) is 0.7500, 0.0100 under 0.76" in text


def test_a_number_that_was_not_measured_fails() -> None:
    (text,) = failures(Gates((Bound("word_acc", 0.1),)), scored(ROW, 0.6))
    assert text == "word_acc was not measured, only hmean-iou:recall, hmean-iou:precision, hmean-iou:hmean"


def test_several_minima_are_all_judged() -> None:
    gates = Gates((Bound(HMEAN, 0.9), Bound("hmean-iou:recall", 0.4), Bound("hmean-iou:precision", 0.51)))
    assert [text.split()[0] for text in failures(gates, scored(ROW, 0.6))] == [HMEAN, "hmean-iou:precision"]


@pytest.mark.parametrize(
    ("first", "second", "passes"),
    [
        (0.795, 0.795, True),
        (0.795, 0.790, True),  # 0.795 - 0.790 is more than 0.005 in floating-point numbers
        (0.795, 0.7899, False),
        (0.795, 0.9, True),
        (0.2, 0.9, True),
    ],
)
def test_a_score_may_drop_so_far_and_rise_at_will(first: float, second: float, passes: bool) -> None:
    assert (failures(Gates(max_drop=0.005), scored(TORCH, first), scored(ROW, second)) == []) == passes


def test_a_drop_is_told_with_both_scores() -> None:
    (text,) = failures(Gates(max_drop=0.005), scored(TORCH, 0.795), scored(ROW, 0.752))
    assert text == (
        "hmean-iou:hmean of m.onnx on ONNX Runtime (toy) is 0.7520, 0.0430 under the 0.7950 of PyTorch, "
        "and 0.005 is allowed"
    )


def test_recall_may_fall_where_hmean_does_not() -> None:
    assert failures(Gates(max_drop=0), scored(TORCH, 0.795, recall=0.8), scored(ROW, 0.796, recall=0.7)) == []


def test_word_accuracies_and_edit_distances_count_in_recognition() -> None:
    first = replace(TORCH, task="recog", metrics={"word_acc": 0.9, "char_recall": 0.9, "1-N.E.D": 0.9})
    second = replace(first, backend="onnxruntime", metrics={"word_acc": 0.8, "char_recall": 0.1, "1-N.E.D": 0.7})
    assert [text.split()[0] for text in failures(Gates(max_drop=0.005), first, second)] == ["word_acc", "1-N.E.D"]


def test_every_data_set_is_compared_with_its_own_first_column() -> None:
    first = add_mean([scored(TORCH, 0.6, dataset="a"), scored(TORCH, 0.9, dataset="b")])
    second = add_mean([scored(ROW, 0.9, dataset="a"), scored(ROW, 0.6, dataset="b")])
    (text,) = failures(Gates(max_drop=0.005), *first, *second)
    assert "(b) is 0.6000, 0.3000 under the 0.9000 of PyTorch" in text


def test_a_model_that_stands_alone_cannot_pass_a_comparison() -> None:
    alone = replace(scored(ROW, 0.5), model="n.onnx", architecture="PSENet", dataset="other")
    (text,) = failures(Gates(max_drop=0.005), scored(TORCH, 0.5), scored(ROW, 0.5), alone)
    assert text == "n.onnx on ONNX Runtime (other) has nothing beside it that it could be compared with"


@pytest.mark.parametrize("gates", [Gates((Bound(HMEAN, 0.1),)), Gates(max_drop=0.5)])
def test_a_gate_on_what_is_not_labelled_fails(gates: Gates) -> None:
    rows = [replace(scored(row, 1.0), labels=0) for row in (TORCH, ROW)]
    texts = failures(gates, *rows)
    assert texts[0] == "nothing is labelled for m.onnx on PyTorch (toy), so its numbers say nothing"


def named(config: str, dataset: str, hmean: float, **fields: str) -> EvaluationRow:
    key = ((f"/d/{dataset}", "", 0),)
    return replace(scored(ROW, hmean), config=config, dataset=dataset, data_sets=key, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields", [{"config": "other.py"}, {"architecture": "DBNet*"}, {"config": "other.py", "architecture": "PSENet"}]
)
def test_models_are_compared_on_the_same_data_whatever_their_configs(fields: dict[str, str]) -> None:
    first = named("dbnet.py", "toy", 0.9)
    second = replace(named("dbnet.py", "toy", 0.4), model="n.onnx", **fields)  # type: ignore[arg-type]
    (text,) = failures(Gates(max_drop=0.01), first, second)
    assert text.startswith(
        "hmean-iou:hmean of n.onnx on ONNX Runtime (toy) is 0.4000, 0.5000 under the 0.9000 of m.onnx"
    )
    assert failures(Gates(max_drop=0.5), first, second) == []


def test_models_on_different_data_sets_of_one_name_are_not_compared() -> None:
    rows = [replace(named("c.py", "test", 1.0), data_sets=((f"/{name}/test", "", 0),)) for name in "ab"]
    texts = failures(Gates(max_drop=1), rows[0], replace(rows[1], model="n.onnx"))
    assert len(texts) == 2
    assert all("has nothing beside it" in text for text in texts)


def test_models_of_two_tasks_have_nothing_in_common() -> None:
    words = replace(ROW, model="w.onnx", task="recog", metrics={"word_acc": 1.0})
    (text,) = failures(Gates(max_drop=1), ROW, words)
    assert text == "w.onnx on ONNX Runtime (toy) has no number in common with m.onnx on ONNX Runtime"


def test_backends_that_could_not_run_neither_pass_nor_fail() -> None:
    lacking = replace(ROW, metrics=None, error="there is no GPU")
    gates = Gates((Bound(HMEAN, 0.5),), 0.005)
    assert failures(gates, scored(TORCH, 0.6), lacking) == []
    assert failures(gates, replace(lacking, backend="torch"), scored(ROW, 0.6)) == []
    assert failures(gates, replace(lacking, backend="torch"), lacking) == []


def test_a_minimum_is_read() -> None:
    assert parse_minimum("hmean-iou:hmean=0.79") == Bound(HMEAN, 0.79)
    assert parse_minimum("1-N.E.D=1") == Bound("1-N.E.D", 1)
    assert parse_minimum("icdar/hmean=0.79") == parse_minimum("HmeanIOUMetric=0.79") == Bound(HMEAN, 0.79)
    assert parse_minimum("recog/word_acc=0.5") == Bound("word_acc", 0.5)


def test_speed_and_size_have_bounds_too() -> None:
    slow = parse_minimum("images_per_second=20")
    assert failures(Gates((slow,)), scored(ROW, 1.0)) == [
        "images_per_second of m.onnx on ONNX Runtime (toy) is 2.50, 17.50 under 20"
    ]
    assert failures(Gates((parse_minimum("images_per_second=2.5"),)), scored(ROW, 1.0)) == []
    large = parse_maximum("size_mib=2")
    assert failures(Gates((large,)), scored(ROW, 1.0)) == [
        "size_mib of m.onnx on ONNX Runtime (toy) is 3.00, 1.00 over 2"
    ]
    assert [check.name for check in Gates((slow, large)).checks(arrange([ROW]))][1:] == [
        "--fail-under images_per_second=20",
        "--fail-over size_mib=2",
    ]
    with pytest.raises(UsageError, match="there is no 'hmean-iou:hmean'; there are size_mib, seconds"):
        parse_maximum("hmean-iou:hmean=0.5")


def earlier(tmp_path: Path, *rows: EvaluationRow) -> Baseline:
    path = tmp_path / "old.json"
    document = {"schema": 1, "command": "evaluate", "rows": [row.document() for row in rows]}
    path.write_text(json.dumps(document))
    return read_baseline(path)


def test_a_score_under_that_of_the_baseline_fails(tmp_path: Path) -> None:
    baseline = earlier(tmp_path, scored(TORCH, 0.5), scored(ROW, 0.79))
    (text,) = failures(Gates(baseline=baseline), scored(ROW, 0.7))
    assert text == (
        f"hmean-iou:hmean of m.onnx on ONNX Runtime (toy) is 0.7000, 0.0900 under the 0.7900 of {baseline.path}, "
        "and 0.05 is allowed"
    )
    # One label of twenty may come out otherwise on another machine.
    assert failures(Gates(baseline=baseline), scored(ROW, 0.75)) == []
    assert len(failures(Gates(baseline=baseline, max_drop=0.01), scored(ROW, 0.75))) == 1


def test_a_model_of_another_name_is_found_by_its_architecture(tmp_path: Path) -> None:
    gates = Gates(baseline=earlier(tmp_path, replace(scored(ROW, 0.9), model="old/n.onnx")))
    assert len(failures(gates, scored(ROW, 0.7))) == 1
    assert failures(gates, replace(scored(ROW, 0.7), architecture="PSENet")) == [
        f"{tmp_path / 'old.json'} has no score of m.onnx on ONNX Runtime (toy)"
    ]


def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    for content, message in (
        (None, "cannot be read: No such file"),
        ("{", "is no result of evaluate"),
        ('{"schema": 1, "command": "benchmark", "rows": []}', "is the result of another command than evaluate"),
        ('{"schema": 1, "command": "evaluate", "rows": [1]}', "is no result of evaluate"),
    ):
        if content is not None:
            path.write_text(content)
        with pytest.raises(InputError, match=message):
            read_baseline(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.79", "has the form NAME=VALUE, such as hmean-iou:hmean=0.79, got '0.79'"),
        ("hmean=0.79", "there is no 'hmean'; there are hmean-iou:recall, hmean-iou:precision, hmean-iou:hmean"),
        ("icdar/map=0.5", "there is no 'icdar/map'; there are hmean-iou:recall"),
        ("CharMetric=0.5", "there is no 'CharMetric'; there are .* char_recall, char_precision"),
        ("word_acc=high", "a number from 0 to 1 was expected, got 'high'"),
        ("word_acc=79", "a number from 0 to 1 was expected, got '79'"),
        ("word_acc=nan", "a number from 0 to 1"),
        ("word_acc=", "a number from 0 to 1"),
    ],
)
def test_what_is_no_minimum_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_minimum(text)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_an_impossible_drop_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match="--max-drop is a number from 0 to 1"):
        Gates(max_drop=value)


def test_a_drop_needs_two_columns() -> None:
    check_drop_has_reference(Gates(max_drop=0.1), 2)
    check_drop_has_reference(Gates(), 1)
    with pytest.raises(UsageError, match="there is only one"):
        check_drop_has_reference(Gates(max_drop=0.1), 1)


def test_gates_are_true_when_there_is_something_to_keep() -> None:
    assert not Gates()
    assert Gates(max_drop=0.0)
    assert Gates((Bound(HMEAN, 0),))
