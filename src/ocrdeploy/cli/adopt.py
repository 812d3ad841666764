"""`ocrdeploy adopt`: a spec for somebody else's model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import JsonFile, Quiet, Verbose
from .output import Output

if TYPE_CHECKING:
    from ocrdeploy.adopting import AdoptReport

ADOPTED_SUFFIX = ".adopted.onnx"
PresetName = Literal["ppocr-det", "ppocr-rec", "ppocr-cls"]


def command(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL.onnx", help="ONNX model of somebody else's.", show_default=False)
    ],
    *,
    output_file: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", "--output-file", metavar="FILE", help="ONNX model to write. [default: MODEL.adopted.onnx]"
        ),
    ] = None,
    preset: Annotated[
        PresetName | None,
        typer.Option(
            "--preset",
            help="Which of PP-OCR's models it is. [default: as inference.yml beside the model says, or the dictionary "
            "in its metadata]",
            show_default=False,
        ),
    ] = None,
    dictionary: Annotated[
        Path | None,
        typer.Option(
            "--dictionary",
            metavar="FILE",
            help="Dictionary of a recogniser: a text file in UTF-8, a character a line, in the order of the classes.",
            show_default=False,
        ),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            "--spec",
            metavar="FILE",
            help="TOML or JSON file that describes a DB or CTC model of another family.",
            show_default=False,
        ),
    ] = None,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make somebody else's model describe itself, such as PP-OCR's.

    A DB or CTC model gets a spec; then every command takes it. The model is copied, with its tensors' names as they
    are. An inference.yml beside the model goes before the preset's numbers.
    """
    from ocrdeploy.adopting import AdoptRequest, adopt_model
    from ocrdeploy.output_files import OutputFiles

    output = Output(json_file, quiet, verbose)
    target = output_file or model.with_suffix(ADOPTED_SUFFIX)
    request = AdoptRequest(model, target, preset, dictionary, spec)
    files = OutputFiles()
    files.add("--json", json_file)
    files.add("--output", target)
    files.protect(dictionary, spec, model.parent / "inference.yml")
    files.protect_model(model)
    _tell(adopt_model(request), model, output)


def _tell(report: "AdoptReport", model: Path, output: Output) -> None:
    """Print what was adopted, and write it as JSON."""
    from ocrdeploy.model_spec import shape_text

    spec = report.spec
    output.line(f"{report.path}: {spec.architecture}, by {report.origin}")
    if report.dictionary:
        output.line(f"  dictionary: {report.dictionary}")
    for tensor in (spec.input, *spec.outputs):
        output.line(f"  {tensor.name}: {shape_text(tensor.shape)} {tensor.dtype}, {tensor.meaning}")
    output.json(
        {
            "schema": 1,
            "command": "adopt",
            "model": str(report.path),
            "adopted_from": str(model),
            "origin": report.origin,
            "dictionary": report.dictionary,
            "task": spec.task,
            "architecture": spec.architecture,
            "input": list(spec.input.shape),
        }
    )
