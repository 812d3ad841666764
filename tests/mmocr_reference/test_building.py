import os
import time
from pathlib import Path

import pytest

from ocrdeploy.errors import MachineError, OutputError
from ocrdeploy.mmocr_reference.building import Runner


def make_runner(folder: Path) -> tuple[Runner, list[str], list[tuple[int, int]]]:
    lines: list[str] = []
    progress: list[tuple[int, int]] = []
    runner = Runner(folder / "log", os.environ, lines.append, lambda done, total: progress.append((done, total)))
    return runner, lines, progress


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def test_what_a_program_prints_is_logged_and_told(tmp_path: Path) -> None:
    runner, lines, progress = make_runner(tmp_path)
    runner.run("x", shell("echo one; echo '[3/73] c++ -c nms.cpp' >&2; pwd"), tmp_path)
    assert lines == ["one", "[3/73] c++ -c nms.cpp", str(tmp_path)]
    assert progress == [(3, 73)]
    runner.run("y", shell("echo two"))
    log = (tmp_path / "log").read_text().splitlines()
    assert [line for line in log if not line.startswith("$ ")] == lines
    assert lines[-1] == "two"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'x.cpp:3:1: fatal error: Python.h: No such file'; echo 'note: more'; exit 1", "x.cpp:3:1: fatal error"),
        ("echo 'g++: fatal error: Killed signal terminated program cc1plus'; exit 4", "g++: fatal error: Killed"),
        ("echo 'ERROR: No matching distribution found for torch'; echo; echo hint; exit 1", "ERROR: No matching"),
        ("echo 'something else'; exit 9", "something else"),
        ("exit 9", "exit code 9"),
    ],
)
def test_a_program_that_fails_gives_one_line_of_reason(script: str, reason: str, tmp_path: Path) -> None:
    runner, _, _ = make_runner(tmp_path)
    with pytest.raises(MachineError) as caught:
        runner.run("compiling", shell(script))
    assert caught.value.message.startswith(f"compiling failed: {reason}")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "log") in caught.value.fix


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    runner, _, _ = make_runner(tmp_path)
    with pytest.raises(OutputError, match="installing failed: No such file or directory: /none/pip"):
        runner.run("installing", ["/none/pip"])
    assert not runner.succeeds(["/none/pip"])
    assert not runner.succeeds(shell("exit 1"))
    assert runner.succeeds(shell("exit 0"))


def test_an_interruption_ends_what_the_program_has_started(tmp_path: Path) -> None:
    marker = tmp_path / "alive"

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    runner = Runner(tmp_path / "log", os.environ, interrupt, lambda _done, _total: None)
    with pytest.raises(KeyboardInterrupt):
        runner.run("compiling", shell(f"(sleep 1; touch '{marker}') & echo started; wait"))
    time.sleep(1.5)
    assert not marker.exists()
