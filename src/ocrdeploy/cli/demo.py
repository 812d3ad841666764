"""`ocrdeploy demo`: export, verify and evaluate a bundled sample, offline."""

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .evaluation_table import markdown_table, print_rows
from .options import JsonFile, Quiet, Verbose
from .output import Output, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocrdeploy.evaluation.rows import EvaluationRow
    from ocrdeploy.predictor import Predictor

DEFAULT_FOLDER = Path("ocrdeploy-demo")
PICTURE_IMAGE = "imgs/syn_0033.jpg"
NAMES = "model.onnx", "evaluation.md", "boxes.png", "reading.png"


def command(
    output_folder: Annotated[
        Path | None,
        typer.Option(
            "--output-folder",
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder for model, table and picture. [default: ocrdeploy-demo]",
        ),
    ] = None,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Export, verify, evaluate and read a bundled sample, offline.

    It takes under two minutes. The sample is a small DBNet that was trained on synthetic images, and eight such images
    with ground truth.
    """
    from ocrdeploy.exporting import ExportRequest, export_model
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.running.models import open_predictor, open_torch

    from .showing import show_side_by_side
    from .verify import compare

    output = Output(json_file, quiet, verbose)
    folder = output_folder or DEFAULT_FOLDER
    model, table, picture, page = (folder / name for name in NAMES)
    files = OutputFiles()
    for path in (model, table, picture, page):
        files.add("the demo", path)
    files.add("--json", json_file)
    with resources.as_file(resources.files("ocrdeploy") / "demo_data") as data:
        config, checkpoint = data / "dbnet_sample.py", data / "dbnet_sample.pth"
        _refuse_what_is_not_ours(model, (table, picture, page), checkpoint)
        files.protect(*data.rglob("*"))
        output.line("1. export the sample's config and checkpoint to ONNX")
        export = export_model(ExportRequest(config, checkpoint, model, dynamic=True))
        with open_torch(config, checkpoint, export.spec.export) as reference, open_predictor(model) as candidate:
            images = sorted((data / "imgs").glob("*.jpg"))
            output.line("2. verify: is the ONNX model the model that was trained?")
            passed, comparison = compare(reference, candidate, images[:3], output)
            output.line("3. evaluate both on the sample's images")
            rows = [row for predictor in (reference, candidate) for row in _score(model, predictor, data, output)]
            show_side_by_side(picture, data / PICTURE_IMAGE, (reference, candidate))
        print_rows(rows, output)
        write_text(str(table), markdown_table(rows))
        output.line("4. read: what does a photo say?")
        words = _read(model, data, page, output)
    document: dict[str, Any] = {"schema": 1, "command": "demo", "passed": passed, "folder": str(folder.resolve())}
    output.json(document | {"comparison": comparison, "rows": [row.document() for row in rows], "words": words})
    output.line(
        f"left in {folder.resolve()}: model.onnx, evaluation.md (the table), boxes.png (both backends' boxes), "
        "reading.png (what was read)"
    )
    if not passed:
        raise typer.Exit(1)


def _refuse_what_is_not_ours(model: Path, others: "Sequence[Path]", checkpoint: Path) -> None:
    """Refuse a folder that holds files of the demo's names which an earlier demo did not write.

    Raises:
        OutputError: Names the file.
    """
    from ocrdeploy.artifacts import read_onnx_spec, sha256_of
    from ocrdeploy.errors import ModelError, OutputError

    there = [path for path in (model, *others) if path.exists()]
    if not there:
        return
    try:
        source = read_onnx_spec(model).source
    except ModelError:
        source = None
    if source is None or source.checkpoint.sha256 != sha256_of(checkpoint):
        raise OutputError(
            f"{there[0]} is there, and no earlier demo wrote it, so it is not written over",
            "Name another folder with -o.",
        )


def _score(model: Path, predictor: "Predictor", data: Path, output: Output) -> "list[EvaluationRow]":
    """Evaluate one backend on the sample's images."""
    from ocrdeploy.evaluation.evaluating import EvaluationOptions
    from ocrdeploy.evaluation.plan import DataChoice
    from ocrdeploy.evaluation.scoring import Scoring
    from ocrdeploy.predictions.files import LineSink

    choice = DataChoice(ann_file=str(data / "instances_test.json"), img_prefix=str(data / "imgs"))
    return Scoring(model, predictor, choice, EvaluationOptions(), LineSink(None), output).rows()


def _read(model: Path, data: Path, picture: Path, output: Output) -> list[str]:
    """Read one image with the exported detector and the bundled recogniser, draw it, and return the words."""
    from ocrdeploy.images.drawing import write_png
    from ocrdeploy.images.page_drawing import draw_page
    from ocrdeploy.images.reading import read_image
    from ocrdeploy.running.open_reader import open_reader

    from .page_report import text_lines

    path = data / PICTURE_IMAGE
    with open_reader(model, data / "reader_sample.onnx") as reader:
        page = reader.read(path)
    for line in text_lines(page):
        output.line(f"  {line}")
    write_png(picture, draw_page(read_image(path, "color"), [(word.polygon, word.text) for word in page.words]))
    return [word.text for word in page.words]
