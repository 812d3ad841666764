import csv
import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from ocrdeploy.cli.evaluation_table import csv_text, markdown_table, print_rows
from ocrdeploy.cli.output import Output
from ocrdeploy.evaluation.rows import EvaluationRow
from tests.support.evaluation_rows import ENGINE, ROW, TORCH

HALF = replace(
    ENGINE, model="m.fp16.engine", precision="fp16", metrics=None, seconds=None, images_per_second=None,
    error="there is no GPU. Use another machine.", reason="no GPU",
)  # fmt: skip
WORDS = {
    "word_acc": 0.5, "word_acc_ignore_case": 0.5, "word_acc_ignore_case_symbol": 0.5, "char_recall": 0.5,
    "char_precision": 0.5, "1-N.E.D": 0.5,
}  # fmt: skip


def words(row: EvaluationRow) -> EvaluationRow:
    return replace(row, task="recog", architecture="CRNNNet", config="crnn_academic_dataset.py", metrics=WORDS)


def test_markdown_has_mmocrs_layout() -> None:
    assert markdown_table([TORCH, ROW, ENGINE, HALF]).splitlines() == [
        "| model | config | data set | metric | PyTorch | ONNX Runtime | TensorRT FP32 | TensorRT FP16 |",
        "| --- | --- | --- | --- | ---: | ---: | ---: | ---: |",
        "| DBNet | dbnet.py | toy | hmean-iou:recall | 0.5000 | 0.5000 | 0.5000 | no GPU |",
        "|  |  |  | hmean-iou:precision | 0.2500 | 0.2500 | 0.2500 | n/a |",
        "|  |  |  | hmean-iou:hmean | 0.3333 | 0.3333 | 0.3333 | n/a |",
        "|  |  |  | device | cpu | cpu | cpu |  |",
        "|  |  |  | images | 10 | 10 | 10 |  |",
        "|  |  |  | images/s | 2.50 | 2.50 | 2.50 |  |",
        "|  |  |  | size, MiB | 3.00 | 3.00 | 3.00 | 3.00 |",
    ]


def test_models_have_rows_of_their_own_and_empty_cells_where_they_were_not_run() -> None:
    other = replace(ROW, architecture="PSENet", config="psenet.py", dataset="a|b", size_mib=0.012)
    lines = markdown_table([TORCH, ROW, other]).splitlines()
    assert lines[9] == r"| PSENet | psenet.py | a\|b | hmean-iou:recall |  | 0.5000 |"
    assert lines[-1] == "|  |  |  | size, MiB |  | 0.012 |"


def test_a_table_in_which_nothing_could_run_says_why() -> None:
    assert "| DBNet | dbnet.py | toy |  | no GPU |" in markdown_table([HALF])


def test_scores_of_a_file_have_no_throughput() -> None:
    stored = replace(ROW, device="", seconds=None, images_per_second=None, size_mib=None)
    assert [line.split(" | ")[3] for line in markdown_table([stored]).splitlines()[2:]] == [
        "hmean-iou:recall", "hmean-iou:precision", "hmean-iou:hmean", "images",
    ]  # fmt: skip


def test_csv_has_a_line_a_row_and_all_digits() -> None:
    lines = list(csv.DictReader(io.StringIO(csv_text([ROW, HALF, words(TORCH)]))))
    assert [line["backend"] for line in lines] == ["onnxruntime", "tensorrt", "torch"]
    assert float(lines[0]["hmean-iou:hmean"]) == 1 / 3
    assert (lines[0]["word_acc"], lines[2]["word_acc"], lines[2]["hmean-iou:hmean"]) == ("", "0.5", "")
    assert (lines[1]["error"], lines[1]["hmean-iou:hmean"]) == ("there is no GPU. Use another machine.", "")
    assert lines[0].keys() >= set(ROW.document()) - {"metrics"}


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Print rows on a terminal of a width, or in a log where that is None."""

    def call(rows: list[EvaluationRow], width: int | None) -> list[str]:
        output = Output()
        screen = io.StringIO()
        console = Console(file=screen, force_terminal=width is not None, width=width or 200, color_system=None)
        object.__setattr__(output, "console", console)
        print_rows(rows, output)
        return screen.getvalue().splitlines()

    return call


def test_a_wide_terminal_shows_one_table(printed: Callable[..., list[str]]) -> None:
    lines = printed([TORCH, ROW, ENGINE, HALF, words(TORCH), words(ROW)], 200)
    assert sum("PyTorch" in line for line in lines) == 1
    assert any("DBNet" in line and "hmean-iou:recall" in line for line in lines)
    assert any("crnn_academic_dataset.py" in line and "word_acc" in line for line in lines)


@pytest.mark.parametrize("rows", [[TORCH, ROW, ENGINE, HALF], [words(row) for row in (TORCH, ROW, ENGINE)]])
def test_eighty_columns_show_a_table_a_model_without_broken_names(
    rows: list[EvaluationRow], printed: Callable[..., list[str]]
) -> None:
    lines = printed(rows, 80)
    assert max(map(len, lines)) <= 80
    assert lines[0] == f"{rows[0].architecture} · {rows[0].config} · toy"
    text = "\n".join(lines)
    for name in rows[0].metrics or {}:
        assert f"│ {name} " in text
    assert "0.5000" in text


def test_four_columns_of_the_longest_names_fit_by_breaking_titles(printed: Callable[..., list[str]]) -> None:
    lines = printed([words(row) for row in (TORCH, ROW, ENGINE, replace(ENGINE, precision="fp16"))], 80)
    assert max(map(len, lines)) <= 80
    assert any("word_acc_ignore_case_symbol │" in line for line in lines)


def test_a_log_shows_plain_characters(printed: Callable[..., list[str]]) -> None:
    lines = printed([TORCH, ROW, HALF], None)
    assert all(line.isascii() for line in lines)
    assert sum(line.startswith("| DBNet |") for line in lines) == 1


def test_what_was_left_out_or_not_run_now_is_told_once(printed: Callable[..., list[str]]) -> None:
    rows = [replace(row, broken=2, resumed=4) for row in (TORCH, ROW)]
    text = printed(rows, None)[-2:]
    assert text == [
        "toy: 2 images or annotations could not be read and do not count",
        "toy: 4 of 10 results are of an earlier run, images/s of the others",
    ]


def test_a_float16_graph_on_a_cpu_is_told_to_be_judged_for_its_weights_only(printed: Callable[..., list[str]]) -> None:
    half = replace(ROW, precision="fp16")
    text = "m.onnx: a CPU computes in float32, so float16 is scored for the rounding of the weights only"
    assert printed([half], None)[-1] == text
    assert text not in printed([replace(half, device="cuda:0"), ROW, replace(ENGINE, precision="fp16")], None)
