"""The command `ocrdeploy` and its subcommands."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TextIO

import typer

from ocrdeploy.errors import OcrDeployWarning, UsageError
from ocrdeploy.version import __version__

from . import (
    adopt,
    benchmark,
    build_engine,
    demo,
    doctor,
    evaluate,
    export,
    inspect,
    predict,
    read,
    setup_mmocr,
    verify,
)
from .faults import print_warning
from .help_page import HelpCommand, HelpGroup
from .shape_words import split_shapes

app = typer.Typer(
    name="ocrdeploy",
    cls=HelpGroup,
    help="Take OCR models trained with MMOCR to ONNX Runtime and TensorRT, prove that nothing was lost on the way, and "
    "measure accuracy and speed.",
    epilog="Exit codes: 0 done, and what was compared passed; 1 a comparison, gate or item failed; 2 wrong usage or a "
    "bad input file; 3 something this machine lacks, named with the command that installs it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # With it, Typer imports a Markdown parser to print a help text, which takes longer than all else.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS: tuple[tuple[str, Callable[..., None], tuple[str, str]], ...] = (
    (
        "export",
        export.command,
        (
            "ocrdeploy export dbnet_r18_fpnc_1200e_icdar2015.py dbnet.pth --dynamic",
            "ocrdeploy export crnn_academic_dataset.py crnn.pth word.jpg --verify -o crnn.onnx",
        ),
    ),
    (
        "adopt",
        adopt.command,
        (
            "ocrdeploy adopt PP-OCRv6_det_small.onnx --preset ppocr-det -o det.onnx",
            "ocrdeploy adopt PP-OCRv6_rec_small.onnx -o rec.onnx",
        ),
    ),
    (
        "inspect",
        inspect.command,
        ("ocrdeploy inspect model.onnx", "ocrdeploy inspect model.engine --json model.json"),
    ),
    (
        "build-engine",
        build_engine.command,
        (
            "ocrdeploy build-engine model.onnx --fp16",
            "ocrdeploy build-engine model.onnx --runtime tensorrt-rtx --compute-capability sm86",
        ),
    ),
    (
        "verify",
        verify.command,
        (
            "ocrdeploy verify model.onnx --html report.html",
            "ocrdeploy verify model.onnx model.engine --images photos/",
        ),
    ),
    (
        "evaluate",
        evaluate.command,
        (
            "ocrdeploy evaluate model.onnx --backend torch,onnxruntime",
            "ocrdeploy evaluate model.onnx --data labels/ --fail-under hmean-iou:hmean=0.79",
        ),
    ),
    (
        "predict",
        predict.command,
        (
            "ocrdeploy predict model.onnx photo.jpg --draw drawn",
            "ocrdeploy predict crnn.onnx words/ --json words.jsonl",
        ),
    ),
    (
        "read",
        read.command,
        (
            "ocrdeploy read det.onnx rec.onnx photo.jpg --draw drawn",
            "ocrdeploy read det.onnx rec.onnx photos/ --json words.jsonl --text text.txt",
        ),
    ),
    (
        "benchmark",
        benchmark.command,
        (
            "ocrdeploy benchmark model.onnx --images photos/",
            "ocrdeploy benchmark before.onnx after.onnx --json speed.json",
        ),
    ),
    ("doctor", doctor.command, ("ocrdeploy doctor", "ocrdeploy doctor --json machine.json")),
    (
        "setup-mmocr",
        setup_mmocr.command,
        ("ocrdeploy setup-mmocr", "ocrdeploy setup-mmocr mmocr-env --python python3.11 --jobs 2"),
    ),
    ("demo", demo.command, ("ocrdeploy demo", "ocrdeploy demo -o folder --json result.json")),
)
"""Each command with two examples of it."""
for _name, _command, _examples in COMMANDS:
    app.command(_name, cls=HelpCommand, epilog="\n".join(_examples))(_command)


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


def run_app(arguments: list[str]) -> Any:
    """Run one command line and return what Typer makes of it: an exit code, or what the command returned."""
    _refuse_empty(arguments)
    with _warnings_as_lines():
        return app(split_shapes(arguments), prog_name="ocrdeploy", standalone_mode=False)


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
            print_warning(str(message))

    with warnings.catch_warnings():
        others = warnings.showwarning
        warnings.simplefilter("always", OcrDeployWarning)
        # Pillow warns of headers that are odd, with its source; whether the image can be read, OpenCV says.
        warnings.filterwarnings("ignore", module=r"PIL\.")
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
