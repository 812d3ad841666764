"""`ocrdeploy benchmark`: latency and throughput, stage by stage."""

from pathlib import Path
from typing import Annotated

import typer

from ocrdeploy.running.opening import Opening

from .benchmark_report import report
from .evaluation_report import ReportFiles
from .model_arguments import check_models
from .options import RUNNING, Csv, Github, JsonFile, Junit, Markdown, Quiet, Verbose, guard, planned, takes
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
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-under",
            metavar="NAME=VALUE",
            help="Exit with 1 if images_per_second or network_images_per_second of any column is smaller, such as "
            "images_per_second=20. May be given several times.",
        ),
    ] = None,
    fail_over: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-over",
            metavar="NAME=VALUE",
            help="Exit with 1 if size_mib, peak_rss_mib or a latency of any column is larger, such as "
            "inference:p90=50. May be given several times.",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            metavar="OLD.json",
            help="Exit with 1 if a column is slower than in an earlier --json of the same machine: its images/s lost "
            "more than --max-slowdown, and no round is as fast as the slowest one was.",
        ),
    ] = None,
    max_slowdown: Annotated[
        float | None,
        typer.Option("--max-slowdown", metavar="X", help="Part of the images/s that may be lost. [default: 0.05]"),
    ] = None,
    opening: Opening,
    json_file: JsonFile = None,
    markdown: Markdown = None,
    csv: Csv = None,
    junit: Junit = None,
    github: Github = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure how fast models are, stage by stage.

    Reading, pre-processing, network and decoding are timed one by one, then all together. Latencies are milliseconds an
    image, each stage on its own: p50 is the median, nine of ten images take no longer than p90. Ratios are to the first
    column, above 1 is faster, with the smallest and the largest of the rounds.
    """
    from ocrdeploy.artifacts import check_file
    from ocrdeploy.benchmarking.gates import (
        MAX_SLOWDOWN,
        SpeedGates,
        parse_speed_maximum,
        parse_speed_minimum,
        read_speed_baseline,
    )
    from ocrdeploy.benchmarking.measuring import BenchmarkOptions
    from ocrdeploy.benchmarking.models import benchmark_runs
    from ocrdeploy.errors import ImageError, UsageError
    from ocrdeploy.idle_options import refuse_idle
    from ocrdeploy.images.arguments import find_images
    from ocrdeploy.output_files import OutputFiles

    check_models("benchmark", models or [])
    files = ReportFiles(json_file, markdown, csv, junit=junit)
    output = Output(json_file, quiet, verbose, stdout_taken=files.takes_stdout)
    if shape is not None and batch_size:
        raise UsageError("--shape N C H W and --batch-size both set the batch size: give one of them")
    refuse_idle(("--max-slowdown", max_slowdown, baseline is not None, "without --baseline"))
    bounds = (*map(parse_speed_minimum, fail_under or ()), *map(parse_speed_maximum, fail_over or ()))
    gates = SpeedGates(
        bounds,
        None if baseline is None else read_speed_baseline(baseline),
        MAX_SLOWDOWN if max_slowdown is None else max_slowdown,
    )
    found = tuple(find_images(images, say=output.warn)) if images else None
    for path in found or ():
        check_file(path, "image", ImageError)
    outputs = OutputFiles()
    files.add_to(outputs)
    guard(outputs, opening)
    outputs.protect(baseline, *(models or ()), *(found or ()))
    # A size that is given twice is measured once.
    sizes = (1,) if shape else tuple(dict.fromkeys(batch_size)) if batch_size else (None,)
    options = BenchmarkOptions(found, sizes, shape, rounds, count)
    runs, opening = planned(models or [], opening, output)
    for run in runs:
        outputs.protect_model(run.model)
    with output.progress("benchmark", total=rounds) as bar:
        rows = benchmark_runs(runs, opening, options, lambda done: bar.update(done, rounds))
    report(rows, gates, files, output, github=github)
