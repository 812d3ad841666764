"""`ocrdeploy read`: photos to text."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrdeploy.running.opening import Opening

from .options import Images, JsonFile, Quiet, Recursive, Verbose, guard, prepared, takes
from .output import Output, open_text
from .output_names import READ_SUFFIX, OutputNames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ocrdeploy.errors import OcrDeployError
    from ocrdeploy.running.pages import Page
    from ocrdeploy.running.reading import Reader

READING = ("backend", "custom_ops", "plugins", "other_libraries", "tf32", "device", "device_id", "threads")
"""The options that say how the models of a reader are opened."""


@takes(*READING)
def command(
    detector: Annotated[Path, typer.Argument(metavar="DETECTOR", help="Model that finds words.", show_default=False)],
    recogniser: Annotated[
        Path, typer.Argument(metavar="RECOGNISER", help="Model that reads a word.", show_default=False)
    ],
    images: Images,
    *,
    recursive: Recursive = False,
    classifier: Annotated[
        Path | None,
        typer.Option(
            "--classifier", metavar="MODEL", help="Model that tells lines which are upside down.", show_default=False
        ),
    ] = None,
    min_score: Annotated[
        float,
        typer.Option("--min-score", metavar="SCORE", min=0, max=1, help="Leave out words that are read with less."),
    ] = 0.5,
    tight: Annotated[
        bool,
        typer.Option(
            "--tight",
            help="Compute only the columns that a word has: half the work of recognition, and some texts in a hundred "
            "change.",
        ),
    ] = False,
    auto_orient: Annotated[
        bool, typer.Option("--auto-orient/--no-auto-orient", help="Turn images as their EXIF tag says.")
    ] = True,
    text: Annotated[
        str | None,
        typer.Option("--text", metavar="FILE", help="Write the text, a line a line, to FILE.", show_default=False),
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(
            "--draw", metavar="FOLDER", help="Write each image with its text to this folder.", show_default=False
        ),
    ] = None,
    opening: Opening,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Read the text in photos: find words, then read each.

    --json FILE has a line for each image, with polygon, text and score of every word. Words come in reading order. An
    image that fails has a line with "error", the others go on, and the exit code is 1.
    """
    from ocrdeploy.idle_options import refuse_idle
    from ocrdeploy.images.arguments import find_images, is_folder
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.running.open_reader import open_as_reader
    from ocrdeploy.running.pages import ReadSettings

    output = Output(json_file, quiet, verbose)
    refuse_idle(("--recursive", recursive, any(map(is_folder, images)), "where no folder is named"))
    paths = find_images(images, recursive=recursive, say=output.warn)
    settings = ReadSettings(min_score, tight, auto_orient)
    models = [detector, recogniser, *([] if classifier is None else [classifier])]
    each_name = OutputNames(paths, [] if draw is None else [draw])
    names = [each_name.next(path) for path in paths]
    files = OutputFiles()
    files.add("--json", json_file)
    files.add("--text", text)
    if draw is not None:
        for name in names:
            files.add("--draw", draw / f"{name}{READ_SUFFIX}")
    guard(files, opening)
    files.protect(*paths)
    for model in models:
        files.protect_model(model)
    from .page_report import PageReport

    with (
        open_as_reader(models, prepared(opening, output), settings) as reader,
        output.json_lines() as write,
        open_text(text) as write_text,
        output.progress("reading", total=len(paths)) as bar,
    ):
        report = PageReport(detector, recogniser, draw, write, write_text, output)
        for path, name, outcome in zip(paths, names, _outcomes(reader, paths), strict=True):
            report.add(path, name, outcome)
            bar.advance()
    report.close()


def _outcomes(reader: "Reader", paths: "Sequence[Path]") -> "Iterator[Page | OcrDeployError]":
    """Yield what each image says; one image has all cores."""
    from ocrdeploy.errors import MachineError, ModelError, OcrDeployError, UsageError

    if len(paths) > 1:
        yield from reader.stream(paths)
        return
    try:
        page: Page | OcrDeployError = reader.read(paths[0])
    except (MachineError, ModelError, UsageError):
        raise
    except OcrDeployError as error:
        page = error
    yield page
