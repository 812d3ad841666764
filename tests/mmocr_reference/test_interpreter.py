import sys
from pathlib import Path

import pytest

from ocrdeploy.errors import MachineError
from ocrdeploy.mmocr_reference.interpreter import MMOCR_PYTHON_VARIABLE, find_mmocr_python


@pytest.fixture(autouse=True)
def _no_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MMOCR_PYTHON_VARIABLE, raising=False)
    monkeypatch.setenv("OCRDEPLOY_CACHE", str(tmp_path / "cache"))


def test_the_option_goes_before_the_variable_and_that_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = [tmp_path / "option", tmp_path / "variable", tmp_path / "cache" / "mmocr" / "bin" / "python"]
    links[2].parent.mkdir(parents=True)
    for link in links:
        link.symlink_to(sys.executable)
    assert find_mmocr_python() == links[2]
    monkeypatch.setenv(MMOCR_PYTHON_VARIABLE, str(links[1]))
    assert find_mmocr_python() == links[1]
    # A virtual environment is known by its link, so that is not followed.
    assert find_mmocr_python(links[0]) == links[0]


def test_a_relative_path_stays_right_when_the_folder_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    assert find_mmocr_python(Path("python")) == tmp_path / "python"


def test_without_any_the_error_names_the_command_that_builds_one() -> None:
    with pytest.raises(MachineError) as caught:
        find_mmocr_python()
    assert caught.value.exit_code == 3
    assert "ocrdeploy setup-mmocr" in caught.value.fix


@pytest.mark.parametrize(("mode", "problem"), [(None, "does not exist"), (0o644, "is not a program")])
def test_what_was_named_and_cannot_be_run_is_refused_by_name(mode: int | None, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "python"
    if mode is not None:
        path.write_text("")
        path.chmod(mode)
    with pytest.raises(MachineError) as caught:
        find_mmocr_python(path)
    assert caught.value.message == f"the interpreter {path} that --mmocr-python names {problem}"


def test_a_wrong_variable_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MMOCR_PYTHON_VARIABLE, "/none/python")
    with pytest.raises(MachineError, match=f"/none/python that {MMOCR_PYTHON_VARIABLE} names does not exist"):
        find_mmocr_python()
