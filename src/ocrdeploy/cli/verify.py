"""`ocrdeploy verify`: do the backends agree, and if not, where and by how much."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .checkpoint_argument import local_checkpoint
from .options import CheckpointFile, ConfigFile, DeviceId, DeviceName, JsonFile, Quiet, Verbose, device_name
from .output import Output, make_table

if TYPE_CHECKING:
    from ocrdeploy.comparing import DetectionDifference, RecognitionDifference, TensorDifference
    from ocrdeploy.predictor import ImageInput, Predictor
    from ocrdeploy.verification import Comparison

DATASET_IMAGES = 3
"""How many images of the data set are compared when none are given."""


def command(
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL...", help="One model is compared with PyTorch; of several, the first is the reference."
        ),
    ],
    images: Annotated[
        list[Path] | None,
        typer.Option(
            "--images",
            metavar="IMAGE",
            help="Image to compare on; may be given several times. [default: the first images of the model's data set "
            "if they are here, else drawn ones]",
        ),
    ] = None,
    atol: Annotated[float, typer.Option("--atol", min=0, help="Absolute tolerance of the network's outputs.")] = 1e-4,
    rtol: Annotated[
        float, typer.Option("--rtol", min=0, help="Tolerance relative to the reference output's largest magnitude.")
    ] = 1e-4,
    show: Annotated[
        bool,
        typer.Option("--show", help="Write MODEL.show.png: the results of both, side by side, on the first image."),
    ] = False,
    config: ConfigFile = None,
    checkpoint: CheckpointFile = None,
    device: DeviceName = None,
    device_id: DeviceId = None,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare models: pre-processing, network tensors and decoded results. A missing box is a difference.

    Exits 0 when they agree and 1 when they do not. A dynamic model is compared on several shapes and batch sizes.
    """
    from ocrdeploy.opening import open_predictor

    output = Output(json_file, quiet, verbose)
    name = device_name(device, device_id)
    weights = None if checkpoint is None else local_checkpoint(checkpoint, output)
    reference_model, candidates = (models[0], models[1:]) if len(models) > 1 else (models[0], models)
    documents: list[dict[str, Any]] = []
    passed = True
    with ExitStack() as stack:
        opened = [stack.enter_context(open_predictor(path, config=config, device=name)) for path in candidates]
        backend = None if len(models) > 1 else "torch"
        reference = stack.enter_context(
            open_predictor(reference_model, config=config, checkpoint=weights, backend=backend, device=name)
        )
        inputs = images or _dataset_images(reference, output)
        for path, candidate in zip(candidates, opened, strict=True):
            output.line(f"{path} ({candidate.backend.name}) against {reference_model} ({reference.backend.name})")
            agrees, document = compare(reference, candidate, inputs, output, atol, rtol)
            passed &= agrees
            documents.append({"model": str(path), **document})
            if show:
                _show(path, inputs, reference, candidate, output)
    output.json({"schema": 1, "command": "verify", "passed": passed, "comparisons": documents})
    if not passed:
        raise typer.Exit(1)


def compare(
    reference: "Predictor",
    candidate: "Predictor",
    images: "Sequence[ImageInput]",
    output: Output,
    atol: float = 1e-4,
    rtol: float = 1e-4,
) -> tuple[bool, dict[str, Any]]:
    """Compare two models, print the report, and return the verdict and the report as a document."""
    from ocrdeploy.comparing import Tolerance
    from ocrdeploy.verification import verify

    with output.progress("comparing", total=len(images)) as bar:
        comparison = verify(reference, candidate, images, Tolerance(atol, rtol), bar.advance)
    _print_comparison(comparison, output)
    return comparison.passed, _document(comparison)


def _dataset_images(reference: "Predictor", output: Output) -> list[Path]:
    """Return the first images of the reference's data set, or none where the data set is not here."""
    from ocrdeploy.datasets import ImageFile, Sample, read_dataset
    from ocrdeploy.errors import AnnotationError

    for dataset in reference.spec.datasets:
        try:
            samples = [item for item in read_dataset(dataset) if isinstance(item, Sample)]
        except AnnotationError:
            continue
        files = (sample.image.path for sample in samples if isinstance(sample.image, ImageFile))
        found = list(islice((path for path in files if path.is_file()), DATASET_IMAGES))
        if found:
            return found
    output.line("the model's data set is not here, so drawn images are compared (--images takes your own)")
    return []


def _show(path: Path, images: "Sequence[Path]", reference: "Predictor", candidate: "Predictor", output: Output) -> None:
    """Write the picture that --show asks for."""
    from .showing import show_side_by_side

    picture = path.with_suffix(".show.png")
    show_side_by_side(picture, images[0] if images else None, (reference, candidate))
    output.line(f"{picture}: both results side by side")


def _print_comparison(comparison: "Comparison", output: Output) -> None:
    """Print a comparison, a line a stage."""
    table = make_table("", ("stage", "on", "difference", "verdict"), numeric_from=4)
    before = comparison.preprocessing
    table.add_row("pre-processing", f"{before.images} images", f"max {before.max_abs:.3g}", _verdict(before.passed))
    for tensor in comparison.tensors:
        batches = f"{len(tensor.shapes)} batches, {len(set(tensor.shapes))} shapes"
        table.add_row(f"tensor {tensor.name}", batches, _tensor_text(tensor), _verdict(tensor.passed))
    after = comparison.results
    table.add_row("results", f"{after.images} images", _results_text(after), _verdict(after.passed))
    output.table(table)
    if comparison.skipped:
        output.line(f"{comparison.skipped} images were left out: the static model does not take their size")
    output.line("passed: the models agree" if comparison.passed else "FAILED: the models differ")


def _verdict(passed: bool) -> str:
    """Return a verdict's word."""
    return "passed" if passed else "FAILED"


def _tensor_text(tensor: "TensorDifference") -> str:
    """Return the numbers of an output's difference."""
    if not tensor.same_shapes:
        return "shapes differ"
    allowed = tensor.tolerance.atol + tensor.tolerance.rtol * tensor.largest
    return f"max {tensor.max_abs:.2g}, mean {tensor.mean_abs:.2g}, p99 {tensor.p99_abs:.2g}; allowed {allowed:.2g}"


def _results_text(results: "DetectionDifference | RecognitionDifference") -> str:
    """Return the numbers of the results' difference."""
    from ocrdeploy.comparing import DetectionDifference

    scores = f"worst score difference {results.worst_score_diff:.2g}"
    if isinstance(results, DetectionDifference):
        counts = f"{results.matched} boxes matched, {results.missing} missing, {results.extra} extra"
        return f"{counts}; worst IoU {results.worst_iou:.4f}, {scores}"
    return f"{results.texts_equal} of {results.images} texts equal; {scores}"


def _document(comparison: "Comparison") -> dict[str, Any]:
    """Return a comparison as what JSON can hold; a size that differs has no largest difference."""
    from ocrdeploy.comparing import DetectionDifference

    before, after = comparison.preprocessing, comparison.results
    results: dict[str, Any] = {"passed": after.passed, "images": after.images}
    if isinstance(after, DetectionDifference):
        results |= {
            "matched": after.matched,
            "missing": after.missing,
            "extra": after.extra,
            "worst_iou": after.worst_iou,
        }
    else:
        results["texts_equal"] = after.texts_equal
    results["worst_score_diff"] = after.worst_score_diff
    return {
        "reference": comparison.reference,
        "candidate": comparison.candidate,
        "passed": comparison.passed,
        "tensors": [_tensor_document(tensor) for tensor in comparison.tensors],
        "preprocessing": {
            "passed": before.passed,
            "max_abs": before.max_abs if math.isfinite(before.max_abs) else None,
        },
        "results": results,
        "skipped": comparison.skipped,
    }


def _tensor_document(tensor: "TensorDifference") -> dict[str, Any]:
    """Return an output's difference as what JSON can hold."""
    return {
        "name": tensor.name,
        "shapes": [list(shape) for shape in tensor.shapes],
        "max_abs": tensor.max_abs,
        "mean_abs": tensor.mean_abs,
        "p99_abs": tensor.p99_abs,
        "largest": tensor.largest,
        "atol": tensor.tolerance.atol,
        "rtol": tensor.tolerance.rtol,
        "passed": tensor.passed,
    }
