"""The command `ocrdeploy`: its subcommands and the one place where errors become words and exit codes."""

import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, NoReturn, TextIO

import typer

from ocrdeploy.errors import OcrDeployError, OcrDeployWarning, UsageError
from ocrdeploy.version import __version__

from . import benchmark, build_engine, demo, doctor, evaluate, export, predict, setup_mmocr, verify
from .plain_text import one_line

INTERRUPTED = 130
"""Exit code of a program that Ctrl-C ended, as shells count it."""

app = typer.Typer(
    name="ocrdeploy",
    help="Run OCR models trained with MMOCR 0.x in production: export them to ONNX, prove that nothing was lost on the "
    "way, measure accuracy and speed of every backend in one table.",
    epilog="Exit codes: 0 done, and what was compared passed; 1 a comparison, gate or item failed; 2 wrong usage or a "
    "bad input file; 3 something this machine lacks, named with the command that installs it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # With it, Typer imports a Markdown parser to print a help text, which takes longer than all else.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("export")(export.command)
app.command("build-engine")(build_engine.command)
app.command("verify")(verify.command)
app.command("evaluate")(evaluate.command)
app.command("predict")(predict.command)
app.command("benchmark")(benchmark.command)
app.command("doctor")(doctor.command)
app.command("setup-mmocr")(setup_mmocr.command)
app.command("demo")(demo.command)


def _print_version(value: bool) -> None:
    """Print the version and stop, if asked to."""
    if value:
        typer.echo(f"ocrdeploy {__version__}")
        raise typer.Exit


@app.callback()
def _callback(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Declare the options that stand before a subcommand."""


class Interruption:
    """A handler of Ctrl-C that does what Python's own does, and remembers it.

    Compiled modules that are interrupted while they are imported turn the interruption into an error of theirs.
    """

    def __init__(self) -> None:
        self.has_come = False

    def __call__(self, _number: int, _frame: FrameType | None) -> NoReturn:
        """Interrupt what is running."""
        self.has_come = True
        raise KeyboardInterrupt


def main() -> None:
    """Run the command line and exit with its code."""
    interruption = Interruption()
    # Who starts a program in the background may have it ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interruption)
    code = run(sys.argv[1:], interruption)
    sys.exit(code)


def run(arguments: list[str], interruption: Interruption | None = None) -> int:
    """Run one command line and return its exit code; errors are printed to standard error, one line each."""
    # OpenCV reads it when it is imported; what it would print about a broken image, our error says in one line.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files can hold bytes that are no text, and terminals can lack characters.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _refuse_empty(arguments)
        with _warnings_as_lines():
            result = app(arguments, prog_name="ocrdeploy", standalone_mode=False)
        if result == INTERRUPTED:
            return _fail("interrupted", INTERRUPTED)
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain again when it flushes at exit.
        sys.stdout = None
        return 0
    except Exception as error:  # noqa: BLE001  (the boundary: no traceback that nobody asked for)
        if interruption is not None and interruption.has_come:
            return _fail("interrupted", INTERRUPTED)
        return _explain(error, verbose="--verbose" in arguments or "-v" in arguments)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print each different warning of the library once, as a line on standard error, while the block runs."""
    seen: set[str] = set()

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
        line: str | None = None,
    ) -> None:  # fmt: skip
        if not issubclass(category, OcrDeployWarning):
            others(message, category, filename, lineno, file, line)
        elif str(message) not in seen:
            seen.add(str(message))
            # A progress bar puts what is printed so above itself.
            print("warning: " + one_line(str(message)), file=sys.stderr)  # noqa: T201

    with warnings.catch_warnings():
        others = warnings.showwarning
        warnings.simplefilter("always", OcrDeployWarning)
        warnings.showwarning = show
        yield


def _refuse_empty(arguments: list[str]) -> None:
    """Refuse an argument or a value that is empty: as a path it would be the current folder.

    Raises:
        UsageError: Names the option.
    """
    for before, argument in zip(["", *arguments], arguments, strict=False):
        option = before if before.startswith("-") else "an argument"
        is_unset = argument.startswith("--") and argument.endswith("=")
        option = argument[:-1] if is_unset else option
        if is_unset or not argument:
            raise UsageError(f"{option} is empty: a variable that is not set?")


def _explain(error: Exception, *, verbose: bool) -> int:
    """Print an error and return its exit code: ours, wrong usage as the command-line parser words it, or a bug."""
    if isinstance(error, OcrDeployError):
        return _fail(str(error), error.exit_code)
    # The parser's errors are click's, of which newer versions of Typer carry a private copy: known by what they do.
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        return 2
    if hasattr(error, "format_message"):
        return _fail(str(error.format_message()), 2)
    if verbose:
        traceback.print_exception(error)
    return _fail(f"internal error: {type(error).__name__}: {error} (--verbose shows where)", 1)


def _fail(message: str, code: int) -> int:
    """Print an error on one line and return the exit code."""
    print("ocrdeploy: error: " + one_line(message), file=sys.stderr)  # noqa: T201
    return code
