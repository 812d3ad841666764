"""`ocrdeploy predict`: results as JSON and drawn on the images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .checkpoint_argument import local_checkpoint
from .options import (
    CheckpointFile,
    ConfigFile,
    DeviceId,
    DeviceName,
    JsonFile,
    Quiet,
    Verbose,
    device_name,
)
from .output import Output
from .predictions import prediction_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocrdeploy.errors import ImageError
    from ocrdeploy.predictor import Predictor
    from ocrdeploy.results import Result


def command(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="ONNX model, or a checkpoint with --config.", show_default=False)
    ],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.", show_default=False)],
    draw: Annotated[
        Path | None,
        typer.Option("--draw", metavar="FOLDER", help="Write each image with its result drawn on it to this folder."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Write MODEL.show.png: the first image with its result drawn on it.")
    ] = False,
    backend: Annotated[
        str | None,
        typer.Option("--backend", metavar="BACKEND", help="torch or onnxruntime. [default: what MODEL is for]"),
    ] = None,
    config: ConfigFile = None,
    checkpoint: CheckpointFile = None,
    device: DeviceName = None,
    device_id: DeviceId = None,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find or read the text in images. With --json FILE, one JSON document a line, a line an image.

    An image that cannot be read is reported, the others go on, and the exit code is 1.
    """
    from ocrdeploy.artifacts import check_writable
    from ocrdeploy.opening import open_predictor

    output = Output(json_file, quiet, verbose)
    if draw is not None:
        check_writable(draw / "image.png")
    weights = None if checkpoint is None else local_checkpoint(checkpoint, output)
    with (
        open_predictor(
            model, config=config, checkpoint=weights, backend=backend, device=device_name(device, device_id)
        ) as predictor,
        output.json_lines() as write,
    ):
        failed: list[ImageError] = []
        for path, result in _predict_each(predictor, images, failed, output):
            write(prediction_document(str(path), str(model), predictor.backend.name, result))
            _print_result(path, result, output)
            if draw is not None:
                _draw(draw / f"{path.stem}.pred.png", path, result, predictor, output)
            if show and path == images[0]:
                _draw(model.with_suffix(".show.png"), path, result, predictor, output)
    if failed:
        raise typer.Exit(1)


def _predict_each(
    predictor: "Predictor", images: list[Path], failed: "list[ImageError]", output: Output
) -> "Iterator[tuple[Path, Result]]":
    """Yield the result of each image that can be read; report the others and add them to `failed`.

    Raises:
        ImageError: The only image cannot be read.
    """
    from ocrdeploy.errors import ImageError

    for path in images:
        try:
            result = predictor(path)
        except ImageError as error:
            if len(images) == 1:
                raise
            failed.append(error)
            output.warn(str(error))
            continue
        yield path, result


def _print_result(path: Path, result: "Result", output: Output) -> None:
    """Print an image's result: its text, or how much text there is and, on request, where."""
    from ocrdeploy.results import Recognition

    if isinstance(result, Recognition):
        scores = result.char_scores
        mean = sum(scores) / len(scores) if scores else 0.0
        output.line(f"{path}: {result.text!r} ({mean:.3f})")
        return
    output.line(f"{path}: {len(result)} text instances")
    if output.verbose:
        for item in result:
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in item.polygon.tolist())
            output.line(f"  {item.score:.3f}  {corners}")


def _draw(path: Path, image: Path, result: "Result", predictor: "Predictor", output: Output) -> None:
    """Write an image with its result drawn on it."""
    from ocrdeploy.drawing import draw_result, write_png

    from .showing import color_pixels

    write_png(path, draw_result(color_pixels(image, predictor), result))
    output.line(f"  drawn: {path}")
