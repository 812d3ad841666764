import json
import sys
from pathlib import Path

import pytest

from ocrdeploy.errors import MachineError, UsageError
from ocrdeploy.mmocr_reference.toolchain import _probe, find_toolchain

GOOD = {"version": [3, 11], "implementation": "cpython", "pip": True, "header": True}


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def interpreter(folder: Path, name: str, **facts: object) -> Path:
    return program(folder, name, f"echo '{json.dumps(GOOD | facts)}'")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of programs: a Python 3.11 and a compiler are in it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    interpreter(tmp_path, "python3.11")
    program(tmp_path, "g++", "exit 0")
    return tmp_path


def test_interpreter_and_compiler_are_found_on_the_path(folder: Path) -> None:
    toolchain = find_toolchain(None, None)
    assert (toolchain.python, toolchain.compiler) == (folder / "python3.11", folder / "g++")
    assert toolchain.jobs >= 1
    assert find_toolchain(None, 5).jobs == 5


def test_python3_is_taken_where_it_is_of_the_version(folder: Path) -> None:
    (folder / "python3.11").unlink()
    assert find_toolchain(str(interpreter(folder, "python3")), None).python.name == "python3"
    assert find_toolchain(None, None).python.name == "python3"


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"version": [3, 12]}, "go with CPython 3.11, and {path} is cpython 3.12"),
        ({"implementation": "pypy"}, "go with CPython 3.11, and {path} is pypy 3.11"),
        ({"pip": False}, "{path} cannot make virtual environments: it has no ensurepip"),
        ({"header": False}, "{path} cannot build extensions: its headers (Python.h) are missing"),
    ],
)
def test_an_interpreter_that_will_not_do_is_refused_by_name(
    facts: dict[str, object], message: str, folder: Path
) -> None:
    path = interpreter(folder, "mine", **facts)
    with pytest.raises(MachineError) as caught:
        find_toolchain(str(path), None)
    assert message.format(path=path) in caught.value.message
    assert "apt install python3.11-venv python3.11-dev" in caught.value.fix


def test_without_an_interpreter_the_error_says_which_one_is_needed(folder: Path) -> None:
    (folder / "python3.11").unlink()
    with pytest.raises(MachineError, match=r"go with CPython 3\.11, and python3\.11 is not a program that runs here"):
        find_toolchain(None, None)
    noise = program(folder, "noise", "echo hello")
    with pytest.raises(UsageError, match=r"the interpreter \./nothere does not exist"):
        find_toolchain("./nothere", None)
    with pytest.raises(MachineError, match="noise is not a program that runs here"):
        find_toolchain(str(noise), None)


def test_without_a_compiler_the_error_says_how_to_get_one(folder: Path) -> None:
    (folder / "g++").unlink()
    with pytest.raises(MachineError) as caught:
        find_toolchain(None, None)
    assert caught.value.message == "a C++ compiler is needed to build mmcv, and g++ is not here"
    assert "apt install g++" in caught.value.fix


def test_a_compiler_that_is_too_old_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(folder, "old-g++", "echo 'unrecognized option -std=c++20' >&2; exit 1")
    monkeypatch.setenv("CXX", "old-g++")
    with pytest.raises(MachineError, match=r"the C\+\+ compiler .*old-g\+\+ does not know C\+\+20"):
        find_toolchain(None, None)


def test_other_systems_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(MachineError, match="is built on Linux, and this is Darwin"):
        find_toolchain(None, None)


def test_an_interpreter_is_asked_what_it_is() -> None:
    facts = _probe(sys.executable)
    assert facts is not None
    assert facts["version"] == list(sys.version_info[:2])
    assert facts["implementation"] == sys.implementation.name
    assert facts["pip"] in (True, False)
