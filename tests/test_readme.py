"""README, tutorials, `--help` and behaviour agree."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer.main

from ocrdeploy.cli.app import app
from tests.cli.conftest import Outcome, command  # noqa: F401  (a fixture)

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [README, *(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("[!_g]*/*.md")))]
"""The README and the tutorials."""
COMMAND_GROUP = typer.main.get_command(app)


def console_commands() -> Iterator[str]:
    """Yield what the pages type after a `$`, and the right column of the table of old and new command lines."""
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
            yield from (line[2:].split("  #")[0].strip() for line in block.splitlines() if line.startswith("$ "))
        yield from re.findall(r"^\| `[^`]+` \| `(ocrdeploy [^`]+)` \|$", page, re.MULTILINE)


OWN_COMMANDS = sorted({line for line in console_commands() if line.startswith("ocrdeploy ")})


def options_of(name: str) -> set[str]:
    group = COMMAND_GROUP
    parameters = group.commands[name].params  # type: ignore[attr-defined]
    return {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}


def test_the_readme_types_commands() -> None:
    assert len(OWN_COMMANDS) >= 8


@pytest.mark.parametrize("line", OWN_COMMANDS)
def test_commands_and_options_in_the_readme_exist(line: str) -> None:
    words = shlex.split(line.replace("…", ""))
    known = options_of(words[1])
    assert [word for word in words[2:] if word.startswith("-") and word not in known and word != "-"] == []


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len(README.splitlines()) <= 100


def test_every_command_is_in_the_readme() -> None:
    names = set(COMMAND_GROUP.commands)  # type: ignore[attr-defined]
    assert [name for name in names if f"ocrdeploy {name}" not in README and f"`{name}`" not in README] == []


def test_every_option_named_in_the_text_exists() -> None:
    known = {option for name in COMMAND_GROUP.commands for option in options_of(name)}  # type: ignore[attr-defined]
    text = re.sub(r"```.*?```", "", "\n".join(PAGES), flags=re.DOTALL)
    text = re.sub(r"^\| `pytorch2onnx.*$|^\| `deploy_test.*$|^\| `onnx2tensorrt.*$", "", text, flags=re.MULTILINE)
    named = set(re.findall(r"`(--[a-z][a-z0-9-]*)", text))
    assert named - known - {"--help"} == set()


@pytest.mark.slow
def test_the_readme_shows_what_the_demo_prints(
    command: Callable[..., Outcome],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = command("demo").out
    shown = re.search(r"```text\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    # Differences in the last bits of float32 are another machine's own.
    numbers = re.compile(r"\d\.?\d*e-\d+")
    expected = [re.sub(r"[\s-]+", " ", numbers.sub("N", line)) for line in shown[1].splitlines() if line.strip()]
    actual = {re.sub(r"[\s-]+", " ", numbers.sub("N", line)) for line in printed.splitlines()}
    assert [line for line in expected if line not in actual] == []


def test_files_that_the_readme_links_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = re.findall(r"(?:^\$ |`)make (\w+)", README, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert {"demo", "test"} <= {*targets}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
