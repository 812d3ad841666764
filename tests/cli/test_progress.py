import io
import re

import pytest
from rich.console import Console

from ocrdeploy.cli.output import Output
from ocrdeploy.cli.progress import LogProgress, rate_text, terminal_bar

WIDTH = 80


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def screen(
    description: str, done: int, *, skipped: int = 0, seconds: float = 10, bytes_: bool = False, width: int = WIDTH
) -> str:
    """Return the bar's line on a terminal."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    with terminal_bar(console, description, 100, bytes_=bytes_) as bar:
        now = bar.bar.get_time()
        bar.bar.tasks[0].start_time = now - seconds
        bar.bar.get_time = lambda: now
        for task in bar.bar.tasks:
            task._get_time = lambda: now
        for _ in range(skipped):
            bar.skip()
        for _ in range(done - skipped):
            bar.advance()
        paper = Console(file=io.StringIO(), width=width, color_system=None)
        with paper.capture() as capture:
            paper.print(bar.bar.get_renderable())
    return capture.get().rstrip("\n")


def test_the_bar_has_count_rate_and_remaining_time_in_80_columns() -> None:
    line = screen("model.onnx on onnxruntime", 40)
    assert re.fullmatch(r"model\.onnx on onnxruntime [━╸╺ ]+ +40/100 4\.0/s 0:15 left *", line)
    assert len(line) <= WIDTH


def test_a_long_description_is_cut() -> None:
    line = screen("a-model-with-a-very-long-name-indeed.onnx on onnxruntime", 40)
    assert "\n" not in line
    assert "…" in line
    assert "40/100 4.0/s 0:15 left" in line


@pytest.mark.parametrize("width", [24, 32, 40, 59])
def test_on_a_narrow_terminal_the_count_stays_whole(width: int) -> None:
    line = screen("model.onnx on onnxruntime", 40, width=width)
    assert re.search(r" 40/100 *$", line)
    assert "\n" not in line


def test_names_are_no_markup_and_control_nothing() -> None:
    assert screen("[red]m\x1b.onnx :on:", 40).startswith("[red]m\\x1b.onnx :on: ")


def test_what_took_no_time_says_nothing_of_the_rate() -> None:
    assert "40/100 1.0/s 1:00 left" in screen("m", 40, skipped=30)
    assert "left" not in screen("m", 40, skipped=40)


def test_hours_are_told() -> None:
    assert "3.0 s each" not in screen("m", 1, seconds=1)
    assert "1/100 600.0 s each 16:30:00 left" in screen("m", 1, seconds=600)


def test_bytes_are_told_as_such() -> None:
    assert "40/100 bytes" in screen("downloading", 40, bytes_=True)


@pytest.mark.parametrize(
    ("rate", "text"), [(123.4, "123/s"), (12.3, "12/s"), (1.26, "1.3/s"), (0.5, "2.0 s each"), (0, "0/s")]
)
def test_rates_are_easy_to_read(rate: float, text: str) -> None:
    assert rate_text(rate) == text


def test_a_log_has_a_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    bar = LogProgress("model.onnx on torch", 400, is_quiet=False, clock=clock)
    bar.skip()
    for _ in range(130):
        clock.now += 1
        bar.advance()
    assert capsys.readouterr().err.splitlines() == [
        "model.onnx on torch: 61 of 400, 1.0/s, 5.7 minutes left",
        "model.onnx on torch: 121 of 400, 1.0/s, 4.7 minutes left",
    ]


def test_a_log_of_unknown_length_and_a_quiet_one(capsys: pytest.CaptureFixture[str]) -> None:
    for is_quiet in (False, True):
        clock = Clock()
        bar = LogProgress("downloading", None, is_quiet, clock)
        clock.now += 100
        bar.update(50, None)
    assert capsys.readouterr().err == "downloading: 50, 2.0 s each\n"


def test_work_that_is_soon_done_leaves_nothing_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with Output().progress("comparing", 3) as bar:
        bar.advance()
    assert capsys.readouterr() == ("", "")
