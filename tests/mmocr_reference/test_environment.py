import shutil
from pathlib import Path

import pytest

from ocrdeploy.dialects.outline import Dialect
from ocrdeploy.errors import MachineError, OutputError
from ocrdeploy.mmocr_reference.environment import BuildListener, build_environment
from ocrdeploy.mmocr_reference.recipes import recipe_of
from ocrdeploy.mmocr_reference.toolchain import Toolchain
from tests.support.stand_ins import PYTHON


class Build:
    """A build whose interpreter, pip and compiler are stand-ins."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.target = folder / "an environment"
        self.fault = folder / "fault"
        self.log = folder / "calls"
        python, compiler = folder / "python3.11", folder / "it's a compiler"
        shutil.copy(PYTHON, python)
        python.chmod(0o755)
        compiler.write_text('#!/bin/sh\necho "compiler called with $*"\n')
        compiler.chmod(0o755)
        self.toolchain = Toolchain(python, compiler, jobs=3)
        self.generation: Dialect = "mmocr0"
        self.steps: list[str] = []
        self.lines: list[str] = []
        self.progress: list[tuple[int, int]] = []
        monkeypatch.setenv("STAND_IN_LOG", str(self.log))
        monkeypatch.setenv("STAND_IN_FAULT", str(self.fault))
        monkeypatch.setenv("PYTHONPATH", "/elsewhere")

    def run(self) -> Path:
        listener = BuildListener(
            self.steps.append, self.lines.append, lambda done, total: self.progress.append((done, total))
        )
        return build_environment(self.target, recipe_of(self.generation), self.toolchain, listener)

    def calls(self) -> list[str]:
        """The calls since the last time."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    return Build(tmp_path, monkeypatch)


def test_an_environment_is_built_from_nothing(build: Build) -> None:
    assert build.run() == build.target / "bin" / "python"
    venv, wheels, download, setup, compiling, mmocr = build.calls()
    assert venv == f"-m venv {build.target}"
    assert wheels.startswith("-m pip install ")
    assert wheels.endswith("/requirements.txt")
    assert "--no-binary mmcv-full --no-build-isolation" in download
    assert download.endswith(" mmcv-full==1.7.2")
    assert setup.startswith("setup.py bdist_wheel --dist-dir ")
    # With its operators, for the CPU alone, on as many cores as were asked for.
    assert compiling.endswith("source with CXX=cxx20 MMCV_WITH_OPS=1 MAX_JOBS=3 GPUS=.")
    assert "--no-deps" in mmocr
    assert mmocr.endswith(f"--find-links {build.target}/wheels --only-binary mmcv-full")
    assert len(build.steps) == 5


def test_an_environment_of_mmocr_1x_has_its_bound_on_mmdet_raised(build: Build) -> None:
    build.generation = "mmocr1"
    package = build.target / "lib/python3.11/site-packages/mmocr"
    package.mkdir(parents=True)
    (build.target / "pyvenv.cfg").touch()
    (package / "__init__.py").write_text("a = 1\nmmdet_maximum_version = '3.2.0'\n")
    build.run()
    _, wheels, download, _, _, mmocr = build.calls()
    assert wheels.endswith("/requirements1.txt")
    assert download.endswith(" mmcv==2.1.0")
    assert mmocr.endswith(f"/openmmlab1.txt --find-links {build.target}/wheels --only-binary mmcv")
    assert (package / "__init__.py").read_text() == "a = 1\nmmdet_maximum_version = '3.3.0'\n"
    build.run()
    (package / "__init__.py").write_text("mmdet_maximum_version = '4'\n")
    with pytest.raises(MachineError, match=r"was expected to say \"mmdet_maximum_version = '3\.2\.0'\""):
        build.run()


def test_the_compiler_is_asked_for_cxx20(build: Build) -> None:
    build.run()
    assert "[1/2] compiler called with -std=c++20 -c x.cpp" in build.lines
    assert build.progress == [(1, 2)]


def test_a_build_that_failed_goes_on_where_it_stopped(build: Build) -> None:
    build.fault.touch()
    with pytest.raises(MachineError, match=r"compiling mmcv-full failed: x\.cpp: fatal error: out of paper"):
        build.run()
    build.calls()
    # What was compiled stays where the compiler will find it.
    assert (build.target / "build" / "source" / "object.o").exists()
    build.fault.unlink()
    build.run()
    calls = build.calls()
    assert not any("venv" in call or "download" in call for call in calls)
    assert any(call.startswith("setup.py bdist_wheel") for call in calls)
    assert not (build.target / "build").exists()


def test_what_is_there_is_not_built_again(build: Build) -> None:
    build.run()
    build.calls()
    build.run()
    assert not any("setup.py" in call or "venv" in call for call in build.calls())


def test_a_folder_that_holds_something_else_is_refused(build: Build) -> None:
    build.target.mkdir()
    (build.target / "letters").touch()
    with pytest.raises(OutputError, match="is neither empty nor a virtual environment"):
        build.run()
    assert [path.name for path in build.target.iterdir()] == ["letters"]


def test_a_folder_whose_parent_is_missing_is_not_made(build: Build, tmp_path: Path) -> None:
    build.target = tmp_path / "none" / "environment"
    with pytest.raises(OutputError, match=r"none does not exist\. Make it first"):
        build.run()
    assert not (tmp_path / "none").exists()
