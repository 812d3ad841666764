"""`ocrdeploy benchmark`: latency and throughput, stage by stage."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ocrdeploy.running.opening import Opening

from .benchmark_report import benchmark_document, print_benchmark
from .model_arguments import check_models
from .options import RUNNING, JsonFile, Quiet, Verbose, guard, planned, takes
from .output import Output


@takes("backends", *RUNNING)
def command(
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="MODEL",
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
            help="Images of one size run together. May be given several times, for a column each. [default: detection "
            "1, recognition as a short measurement on the first words says]",
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
    """Measure how fast models are, stage by stage.

    Reading, pre-processing, network and decoding are timed one by one, then all together. Latencies are milliseconds an
    image, each stage on its own: p50 is the median, nine of ten images take no longer than p90. Ratios are to the first
    column, above 1 is faster, with the smallest and the largest of the rounds.
    """
    from ocrdeploy.artifacts import check_file
    from ocrdeploy.benchmarking import BenchmarkOptions, benchmark
    from ocrdeploy.errors import ImageError, UsageError
    from ocrdeploy.images.arguments import find_images
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.running.models import open_model
    from ocrdeploy.spec_checks import check_batch_sizes

    check_models("benchmark", models or [])
    output = Output(json_file, quiet, verbose)
    if shape is not None and batch_size:
        raise UsageError("--shape N C H W and --batch-size both set the batch size: give one of them")
    found = tuple(find_images(images, say=output.warn)) if images else None
    for path in found or ():
        check_file(path, "image", ImageError)
    files = OutputFiles()
    files.add("--json", json_file)
    guard(files, opening)
    files.protect(*(models or ()), *(found or ()))
    # A size that is given twice is measured once.
    sizes = (1,) if shape else tuple(dict.fromkeys(batch_size)) if batch_size else (None,)
    options = BenchmarkOptions(found, sizes, shape, rounds, count)
    runs, opening = planned(models or [], opening, output)
    for run in runs:
        files.protect_model(run.model)
    with ExitStack() as stack:
        predictors = [stack.enter_context(open_model(run.model, replace(opening, backend=run.backend))) for run in runs]
        if batch_size:
            models_of = zip((run.model for run in runs), (each.spec for each in predictors), strict=True)
            check_batch_sizes(models_of, batch_size)
        with output.progress("benchmark", total=rounds) as bar:
            results = benchmark(predictors, options, lambda done: bar.update(done, rounds))
        names = [str(runs[result.model].model) for result in results]
        backends = [predictors[result.model].backend for result in results]
        print_benchmark(names, backends, results, output)
        rows = [benchmark_document(*row) for row in zip(names, backends, results, strict=True)]
    output.json({"schema": 1, "command": "benchmark", "rows": rows})
