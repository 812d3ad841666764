"""`ocrdeploy verify`: do the backends agree, and if not, where and by how much."""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocrdeploy.running.opening import Opening

from .options import RUNNING, JsonFile, Quiet, Verbose, guard, prepared, takes
from .output import STANDARD_OUTPUT, Output, write_text
from .output_names import SHOW_SUFFIX
from .verify_output import print_pair
from .verify_references import References, model_name, parse_reference

if TYPE_CHECKING:
    from ocrdeploy.predictor import ImageInput, Predictor
    from ocrdeploy.verification.comparison import Side
    from ocrdeploy.verification.pairs import Pair

DATASET_IMAGES = 3
"""How many images of the data set are compared when none are given."""


@takes("mmocr_python", "backend", *RUNNING)
def command(
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL...",
            help="ONNX models, engines, or checkpoints with --config. One model is compared with PyTorch; of several, "
            "the first is the reference.",
        ),
    ],
    *,
    reference: Annotated[
        str | None,
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
    """Compare models: pre-processing, network tensors and decoded results. A missing box is a difference.

    Exits 0 when they agree and 1 when they do not. A dynamic model is compared on several shapes and batch sizes.
    """
    from ocrdeploy.errors import UsageError
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.running.models import open_model
    from ocrdeploy.verification.comparison import rule_of_sides
    from ocrdeploy.verification.output_difference import compared_outputs
    from ocrdeploy.verification.pairs import Pair, PairOptions
    from ocrdeploy.verification.report.page import render_report
    from ocrdeploy.verification.tolerances import ToleranceRules, parse_tolerances

    output = Output(json_file, quiet, verbose)
    bounds = parse_tolerances(atol or [], "--atol"), parse_tolerances(rtol or [], "--rtol")
    rules = ToleranceRules(*bounds, max_differing)
    options = PairOptions(rules, seed, bisects=bisect, pictures=html is not None)
    kind, model, candidates = parse_reference(reference, models)
    if bisect and kind == "mmocr":
        raise UsageError("--bisect cannot look into the real MMOCR", "Compare with --reference torch to bisect.")
    given = None if images is None else _given_images(images, max_images)
    files = OutputFiles()
    files.add("--json", json_file)
    files.add("--html", None if html is None else _page_file(html))
    for path in candidates if show else []:
        files.add("--show", path.with_suffix(SHOW_SUFFIX))
    guard(files, opening)
    files.protect(*models, *(given or ()))
    for each in (*models, model):
        files.protect_model(each)
    opening = prepared(opening, output)
    pairs: list[Pair] = []
    with ExitStack() as stack:
        opened = [stack.enter_context(open_model(path, opening)) for path in candidates]
        references = References(kind, model, opening, stack)
        sides = [references.of(path, candidate) for path, candidate in zip(candidates, opened, strict=True)]
        rules.check(
            (compared_outputs(side.spec, candidate.spec), rule_of_sides(side, candidate))
            for side, candidate in zip(sides, opened, strict=True)
        )
        for path, side, candidate in zip(candidates, sides, opened, strict=True):
            others = [each for each in (model, *candidates) if each is not None]
            names = references.name(others=others), model_name(path, others)
            pair = Pair(side, candidate, *names, model, path, options)
            inputs = given if given is not None else _dataset_images(side, max_images or DATASET_IMAGES, output)
            _compare(pair, inputs, output)
            if show:
                _show(pair, path.with_suffix(SHOW_SUFFIX), output)
            pairs.append(pair)
        if html is not None:
            write_text(str(html), render_report([pair.section() for pair in pairs]))
            output.line(f"{html}: the report with pictures")
    passed = all(pair.passed for pair in pairs)
    comparisons = [{"model": str(path), **pair.document()} for path, pair in zip(candidates, pairs, strict=True)]
    output.json({"schema": 1, "command": "verify", "passed": passed, "comparisons": comparisons})
    for pair in pairs:
        if pair.error is not None:
            raise pair.error
    if not passed:
        raise typer.Exit(1)


def compare(
    reference: "Side", candidate: "Predictor", images: "Sequence[ImageInput]", output: Output
) -> tuple[bool, dict[str, Any]]:
    """Compare two models, print the report, and return the verdict and the report as a document."""
    from ocrdeploy.verification.pairs import Pair

    pair = Pair(reference, candidate, reference.backend.name, candidate.backend.name)
    _compare(pair, images, output)
    if pair.error is not None:
        raise pair.error
    return pair.passed, pair.document()


def _compare(pair: "Pair", images: "Sequence[ImageInput]", output: Output) -> None:
    """Compare a reference and a candidate, and print what is found."""
    output.line(pair.title)
    pair.compare(images, output)
    print_pair(pair, output)


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


def _page_file(path: Path) -> Path:
    """Return where the page goes, and refuse standard output, where the report goes."""
    from ocrdeploy.errors import UsageError

    if str(path) == STANDARD_OUTPUT:
        raise UsageError(
            "--html writes a page to a file, and - is standard output", "Name a file, such as report.html."
        )
    return path


def _given_images(arguments: Sequence[str], count: int | None) -> list[Path]:
    """Return the image files that --images names, and refuse those that are missing before models are opened."""
    from ocrdeploy.errors import ImageError
    from ocrdeploy.images.arguments import find_images

    found = find_images(arguments)[:count]
    for path in found:
        if not path.exists():
            raise ImageError(f"the image {path} does not exist", "Check the path.")
    return found


def _dataset_images(reference: "Side", count: int, output: Output) -> list[Path]:
    """Return the first images of the reference's data set, or none where the data set is not here."""
    from ocrdeploy.datasets import ImageFile, Sample, read_dataset
    from ocrdeploy.errors import AnnotationError

    for dataset in reference.spec.datasets:
        try:
            samples = [item for item in read_dataset(dataset) if isinstance(item, Sample)]
        except AnnotationError:
            continue
        files = (sample.image.path for sample in samples if isinstance(sample.image, ImageFile))
        found = list(islice((path for path in files if path.is_file()), count))
        if found:
            return found
    output.line("the model's data set is not here, so drawn images are compared (--images takes your own)")
    return []
