"""`ocrdeploy verify`: do the backends agree, and if not, where and by how much."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocrdeploy.running.opening import Opening

from .model_arguments import check_models
from .options import RUNNING, JsonFile, Quiet, Verbose, guard, prepared, takes
from .output import STANDARD_OUTPUT, Output, write_text
from .output_names import SHOW_SUFFIX
from .verify_output import print_pair

if TYPE_CHECKING:
    from ocrdeploy.errors import NonFiniteError
    from ocrdeploy.predictor import ImageInput, Predictor
    from ocrdeploy.verification.comparison import Side
    from ocrdeploy.verification.pairs import Pair
    from ocrdeploy.verification.report.page import Failure, Section


@takes("mmocr_python", "backend", *RUNNING)
def command(
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL",
            help="ONNX models, engines, or checkpoints with --config. One model is compared with PyTorch; of several, "
            "the first is the reference.",
        ),
    ],
    *,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            metavar="torch|mmocr|MODEL",
            help="What every MODEL is compared with: PyTorch or the real MMOCR, given the model's own config and "
            "checkpoint, or another model.",
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--images",
            metavar="IMAGE|FOLDER",
            help="Image to compare on, a folder of images or a pattern; may be given several times. [default: the "
            "first images of the model's data set if they are here, else drawn ones]",
        ),
    ] = None,
    max_images: Annotated[
        int | None,
        typer.Option(
            "--max-images", min=1, metavar="N", help="Compare on the first N images. [default: all; 3 of the data set]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of noise and drawn images.")] = 0,
    atol: Annotated[
        list[str] | None,
        typer.Option(
            "--atol",
            metavar="[OUTPUT=]X",
            help="Absolute tolerance of the network's outputs, or of one; may be given several times. [default: 1e-4; "
            "5e-3 where one side is fp16 or computes with TF32]",
        ),
    ] = None,
    rtol: Annotated[
        list[str] | None,
        typer.Option(
            "--rtol",
            metavar="[OUTPUT=]X",
            help="Tolerance relative to the reference output's largest magnitude, which is added; likewise.",
        ),
    ] = None,
    max_differing: Annotated[
        float | None,
        typer.Option(
            "--max-differing",
            metavar="X",
            help="Part of the results that may be missing, extra or read otherwise where one side is bf16 or int8, "
            "whose outputs are told and not judged. [default: 0.02]",
        ),
    ] = None,
    bisect: Annotated[
        bool,
        typer.Option("--bisect", help="Find the first node where the networks part (PyTorch and ONNX models)."),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a report with pictures: one page that needs nothing else."),
    ] = None,
    show: Annotated[
        bool,
        typer.Option("--show", help="Write MODEL.show.png: the results of both, side by side, on the first image."),
    ] = False,
    opening: Opening,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check that models agree, from pre-processing to boxes and texts.

    One model is compared with PyTorch, several with the first of them. A missing box is a difference. Exits 0 when they
    agree and 1 when they do not. A dynamic model is compared on several shapes and batch sizes.
    """
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.verification.models import compare_models
    from ocrdeploy.verification.pairs import PairOptions
    from ocrdeploy.verification.references import check_line, line_up
    from ocrdeploy.verification.report.page import render_report
    from ocrdeploy.verification.tolerances import ToleranceRules, parse_tolerances

    check_models("verify", models)
    output = Output(json_file, quiet, verbose)
    bounds = parse_tolerances(atol or [], "--atol"), parse_tolerances(rtol or [], "--rtol")
    rules = ToleranceRules(*bounds, max_differing)
    options = PairOptions(rules, seed, bisects=bisect, pictures=html is not None)
    line = line_up(models, _one_reference(reference))
    given = None if images is None else _given_images(images, max_images, output)
    files = OutputFiles()
    files.add("--json", json_file)
    files.add("--html", None if html is None else _page_file(html))
    for path in line.candidates if show else []:
        files.add("--show", path.with_suffix(SHOW_SUFFIX))
    check_line(line, opening)
    guard(files, opening)
    files.protect(*models, *(given or ()))
    for each in line.models:
        files.protect_model(each)
    comparisons: list[dict[str, Any]] = []
    sections: list[Section | Failure] = []
    errors: list[NonFiniteError] = []
    for path, pair in compare_models(line, prepared(opening, output), options, given, max_images, output):
        print_pair(pair, output)
        if show:
            _show(pair, path.with_suffix(SHOW_SUFFIX), output)
        comparisons.append({"model": str(path), **pair.document()})
        sections += [pair.section()] if html is not None else []
        errors += [] if pair.error is None else [pair.error]
    if html is not None:
        write_text(str(html), render_report(sections))
        output.line(f"{html}: the report with pictures")
    passed = all(comparison["passed"] for comparison in comparisons)
    output.json({"schema": 1, "command": "verify", "passed": passed, "comparisons": comparisons})
    if errors:
        raise errors[0]
    if not passed:
        raise typer.Exit(1)


def compare(
    reference: "Side", candidate: "Predictor", images: "Sequence[ImageInput]", output: Output
) -> tuple[bool, dict[str, Any]]:
    """Compare two models, print the report, and return the verdict and the report as a document."""
    from ocrdeploy.verification.pairs import Pair

    pair = Pair(reference, candidate, reference.backend.name, candidate.backend.name)
    output.line(pair.title)
    pair.compare(images, output)
    if pair.error is not None:
        raise pair.error
    print_pair(pair, output)
    return pair.passed, pair.document()


def _show(pair: "Pair", path: Path, output: Output) -> None:
    """Write both results on the first image, side by side."""
    from ocrdeploy.images.drawing import draw_result, side_by_side, write_png
    from ocrdeploy.verification.report.pictures import colour_pixels

    case = pair.first_case
    if case is None or pair.error is not None:
        return
    pixels = colour_pixels(case, pair.reference.spec)
    names = (
        f"{pair.reference_name} ({pair.reference.backend.name})",
        f"{pair.candidate_name} ({pair.candidate.backend.name})",
    )
    pictures = [draw_result(pixels, result, name) for result, name in zip(case.results, names, strict=True)]
    write_png(path, side_by_side(pictures))
    output.line(f"{path}: both results side by side")


def _one_reference(names: Sequence[str] | None) -> str | None:
    """Return the reference that was named, and refuse several: each model is compared with one."""
    from ocrdeploy.errors import UsageError

    if names is not None and len(names) > 1:
        raise UsageError(f"--reference names {' and '.join(names)}, and models are compared with one", "Name one.")
    return names[0] if names else None


def _page_file(path: Path) -> Path:
    """Return where the page goes, and refuse standard output, where the report goes."""
    from ocrdeploy.errors import UsageError

    if str(path) == STANDARD_OUTPUT:
        raise UsageError(
            "--html writes a page to a file, and - is standard output", "Name a file, such as report.html."
        )
    return path


def _given_images(arguments: Sequence[str], count: int | None, output: Output) -> list[Path]:
    """Return the image files that --images names, and refuse those that are missing before models are opened."""
    from ocrdeploy.errors import ImageError
    from ocrdeploy.idle_options import refuse_idle
    from ocrdeploy.images.arguments import find_images, names_one_file

    found = find_images(arguments, say=output.warn)
    is_cut = count is not None and count < len(found)
    refuse_idle(
        (
            "--max-images",
            count,
            is_cut or not all(map(names_one_file, arguments)),
            f"where {len(found)} {'image is' if len(found) == 1 else 'images are'} named",
        )
    )
    found = found[:count]
    for path in found:
        if not path.exists():
            raise ImageError(f"the image {path} does not exist", "Check the path.")
    return found
