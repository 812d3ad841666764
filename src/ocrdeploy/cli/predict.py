"""`ocrdeploy predict`: results as JSON and drawn on the images."""

from contextlib import nullcontext
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrdeploy.running.opening import Opening

from .model_arguments import check_models
from .options import RUNNING, BatchSize, Images, JsonFile, Quiet, Recursive, Verbose, guard, prepared, takes
from .output import Output
from .output_names import SHOW_SUFFIX, OutputNames, is_crop, picture_path
from .pictures import Pictures
from .prediction_report import Fault, Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ocrdeploy.errors import OcrDeployError
    from ocrdeploy.predictor import Predictor
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
    images: Images,
    *,
    recursive: Recursive = False,
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
    auto_orient: Annotated[
        bool,
        typer.Option(
            "--auto-orient", help="Turn images as their EXIF tag says, where the model's pipeline ignores it."
        ),
    ] = False,
    score_thr: Annotated[
        float | None,
        typer.Option(
            "--score-thr", metavar="X", help="Detection: leave out instances whose score is below X. [default: none]"
        ),
    ] = None,
    batch_size: BatchSize = None,
    opening: Opening,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find or read the text in images.

    --json FILE has a JSON document a line, a line for each image. An image that fails is reported and has a line with
    "error", the others go on, and the exit code is 1. Results that earlier runs drew (*.pred.png, *.show.png) are no
    images of a folder.
    """
    from ocrdeploy.idle_options import refuse_idle
    from ocrdeploy.images.arguments import find_images, is_folder, names_one_file
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.running.models import check_options, open_model
    from ocrdeploy.spec_checks import check_batch_sizes

    check_models("predict", [model])
    output = Output(json_file, quiet, verbose)
    refuse_idle(
        ("--recursive", recursive, any(map(is_folder, images)), "where no folder is named"),
        (
            "--batch-size",
            batch_size,
            batch_size == 1 or not (len(images) == 1 and names_one_file(images[0])),
            "for one image",
        ),
    )
    paths = find_images(images, recursive=recursive, say=output.warn)
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
    check_options(opening, [(model, opening.backend_of(model))])
    guard(files, opening)
    files.protect(*paths)
    files.protect_model(model)
    with (
        open_model(model, prepared(opening, output)) as opened,
        output.json_lines() as write,
        output.progress(model.name, total=len(paths)) if len(paths) > 1 else nullcontext() as bar,
    ):
        predictor = _upright(opened) if auto_orient else opened
        _check_crop(crop, model, predictor)
        predictor.check_threshold(score_thr)
        check_batch_sizes([(model, predictor.spec)], [batch_size] if batch_size else [])
        read = frozenset(path.resolve() for path in paths)
        pictures = Pictures(predictor, draw, crop, picture, output, read)
        report = Report(predictor, model, len(paths) == 1, write, pictures, output)
        outcomes = _above(_outcomes(predictor, paths, batch_size, output), score_thr)
        for index, (path, name, outcome) in enumerate(zip(paths, names, outcomes, strict=True)):
            report.add(path, name, outcome, is_first=index == 0)
            if bar is not None:
                bar.advance()
    report.judge()


def _upright(predictor: "Predictor") -> "Predictor":
    """Return a predictor that turns images.

    Raises:
        UsageError: It does so already.
    """
    from ocrdeploy.errors import UsageError
    from ocrdeploy.running.upright import turning_upright
    from ocrdeploy.steps import turns_upright

    if turns_upright(predictor.spec.preprocessing):
        raise UsageError(
            f"--auto-orient changes nothing: the pipeline of {predictor.name} turns images", "Leave it out."
        )
    return turning_upright(predictor)


def _above(
    outcomes: "Iterator[Outcome | OcrDeployError | Fault]", score_thr: float | None
) -> "Iterator[Outcome | OcrDeployError | Fault]":
    """Yield results without the instances whose score is too small, and all else as it is."""
    from ocrdeploy.errors import OcrDeployError
    from ocrdeploy.predictor import above

    for outcome in outcomes:
        yield outcome if isinstance(outcome, Fault | OcrDeployError) else above(outcome, score_thr)


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
) -> "Iterator[Outcome | OcrDeployError | Fault]":
    """Yield the result of each image, or what went wrong with it; after a fault of the whole run, that fault.

    Raises:
        OcrDeployError: Such a fault came before any result.
    """
    from ocrdeploy.errors import OcrDeployError

    done = 0
    try:
        for outcome in _stream(predictor, paths, batch_size, output):
            yield outcome
            done += 1
    except OcrDeployError as error:
        if not done:
            raise
        yield from repeat(Fault(error), len(paths) - done)


def _stream(
    predictor: "Predictor", paths: "Sequence[Path]", batch_size: int | None, output: Output
) -> "Iterator[Outcome | OcrDeployError]":
    """Yield the result of each image, or what went wrong with it; one image has all cores for each stage.

    Raises:
        OcrDeployError: Something went wrong that is no image's fault.
    """
    from ocrdeploy.errors import MachineError, ModelError, OcrDeployError, UsageError

    if len(paths) == 1:
        try:
            outcome: Outcome | OcrDeployError = predictor(paths[0])
        except (MachineError, ModelError, UsageError):
            raise
        except OcrDeployError as error:
            outcome = error
        yield outcome
        return
    if batch_size is None:
        choice = predictor.choose_batch_size(paths)
        batch_size = choice.size
        if output.verbose:
            output.line(choice.text)
    yield from predictor.stream_outcomes(paths, batch_size)
