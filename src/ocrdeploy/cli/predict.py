"""`ocrdeploy predict`: results as JSON and drawn on the images."""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrdeploy.running.opening import Opening

from .options import RUNNING, BatchSize, JsonFile, Quiet, Verbose, guard, prepared, takes
from .output import Output
from .output_names import SHOW_SUFFIX, OutputNames, crop_path, is_crop, picture_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ocrdeploy.images.cropping import Pixels
    from ocrdeploy.predictor import Predictor
    from ocrdeploy.results import Detection, Result
    from ocrdeploy.streaming import Outcome


@takes("backend", *RUNNING)
def command(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="ONNX model or TensorRT engine, or a checkpoint with --config.",
            show_default=False,
        ),
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...",
            help="Image files, folders of them, or patterns in quotation marks, such as 'scans/*.jpg'.",
            show_default=False,
        ),
    ],
    *,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look for images in the folders below a folder as well.")
    ] = False,
    draw: Annotated[
        Path | None,
        typer.Option("--draw", metavar="FOLDER", help="Write each image with its result drawn on it to this folder."),
    ] = None,
    crop: Annotated[
        Path | None,
        typer.Option(
            "--crop",
            metavar="FOLDER",
            help="Write each word that is found, cut out and level, to this folder: IMAGE_000.png and so on.",
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Write MODEL.show.png: the first image with its result drawn on it.")
    ] = False,
    batch_size: BatchSize = None,
    opening: Opening,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find or read the text in images. With --json FILE, one JSON document a line, a line an image.

    An image that cannot be read is reported, the others go on, and the exit code is 1.
    """
    from ocrdeploy.images.arguments import find_images
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.predictions.records import prediction_document
    from ocrdeploy.running.models import open_model

    output = Output(json_file, quiet, verbose)
    paths = find_images(images, recursive=recursive)
    picture = model.with_suffix(SHOW_SUFFIX) if show else None
    each_name = OutputNames(paths, [folder for folder in (draw, crop) if folder is not None])
    names = [each_name.next(path) for path in paths]
    files = OutputFiles()
    files.add("--json", json_file)
    files.add("--show", picture)
    if draw is not None:
        for name in names:
            files.add("--draw", picture_path(draw, name))
    if crop is not None:
        files.add_series("--crop", crop, partial(is_crop, frozenset(names)))
    guard(files, opening)
    files.protect(*paths)
    files.protect_model(model)
    with (
        open_model(model, prepared(opening, output)) as predictor,
        output.json_lines() as write,
        output.progress(model.name, total=len(paths)) if len(paths) > 1 else nullcontext() as bar,
    ):
        _check_crop(crop, model, predictor)
        pictures = Pictures(predictor, draw, crop, picture, output)
        n_failed = 0
        outcomes = _outcomes(predictor, paths, batch_size, output)
        for path, name, outcome in zip(paths, names, outcomes, strict=True):
            if isinstance(outcome, Exception):
                n_failed += 1
                output.warn(str(outcome))
            else:
                write(prediction_document(str(path), str(model), predictor.backend.name, outcome))
                _print_result(path, outcome, output)
                pictures.write(path, name, outcome, is_first=path == paths[0])
            if bar is not None:
                bar.advance()
    if n_failed:
        raise typer.Exit(1)


def _check_crop(crop: Path | None, model: Path, predictor: "Predictor") -> None:
    """Refuse --crop for a model that finds nothing to cut out.

    Raises:
        UsageError: The model reads words.
    """
    from ocrdeploy.errors import UsageError

    if crop is not None and predictor.spec.task == "recog":
        raise UsageError(f"--crop cuts out the words that a model finds, and {model} reads them")


def _outcomes(
    predictor: "Predictor", paths: "Sequence[Path]", batch_size: int | None, output: Output
) -> "Iterator[Outcome]":
    """Yield the result of each image, or what is wrong with it.

    Raises:
        ImageError: The only image cannot be read.
    """
    if len(paths) == 1:
        yield predictor(paths[0])
        return
    if batch_size is None:
        choice = predictor.choose_batch_size(paths)
        batch_size = choice.size
        if output.verbose:
            output.line(choice.text)
    yield from predictor.stream_outcomes(paths, batch_size)


def _print_result(path: Path, result: "Result", output: Output) -> None:
    """Print an image's result: its text, or how much text there is and, on request, where."""
    from ocrdeploy.results import Recognition

    if isinstance(result, Recognition):
        scores = result.char_scores
        mean = sum(scores) / len(scores) if scores else 0.0
        output.line(f"{path}: {result.text!r} ({mean:.3f})")
        return
    output.line(f"{path}: {len(result)} text instance{'' if len(result) == 1 else 's'}")
    if output.verbose:
        for item in result:
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in item.polygon.tolist())
            output.line(f"  {item.score:.3f}  {corners}")


@dataclass(frozen=True)
class Pictures:
    """The pictures that are written of each image.

    Attributes:
        predictor: The model, which knows how images are read.
        draw: Folder of images with their results on them.
        crop: Folder of the words that were found.
        show: File of the first image with its result on it.
        output: Where it is said what was written.
    """

    predictor: "Predictor"
    draw: Path | None
    crop: Path | None
    show: Path | None
    output: Output

    def write(self, path: Path, name: str, result: "Result", *, is_first: bool) -> None:
        """Write what was asked for of one image.

        Raises:
            OutputError: A file cannot be written.
        """
        from ocrdeploy.images.drawing import draw_result, write_png

        from .showing import color_pixels

        targets = [picture_path(self.draw, name)] if self.draw is not None else []
        if self.show is not None and is_first:
            targets.append(self.show)
        if not targets and self.crop is None:
            return
        pixels = color_pixels(path, self.predictor)
        for target in targets:
            write_png(target, draw_result(pixels, result))
            self.output.line(f"  drawn: {target}")
        if self.crop is not None and isinstance(result, list):
            self._write_words(self.crop, name, pixels, result)

    def _write_words(self, folder: Path, name: str, pixels: "Pixels", result: "list[Detection]") -> None:
        """Write the words that were found in an image, in the order of its result."""
        from ocrdeploy.images.cropping import crop_word
        from ocrdeploy.images.drawing import write_png

        for index, item in enumerate(result):
            write_png(crop_path(folder, name, index), crop_word(pixels, item.polygon))
        if result:
            self.output.line(
                f"  cut out: {crop_path(folder, name, 0)}" + (f" and {len(result) - 1} more" if len(result) > 1 else "")
            )
