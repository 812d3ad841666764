"""`ocrdeploy setup-mmocr`: builds the environment that the real MMOCR runs in."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import JsonFile, Quiet, Verbose
from .output import Output

if TYPE_CHECKING:
    from ocrdeploy.dialects.outline import Dialect

    from .progress import ProgressBar


def command(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folder that becomes the environment; its parent must exist. [default: mmocr or mmocr1 in the cache "
            "folder, where --reference mmocr and --builder mmocr find it by themselves]",
            show_default=False,
        ),
    ] = None,
    generation: Annotated[
        int, typer.Option("--generation", min=0, max=1, metavar="0|1", help="MMOCR 0.x (0.6.3) or 1.x (1.0.1).")
    ] = 0,
    python: Annotated[
        str | None,
        typer.Option(
            "--python", metavar="PYTHON", help="CPython 3.11 to build with. [default: python3.11 on the PATH]"
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, metavar="N", help="Compilers at once. [default: as many as cores and memory allow]"
        ),
    ] = None,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Build the environment of the real MMOCR, 0.6.3 or 1.0.1.

    It is for verify --reference mmocr and export --builder mmocr. Installs PyTorch and compiles mmcv with its
    operators, for the CPU, then installs mmdet and MMOCR itself, and tries them. Needs Linux, CPython 3.11
    with its headers, g++ 11 or newer, some 6 GB of disk and a package index (pip's own settings are honoured). Takes 13
    to 21 minutes on two cores, most of them for compiling; less on more. Interrupted, it goes on where it stopped when
    it is called again. --verbose shows what pip and compiler print.
    """
    from ocrdeploy.mmocr_reference.environment import BuildListener, build_environment
    from ocrdeploy.mmocr_reference.interpreter import default_environment, python_variable
    from ocrdeploy.mmocr_reference.recipes import recipe_of
    from ocrdeploy.mmocr_reference.session import MmocrSession
    from ocrdeploy.mmocr_reference.toolchain import find_toolchain

    output = Output(json_file, quiet, verbose)
    toolchain = find_toolchain(python, jobs)
    dialect: Dialect = "mmocr1" if generation else "mmocr0"
    recipe = recipe_of(dialect)
    target = folder or default_environment(dialect)
    if folder is None:
        target.parent.mkdir(parents=True, exist_ok=True)
    tools = f"{toolchain.python} and {toolchain.compiler}, {toolchain.jobs} job(s)"
    output.line(f"building {target} for {recipe.title} with {tools}")
    started = time.perf_counter()
    with _Steps(output) as steps:
        listener = BuildListener(steps.begin, output.line if verbose else lambda _line: None, steps.update)
        interpreter = build_environment(target, recipe, toolchain, listener)
        steps.begin("trying it")
        with MmocrSession(interpreter, dialect) as session:
            versions = session.versions
    seconds = time.perf_counter() - started
    output.line(", ".join(f"{name} {version}" for name, version in versions.items()))
    output.line(f"{interpreter} runs MMOCR; built in {seconds / 60:.1f} minutes")
    if folder is not None:
        output.line(f"name it with --mmocr-python, or with: export {python_variable(dialect)}={interpreter.absolute()}")
    document: dict[str, Any] = {"schema": 1, "command": "setup-mmocr", "python": str(interpreter.absolute())}
    output.json(document | {"versions": versions, "seconds": seconds})


class _Steps:
    """Shows one step of the build after the other, each with a line when it is done and a bar while it is not."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._stack = ExitStack()
        self._bar: ProgressBar | None = None
        self._current = ""
        self._started = 0.0

    def __enter__(self) -> "_Steps":
        return self

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        self._finish(done=kind is None)

    def begin(self, title: str) -> None:
        """Begin a step, which ends the one before."""
        self._finish(done=True)
        self._current, self._started = title, time.perf_counter()
        self._bar = self._stack.enter_context(self._output.progress(title, total=None))

    def update(self, done: int, total: int) -> None:
        """Move the bar of the step."""
        if self._bar is not None:
            self._bar.update(done, total)

    def _finish(self, *, done: bool) -> None:
        """End a step's bar, and say how long it took."""
        self._stack.close()
        if done and self._current:
            self._output.line(f"  {self._current}: {time.perf_counter() - self._started:.0f} s")
