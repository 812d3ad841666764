import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from ocrdeploy.cli.output import Output, make_console
from ocrdeploy.cli.tables import Table, make_table

LINE = "─━┃│┏┓┗┛┡┩├┤┬┴┼╇┳└┘"


def scores() -> Table:
    table = make_table("Scores", ("metric", "PyTorch", "ONNX Runtime"))
    table.add_row("word_acc_ignore_case_symbol", "0.2000", "0.2345")
    table.add_row("images/s", "123.45", "12345.67")
    return table


def on_terminal(table: Table, width: int) -> list[str]:
    """Return what a terminal of a width shows."""
    output, paper = Output(), io.StringIO()
    console = Console(file=paper, force_terminal=True, width=width, color_system=None, markup=False, soft_wrap=True)
    object.__setattr__(output, "console", console)
    output.table(table)
    return paper.getvalue().splitlines()


@pytest.mark.parametrize("width", range(16, 121, 4))
def test_numbers_are_whole_at_every_width(width: int) -> None:
    lines = on_terminal(scores(), width)
    text = "\n".join(lines)
    for number in ("0.2000", "0.2345", "123.45", "12345.67"):
        assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", text)
    if any(mark in text for mark in LINE):
        assert max(map(len, lines)) <= width


def test_a_table_that_does_not_fit_is_a_value_a_line() -> None:
    assert on_terminal(scores(), 30) == [
        "Scores",
        "word_acc_ignore_case_symbol",
        "  PyTorch: 0.2000",
        "  ONNX Runtime: 0.2345",
        "images/s",
        "  PyTorch: 123.45",
        "  ONNX Runtime: 12345.67",
    ]


def test_a_table_of_two_columns_is_a_name_and_its_value() -> None:
    table = make_table("", ("metric", "ONNX Runtime"))
    table.add_row("hmean", "0.5263")
    table.add_row("a-rather-long-name", "0.1")
    assert on_terminal(table, 14) == ["hmean: 0.5263", "a-rather-long-name:", "  0.1"]


def test_facts_of_one_cell_stay_lines_of_their_own() -> None:
    table = make_table("", ("stage", "difference", "verdict"), numeric_from=3)
    table.add_row("results", Text("edit distance 0\nworst score difference 0.1 of 0.2"), "passed")
    assert on_terminal(table, 24) == [
        "results", "  difference:", "    edit distance 0", "    worst score", "    difference 0.1 of", "    0.2",
        "  verdict: passed",
    ]  # fmt: skip


def test_words_are_broken_at_blanks_only() -> None:
    table = make_table("", ("what", "path"), numeric_from=2)
    table.add_row("a text of several words", "a-folder/below/it/x.jpg")
    lines = on_terminal(table, 40)
    assert any("a-folder/below/it/x.jpg" in line for line in lines)
    assert max(map(len, lines)) == 40


def test_a_log_has_markdown_as_wide_as_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    table = make_table("Nodes", ("model", "n"))
    table.add_row("x" * 300, "1")
    table.add_row(Text("two\nlines"), "22")
    Output().table(table)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "Nodes"
    assert lines[1] == "|" + "-" * 302 + "|---:|"
    assert lines[2] == f"| {'x' * 300} |  1 |"
    assert [line.replace(" ", "") for line in lines[3:]] == ["|two|22|", "|lines||"]


@pytest.mark.parametrize("width", [20, 80, None])
def test_cells_cannot_control_the_terminal(width: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    table = make_table("\x1b[2Jtitle", ("[b]name[/b]", ":on:"), numeric_from=2)
    table.add_row("a\x1b]0;x\x07\x9b\u202e\n:smile:", "[red]m.onnx[/red]")
    if width is None:
        Output().table(table)
        text = capsys.readouterr().out
    else:
        text = "\n".join(on_terminal(table, width))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert all(part in text for part in ("\\x1b[2Jtitle", "a\\x1b]0;x\\x07\\x9b\\u202e\\n:smile:", "[red]m.onnx[/red]"))


def test_lines_and_consoles_show_what_they_are_given(capsys: pytest.CaptureFixture[str]) -> None:
    path = "a-folder/" * 40 + ":smile:[b]\x1b[31m.jpg"
    Output().line(f"{path}: ':on:'")
    assert capsys.readouterr().out == f"{path[:-9]}\\x1b[31m.jpg: ':on:'\n"
    assert make_console().no_color
