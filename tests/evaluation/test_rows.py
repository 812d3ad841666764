from dataclasses import replace
from pathlib import Path

import pytest

from ocrdeploy.errors import OcrDeployWarning, UsageError
from ocrdeploy.evaluation.rows import EvaluationRow, add_mean, arrange, name_data_sets
from ocrdeploy.evaluation.scores import Evaluation
from tests.support.evaluation_rows import ENGINE, ROW, TORCH


def columns(*rows: EvaluationRow) -> tuple[tuple[str, ...], list[dict[int, str]]]:
    """Return titles, and of each group the models by column."""
    arrangement = arrange(rows)
    return arrangement.titles, [
        {column: row.model for column, row in group.cells.items()} for group in arrangement.groups
    ]


def test_backends_stand_side_by_side_in_the_order_in_which_they_were_run() -> None:
    half = replace(ENGINE, precision="fp16", model="m.fp16.engine")
    titles, cells = columns(TORCH, ROW, ENGINE, half)
    assert titles == ("PyTorch", "ONNX Runtime", "TensorRT FP32", "TensorRT FP16")
    assert cells == [{0: "m.onnx", 1: "m.onnx", 2: "m.engine", 3: "m.fp16.engine"}]
    assert columns(ROW, TORCH)[0] == ("ONNX Runtime", "PyTorch")


def test_models_of_other_configs_have_rows_of_their_own_in_the_same_columns() -> None:
    other = replace(ROW, model="n.onnx", architecture="PSENet", config="psenet.py")
    starred = replace(ROW, model="b.onnx", architecture="DBNet*")
    titles, cells = columns(TORCH, ROW, other, starred)
    assert titles == ("PyTorch", "ONNX Runtime")
    assert cells == [{0: "m.onnx", 1: "m.onnx"}, {1: "n.onnx"}, {1: "b.onnx"}]


def test_files_of_one_model_have_a_column_each_with_their_names() -> None:
    titles, cells = columns(ROW, replace(ROW, model="edited.onnx"), TORCH)
    assert titles == ("ONNX Runtime m.onnx", "ONNX Runtime edited.onnx", "PyTorch")
    assert cells == [{0: "m.onnx", 1: "edited.onnx", 2: "m.onnx"}]


def test_data_sets_have_a_group_each_in_the_same_columns() -> None:
    rows = [replace(row, dataset=name) for row in (TORCH, ROW) for name in ("a", "b")]
    titles, cells = columns(*rows)
    assert titles == ("PyTorch", "ONNX Runtime")
    assert cells == [{0: "m.onnx", 1: "m.onnx"}] * 2


def test_a_precision_that_is_not_the_usual_one_is_in_the_title() -> None:
    assert columns(replace(ROW, precision="fp16"))[0] == ("ONNX Runtime FP16",)
    assert columns(replace(ROW, precision=""), replace(ENGINE, precision=""))[0] == ("ONNX Runtime", "TensorRT")


def test_the_title_of_a_row_is_that_of_its_column() -> None:
    rows = [TORCH, ROW, replace(ROW, dataset="b")]
    arrangement = arrange(rows)
    assert [arrangement.title_of(row) for row in rows] == ["PyTorch", "ONNX Runtime", "ONNX Runtime"]


def test_the_mean_of_several_data_sets_is_mmocrs() -> None:
    other = replace(
        ROW, dataset="b", images=30, broken=1, resumed=20, seconds=1.0, images_per_second=10.0,
        metrics={"hmean-iou:recall": 1.0, "hmean-iou:precision": 0.75, "hmean-iou:hmean": 6 / 7},
    )  # fmt: skip
    *rows, mean = add_mean([ROW, other])
    assert rows == [ROW, other]
    assert (mean.mean, mean.images, mean.broken, mean.resumed, mean.seconds) == (True, 40, 1, 20, 5.0)
    assert mean.document()["mean"] is True
    assert mean.images_per_second == pytest.approx(20 / 5)
    assert mean.metrics == pytest.approx(
        {"hmean-iou:recall": 0.75, "hmean-iou:precision": 0.5, "hmean-iou:hmean": (1 / 3 + 6 / 7) / 2}
    )


def test_one_data_set_has_no_mean_and_what_lacks_a_number_is_never_part_of_one() -> None:
    assert add_mean([ROW]) == [ROW]
    lacking = replace(ROW, metrics=None, error="there is no GPU")
    for rows in ([ROW, lacking], [lacking, lacking]):
        *first, mean = add_mean(rows)
        assert first == rows
        assert (mean.mean, mean.metrics, mean.error) == (True, None, "there is no GPU")


def on(*sets: tuple[str, str] | tuple[str, str, int], name: str = "test", **fields: object) -> EvaluationRow:
    """Return a row on a data set of which annotations, images and number are given."""
    keys = tuple((*each, 0)[:3] for each in sets)
    return replace(ROW, dataset=name, data_sets=keys, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sets", "names"),
    [
        ([("/d/a/one.txt", ""), ("/d/b/two.txt", "")], ["test", "other"]),
        ([("/d/ic13/test/l.txt", ""), ("/d/svt/test/l.txt", "")], ["ic13/test", "svt/test"]),
        ([("/d/toy/test.json", ""), ("/d/toy/val.json", "")], ["toy/test.json", "toy/val.json"]),
        ([("/x/d/test/l.txt", ""), ("/y/d/test/l.txt", "")], ["x/d/test", "y/d/test"]),
        ([("/d/l.txt", "/a"), ("/d/l.txt", "/b")], ["/d/l.txt (/a)", "/d/l.txt (/b)"]),
        ([("/d/l.txt", "/a", 0), ("/d/l.txt", "/a", 1)], ["/d/l.txt (/a), 1", "/d/l.txt (/a), 2"]),
        ([("/d/mean/l.txt", ""), ("/d/test/mean/l.txt", "")], ["d/mean", "test/mean"]),
    ],
)
def test_a_name_that_is_not_unique_gets_more_of_its_path(sets: list[tuple[str, str]], names: list[str]) -> None:
    first, second = sets
    short = "other" if names[1] == "other" else "test"
    rows = [on(first), on(second, name=short), on(first, model="b.onnx")]
    mean = replace(add_mean(rows[:2])[-1], dataset="mean")
    named = name_data_sets([*rows, mean])
    assert [row.dataset for row in named] == [*names, names[0], "mean"]


def test_data_sets_of_one_name_are_groups_of_their_own() -> None:
    rows = [
        on(("/a/test/l", "")),
        on(("/b/test/l", "")),
        on(("/a/mean/l", ""), name="mean"),
        *add_mean([ROW, ROW])[-1:],
    ]
    assert columns(*rows)[1] == [{0: "m.onnx"}] * 4


@pytest.mark.parametrize("model", ["m.onnx", "./m.onnx", "../{folder}/m.onnx"])
def test_a_second_row_for_a_cell_is_an_error(model: str) -> None:
    again = replace(ROW, model=model.format(folder=Path.cwd().name), images=9)
    with pytest.raises(UsageError, match=r"there are two results of .*m\.onnx on onnxruntime for the data set toy"):
        arrange([ROW, TORCH, again])


def score(images: int, broken: int = 0, labels: int = 5) -> Evaluation:
    return Evaluation(images, broken, 0, labels, {"hmean-iou:hmean": 1.0}, 1.0)


def test_where_no_image_counts_there_is_no_number_and_the_row_fails() -> None:
    row = replace(ROW, metrics=None, ann_file="gone.json").scored(score(0, broken=3))
    assert (row.metrics, row.failed, row.reason) == (None, True, "nothing evaluated")
    assert row.error == "no image of gone.json was evaluated: 3 images or annotations could not be read"
    assert replace(ROW, metrics=None).scored(score(2, broken=3)).metrics == {"hmean-iou:hmean": 1.0}


def test_where_nothing_is_labelled_there_is_a_warning() -> None:
    with pytest.warns(OcrDeployWarning, match=r"nothing is labelled in empty\.json, so the scores say nothing"):
        row = replace(ROW, ann_file="empty.json").scored(score(2, labels=0))
    assert (row.labels, row.metrics) == (0, {"hmean-iou:hmean": 1.0})


def test_rows_that_were_not_run_have_a_mean_without_time() -> None:
    stored = replace(ROW, seconds=None, images_per_second=None)
    mean = add_mean([stored, stored])[-1]
    assert (mean.seconds, mean.images_per_second) == (None, None)


def test_the_document_has_what_programs_read() -> None:
    document = ROW.document()
    expected = {
        "model": "m.onnx", "task": "det", "architecture": "DBNet", "upsample": "nearest", "config": "dbnet.py",
        "backend": "onnxruntime", "precision": "fp32", "device": "cpu", "dataset": "toy", "images": 10, "broken": 0,
        "resumed": 0, "labels": 20, "ann_file": "", "img_prefix": "", "metrics": ROW.metrics,
        "seconds": 4.0, "images_per_second": 2.5, "batch_size": None,
            "size_mib": 3.0,
    }  # fmt: skip
    assert document == expected
    lacking = replace(ROW, architecture="DBNet*", metrics=None, error="there is no GPU", reason="no GPU").document()
    assert (lacking["architecture"], lacking["upsample"]) == ("DBNet", "bilinear")
    assert (lacking["metrics"], lacking["error"]) == ({}, "there is no GPU")
