"""Building the environment that MMOCR runs in, from nothing, on a current Linux.

mmcv has no wheels for a current PyTorch, so its operators are compiled, for the CPU alone. Three things stand in the
way, and are seen to here: isolated from PyTorch it builds without its operators and says nothing, its setup.py needs a
setuptools that still has `pkg_resources`, and it asks for C++17 while PyTorch's headers need C++20.
"""

import contextlib
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ocrdeploy.errors import MachineError, OutputError

from .building import Runner
from .interpreter import python_of
from .recipes import Bound, Recipe
from .toolchain import Toolchain

COMPILER_NAME = "cxx20"
LOG_NAME = "setup.log"
MARKER = "pyvenv.cfg"
"""File that every virtual environment has."""

_COMPILER_SCRIPT = """#!/bin/sh
# mmcv asks for C++17, and the headers of its PyTorch need C++20. Neither debugging nor speed is worth the time here.
for argument do
  shift
  case "$argument" in
  -std=c++17) argument=-std=c++20 ;;
  -g) argument=-g0 ;;
  -O3) argument=-O1 ;;
  esac
  set -- "$@" "$argument"
done
exec '{compiler}' "$@"
"""


@dataclass(frozen=True, slots=True)
class BuildListener:
    """What is told while an environment is built.

    Attributes:
        step: Called with the title of each step when it begins.
        line: Called with each line that pip and the compiler print.
        compiled: Called with how many source files are compiled, and of how many.
    """

    step: Callable[[str], None] = lambda _title: None
    line: Callable[[str], None] = lambda _line: None
    compiled: Callable[[int, int], None] = lambda _done, _total: None


def build_environment(folder: Path, recipe: Recipe, toolchain: Toolchain, listener: BuildListener) -> Path:
    """Build MMOCR's environment, or what is missing of one that was begun.

    Args:
        folder: Where to build; the folder becomes a virtual environment. Its parent must exist.
        recipe: What to build.
        toolchain: What to build with.
        listener: Is told how far the work is.

    Returns:
        The environment's interpreter.

    Raises:
        OutputError: The folder cannot be made, or holds something else.
        MachineError: A step failed; the message has the reason, the log in the folder the rest.
    """
    _claim(folder)
    runner = Runner(folder / LOG_NAME, _environment(folder, toolchain), listener.line, listener.compiled)
    python = python_of(folder)
    with _data_folder() as data:
        listener.step(recipe.steps[0])
        if not _has_pip(runner, python):
            runner.run("making the virtual environment", [str(toolchain.python), "-m", "venv", str(folder)])
        _write_compiler(folder, toolchain)
        pip = [str(python), "-m", "pip", "install", "--progress-bar", "off"]
        listener.step(recipe.steps[1])
        runner.run("installing PyTorch and the other wheels", [*pip, "-r", str(data / recipe.requirements)])
        wheel = _wheel(folder, recipe) or _build_mmcv(folder, recipe, runner, listener, data)
        listener.step(recipe.steps[4])
        openmmlab = [*pip, "--no-deps", "-r", str(data / recipe.openmmlab), "--find-links", str(wheel.parent)]
        # Prefers the wheel that was built here over the source.
        runner.run("installing MMOCR", [*openmmlab, "--only-binary", recipe.mmcv])
    if recipe.bound is not None:
        _raise_bound(folder, recipe.bound)
    return python


def _claim(folder: Path) -> None:
    """Make the folder, or refuse one that holds something else than such an environment."""
    if not folder.parent.is_dir():
        raise OutputError(f"{folder} cannot be made: the folder {folder.parent} does not exist", "Make it first.")
    try:
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()) and not (folder / MARKER).exists():
            raise OutputError(f"{folder} is neither empty nor a virtual environment", "Name a folder of its own.")
    except OSError as error:
        raise OutputError(f"{folder} cannot be used: {error.strerror}") from error


def _environment(folder: Path, toolchain: Toolchain) -> dict[str, str]:
    """Return the environment variables that pip and mmcv's setup.py are run with."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return variables | {
        # A name rather than a path, which PyTorch's build would break at spaces.
        "CXX": COMPILER_NAME,
        "PATH": os.pathsep.join((str(python_of(folder).parent.absolute()), variables.get("PATH", os.defpath))),
        "MAX_JOBS": str(toolchain.jobs),
        "MMCV_WITH_OPS": "1",
        # mmcv would want nvcc where it sees a GPU.
        "CUDA_VISIBLE_DEVICES": "",
        "FORCE_CUDA": "0",
        "PYTHONNOUSERSITE": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def _write_compiler(folder: Path, toolchain: Toolchain) -> None:
    """Write the program that stands for the compiler."""
    script = python_of(folder).with_name(COMPILER_NAME)
    compiler = str(toolchain.compiler).replace("'", "'\\''")
    script.write_text(_COMPILER_SCRIPT.format(compiler=compiler), encoding="utf-8")
    script.chmod(0o755)


def _wheel(folder: Path, recipe: Recipe) -> Path | None:
    """Return mmcv's wheel if it was built."""
    return next((folder / "wheels").glob(f"{recipe.wheel}-*.whl"), None)


def _raise_bound(folder: Path, bound: Bound) -> None:
    """Raise a bound in the package that sets it, as it is installed.

    Raises:
        MachineError: It is not written there as it should be.
    """
    for file in folder.glob(f"lib/python3*/site-packages/{bound.package}/__init__.py"):
        content = file.read_text(encoding="utf-8")
        if bound.text in content:
            file.write_text(content.replace(bound.text, bound.replacement), encoding="utf-8")
        elif bound.replacement not in content:
            raise MachineError(f"{file} was expected to say {bound.text!r}", "Remove the folder and build it again.")


def _has_pip(runner: Runner, python: Path) -> bool:
    """Tell whether the virtual environment is whole."""
    return python.exists() and runner.succeeds([str(python), "-m", "pip", "--version"])


def _build_mmcv(folder: Path, recipe: Recipe, runner: Runner, listener: BuildListener, data: Path) -> Path:
    """Compile mmcv and return its wheel.

    setup.py is run by itself and in a folder that stays: what was compiled before an interruption is not again.
    """
    python, build, wheels = python_of(folder), folder / "build", folder / "wheels"
    build.mkdir(exist_ok=True)
    listener.step(recipe.steps[2])
    pin = _pin(data / recipe.openmmlab, recipe.mmcv)
    source = _mmcv_source(build, runner, [str(python), "-m", "pip", "download"], pin)
    listener.step(recipe.steps[3])
    # Written beside its place first, so that a wheel which is there is whole.
    part = folder / "wheels.part"
    runner.run(
        f"compiling {recipe.mmcv}", [str(python), "setup.py", "bdist_wheel", "--dist-dir", str(part.absolute())], source
    )
    shutil.rmtree(wheels, ignore_errors=True)
    part.rename(wheels)
    shutil.rmtree(build)
    wheel = _wheel(folder, recipe)
    if wheel is None:
        raise MachineError(f"building {recipe.mmcv} made no wheel", f"{folder / LOG_NAME} has what was printed.")
    return wheel


def _mmcv_source(build: Path, runner: Runner, download: list[str], pin: str) -> Path:
    """Return the folder with mmcv's source, which is downloaded if it is not there."""
    source = build / "source"
    if source.is_dir():
        return source
    name = pin.partition("==")[0]
    options = ["--progress-bar", "off", "--no-deps", "--no-binary", name, "--no-build-isolation", "--dest", str(build)]
    runner.run(f"downloading {name}", [*download, *options, pin])
    unpacked = build / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(next(build.glob("mmcv*.tar.gz"))) as archive:
        archive.extractall(unpacked, filter="data")
    next(unpacked.iterdir()).rename(source)
    return source


def _pin(requirements: Path, package: str) -> str:
    """Return a package's line of a requirements file."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{package}=="))


@contextlib.contextmanager
def _data_folder() -> Iterator[Path]:
    """Give the folder of the requirements files."""
    with resources.as_file(resources.files("ocrdeploy") / "mmocr_reference") as folder:
        yield folder
