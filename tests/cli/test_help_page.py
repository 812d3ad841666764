"""The help: whole summaries, options under headings, examples that work, no names of Python types."""

import re
import shlex
from typing import Any

import pytest
import typer.main

from ocrdeploy.cli import help_page
from ocrdeploy.cli.app import app
from ocrdeploy.cli.help_page import first_long_name
from ocrdeploy.cli.main import run
from ocrdeploy.cli.option_groups import GROUPS, OTHERS, group_of

GROUP: Any = typer.main.get_command(app)
NAMES = list(GROUP.commands)
OPTIONS = [
    (name, first_long_name(option))
    for name in NAMES
    for option in GROUP.commands[name].params
    if option.param_type_name == "option"
]


def page(*arguments: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    assert run([*arguments, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_a_summary_is_one_whole_line_of_a_terminal(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = page(width=80, monkeypatch=monkeypatch, capsys=capsys)
    summary = GROUP.commands[name].help.split("\n\n")[0].rstrip(".")
    assert re.search(rf"^  {name} +{re.escape(summary)}$", shown, re.MULTILINE)


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_every_option_stands_under_a_heading(name: str, option: str) -> None:
    assert group_of(option) != OTHERS, f"{option} of {name} belongs into a group of option_groups.GROUPS"


def test_every_option_of_a_heading_exists_once() -> None:
    listed = [option for _, options in GROUPS for option in options]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_fits_the_terminal_and_shows_no_python(
    name: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = page(*filter(None, [name]), width=width, monkeypatch=monkeypatch, capsys=capsys)
    commands = {line for command in GROUP.commands.values() for line in command.epilog.splitlines()}
    # A command line is not broken, so that it can be copied; nor is what an option takes.
    prose = [line for line in shown.splitlines() if line.strip() not in commands and not line.startswith("  -")]
    assert max(map(len, prose)) <= width
    assert not re.search(r"<\w|\[\[|list\[|\.\.\.\]\.\.\.|Path|x>=", shown.replace("image<TAB>text", ""))


@pytest.mark.parametrize("name", NAMES)
def test_two_examples_can_be_parsed(name: str) -> None:
    lines = GROUP.commands[name].epilog.splitlines()
    assert len(lines) == 2
    for line in lines:
        program, command, *words = shlex.split(line)
        assert (program, command) == ("ocrdeploy", name)
        GROUP.commands[name].make_context(name, words, resilient_parsing=False)


def test_a_name_that_is_long_has_its_description_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert list(help_page._row("--a-rather-long-option FOLDER", "what it does")) == [
        "  --a-rather-long-option FOLDER",
        " " * 28 + "what it does",
    ]


def test_headings_are_bold_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert help_page._bold("Input:") == "Input:"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert help_page._bold("Input:") == "\033[1mInput:\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert help_page._bold("Input:") == "Input:"
