from dataclasses import replace

import pytest

from ocrdeploy.evaluation.rows import EvaluationRow, add_mean, arrange
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
    assert (mean.dataset, mean.images, mean.broken, mean.resumed, mean.seconds) == ("mean", 40, 1, 20, 5.0)
    assert mean.images_per_second == pytest.approx(20 / 5)
    assert mean.metrics == pytest.approx(
        {"hmean-iou:recall": 0.75, "hmean-iou:precision": 0.5, "hmean-iou:hmean": (1 / 3 + 6 / 7) / 2}
    )


def test_one_data_set_and_backends_that_could_not_run_have_no_mean() -> None:
    assert add_mean([ROW]) == [ROW]
    lacking = replace(ROW, metrics=None, error="there is no GPU")
    assert add_mean([lacking, lacking]) == [lacking, lacking]


def test_rows_that_were_not_run_have_a_mean_without_time() -> None:
    stored = replace(ROW, seconds=None, images_per_second=None)
    mean = add_mean([stored, stored])[-1]
    assert (mean.seconds, mean.images_per_second) == (None, None)


def test_the_document_has_what_programs_read() -> None:
    document = ROW.document()
    expected = {
        "model": "m.onnx", "task": "det", "architecture": "DBNet", "upsample": "nearest", "config": "dbnet.py",
        "backend": "onnxruntime", "precision": "fp32", "device": "cpu", "dataset": "toy", "images": 10, "broken": 0,
        "resumed": 0, "metrics": ROW.metrics, "seconds": 4.0, "images_per_second": 2.5, "batch_size": None,
            "size_mib": 3.0,
    }  # fmt: skip
    assert document == expected
    lacking = replace(ROW, architecture="DBNet*", metrics=None, error="there is no GPU", reason="no GPU").document()
    assert (lacking["architecture"], lacking["upsample"]) == ("DBNet", "bilinear")
    assert (lacking["metrics"], lacking["error"]) == ({}, "there is no GPU")
