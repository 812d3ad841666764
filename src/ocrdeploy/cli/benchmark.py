"""`ocrdeploy benchmark`: latency and throughput, stage by stage."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocrdeploy.running.opening import Opening

from .options import RUNNING, JsonFile, Quiet, Verbose, guard, prepared, takes
from .output import Output
from .tables import make_table

if TYPE_CHECKING:
    from ocrdeploy.benchmarking import Benchmark, BenchmarkOptions, Ratio
    from ocrdeploy.evaluation.runs import Run
    from ocrdeploy.predictor import Predictor


@takes("backends", *RUNNING)
def command(
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[MODEL...]",
            help="Models, measured in turn, so that what else the machine does falls on all alike. [default: the one "
            "in the current folder]",
            show_default=False,
        ),
    ] = None,
    *,
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--images", metavar="PATH", help="Images, or folders of them. May be given several times. [default: drawn]"
        ),
    ] = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(
            "--batch-size",
            min=1,
            metavar="N",
            help="Images of one size run together. May be given several times, for a row each. [default: detection 1, "
            "recognition as a short measurement on the first words says]",
            show_default=False,
        ),
    ] = None,
    shape: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(
            "--shape", metavar="N C H W", help="Bring every image to this shape. [default: what the pipeline does]"
        ),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, metavar="N", help="Images a round.")] = 10,
    rounds: Annotated[int, typer.Option("--rounds", min=1, metavar="N", help="Rounds, after one to warm up.")] = 5,
    opening: Opening,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure how fast models are: latency of each stage, throughput of all together and of the network alone.

    The first four columns are milliseconds an image, each stage on its own. Ratios are to the first row, above 1 is
    faster, with the smallest and the largest of the rounds.
    """
    from ocrdeploy.benchmarking import BenchmarkOptions
    from ocrdeploy.errors import UsageError
    from ocrdeploy.evaluation.runs import plan_runs
    from ocrdeploy.images.arguments import find_images
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.running.models import open_model

    output = Output(json_file, quiet, verbose)
    if shape is not None and batch_size:
        raise UsageError("--shape N C H W and --batch-size both set the batch size: give one of them")
    found = tuple(find_images(images, say=output.warn)) if images else None
    files = OutputFiles()
    files.add("--json", json_file)
    guard(files, opening)
    files.protect(*(models or ()), *(found or ()))
    sizes: list[int | None] = [1] if shape else [*batch_size] if batch_size else [None]
    variants = [BenchmarkOptions(found, size, shape, rounds, count) for size in sizes]
    opening = prepared(opening, output)
    runs = plan_runs(models or [], opening.backend, opening.checkpoint_file, Path.cwd())
    for run in runs:
        files.protect_model(run.model)
    with ExitStack() as stack:
        predictors = [stack.enter_context(open_model(run.model, replace(opening, backend=run.backend))) for run in runs]
        rows = [row for options in variants for row in _measure(runs, predictors, options, output)]
    output.json({"schema": 1, "command": "benchmark", "rows": rows})


def _measure(
    runs: "Sequence[Run]", predictors: "Sequence[Predictor]", options: "BenchmarkOptions", output: Output
) -> list[dict[str, Any]]:
    """Measure all models, print the table, and return its rows for JSON."""
    from ocrdeploy.benchmarking import benchmark

    with output.progress("benchmark", total=options.rounds) as bar:
        results = benchmark(predictors, options, lambda done: bar.update(done, options.rounds))
    table = make_table(
        "Benchmark",
        (
            "model",
            "backend",
            "input",
            "read",
            "preprocess",
            "inference",
            "postprocess",
            "images/s",
            "network alone",
            "ratio",
            "peak memory",
            "bottleneck",
        ),
        numeric_from=3,
    )
    for run, predictor, result in zip(runs, predictors, results, strict=True):
        title = f"{predictor.backend.name} {predictor.backend.precision}"
        table.add_row(str(run.model), title, *_cells(result))
    output.table(table)
    if output.verbose:
        for run, result in zip(runs, results, strict=True):
            for stage, latency in result.stages.items():
                output.line(
                    f"{run.model}: {stage}: p50 {latency.p50:.2f}, p90 {latency.p90:.2f}, p99 {latency.p99:.2f}, "
                    f"mean {latency.mean:.2f} ms"
                )
    return [
        _document(run.model, predictor, result)
        for run, predictor, result in zip(runs, predictors, results, strict=True)
    ]


def _cells(result: "Benchmark") -> list[str]:
    """Return the cells of a row that hold numbers."""
    from ocrdeploy.model_spec import shape_text

    ratio = result.ratio
    return [
        shape_text(result.shape),
        *(f"{latency.p50:.2f} ms" for latency in result.stages.values()),
        f"{result.images_per_second:.2f}",
        f"{result.network_images_per_second:.2f}",
        f"{ratio.median:.2f} ({ratio.lowest:.2f}-{ratio.highest:.2f})",
        f"{result.peak_rss_mib:.0f} MiB",
        f"{result.bottleneck} ({result.bottleneck_share:.0%})",
    ]


def _document(model: Path, predictor: "Predictor", result: "Benchmark") -> dict[str, Any]:
    """Return a row as what JSON can hold; latencies are milliseconds an image."""
    return {
        "model": str(model),
        "backend": predictor.backend.name,
        "precision": predictor.backend.precision,
        "device": str(predictor.backend.device),
        "threads": result.threads,
        "batch": result.batch,
        "shape": list(result.shape),
        "images": result.images,
        "rounds": result.rounds,
        "stages": {
            stage: {"p50": latency.p50, "p90": latency.p90, "p99": latency.p99, "mean": latency.mean}
            for stage, latency in result.stages.items()
        },
        "images_per_second": result.images_per_second,
        "network_images_per_second": result.network_images_per_second,
        "ratio": _ratio_document(result.ratio),
        "network_ratio": _ratio_document(result.network_ratio),
        "peak_rss_mib": result.peak_rss_mib,
        "bottleneck": result.bottleneck,
        "bottleneck_share": result.bottleneck_share,
    }


def _ratio_document(ratio: "Ratio") -> dict[str, float]:
    """Return a ratio with its spread."""
    return {"median": ratio.median, "lowest": ratio.lowest, "highest": ratio.highest}
