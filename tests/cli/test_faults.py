"""How errors look: one line each in a log; on a terminal coloured, and broken between words."""

import os
import sys

import pytest

from ocrdeploy.cli.faults import print_error, print_warning, wrap_words

PATH = "/data/my photos/of 2026/image.jpg"


def show_on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let standard error be a terminal of 40 columns."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 24)))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_log_has_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("what is wrong " * 20, "What to do.", "Usage: ocrdeploy", ("a detail",))
    usage, error, hint, detail = capsys.readouterr().err.splitlines()
    assert (usage, hint, detail) == ("Usage: ocrdeploy", "hint: What to do.", "  a detail")
    assert error == "ocrdeploy: error: " + ("what is wrong " * 20).strip()


def test_a_terminal_has_colours_and_lines_that_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show_on_terminal(monkeypatch)
    print_error("what is wrong is said in more than a line", "What to do.")
    assert capsys.readouterr().err.splitlines() == [
        "ocrdeploy: \033[1;31merror:\033[0m what is wrong is said",
        "  in more than a line",
        "\033[1;36mhint:\033[0m What to do.",
    ]


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    show_on_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    print_warning("take care")
    assert capsys.readouterr().err == "warning: take care\n"


def test_what_the_user_typed_is_not_broken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    show_on_terminal(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["ocrdeploy", "predict", "m.onnx", PATH])
    print_error(f"the image {PATH} does not exist")
    assert f"  {PATH} does" in capsys.readouterr().err.splitlines()


def test_a_word_that_is_too_long_has_a_line_of_its_own() -> None:
    assert wrap_words("a " + "b" * 30 + " c d", 20, []) == ["a", "  " + "b" * 30, "  c d"]
    assert wrap_words("", 20, []) == [""]


def test_a_closed_standard_error_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    print_error("nobody hears it")
