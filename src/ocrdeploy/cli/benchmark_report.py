"""What `benchmark` prints, a column a measurement, and what it writes as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .output import Output
from .tables import make_table

if TYPE_CHECKING:
    from ocrdeploy.backends import Backend
    from ocrdeploy.benchmarking import Benchmark

MAX_SHAPES = 8
"""So many shapes of a measurement are printed; JSON has all."""


def print_benchmark(
    models: Sequence[str], backends: "Sequence[Backend]", results: "Sequence[Benchmark]", output: Output
) -> None:
    """Print the measurements side by side, and above them which model, runtime and device each column is.

    Args:
        models: The model's file of each measurement.
        backends: Its runtime.
        results: What was measured.
        output: The screen.
    """
    from ocrdeploy.evaluation.rows import BACKEND_TITLES
    from ocrdeploy.model_spec import shape_text

    columns = [_column(result) for result in results]
    numbers = [f"[{index}]" for index in range(1, len(results) + 1)]
    titles = [BACKEND_TITLES[backend.name] for backend in backends]
    for number, model, title, backend, result in zip(numbers, models, titles, backends, results, strict=True):
        output.line(f"{number} {model} on {title} {backend.precision}, {backend.device}, batch {result.batch}")
    table = make_table("", ("", *numbers))
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    output.table(table)
    for number, result in zip(numbers, results, strict=True):
        if len(result.shapes) > 1:
            shown = ", ".join(map(shape_text, result.shapes[:MAX_SHAPES]))
            more = len(result.shapes) - MAX_SHAPES
            output.line(f"{number} input shapes: {shown}" + (f" and {more} more" if more > 0 else ""))
        if output.verbose:
            for stage, latency in result.stages.items():
                output.line(f"{number} {stage}, ms: p99 {latency.p99:.2f}, mean {latency.mean:.2f}")


def _column(result: "Benchmark") -> dict[str, str]:
    """Return the cells of a measurement by the names of their rows."""
    from ocrdeploy.model_spec import shape_text

    shapes = result.shapes
    ratio = result.ratio
    latencies = {
        f"{stage} {name}, ms": f"{value:.2f}"
        for stage, latency in result.stages.items()
        for name, value in (("p50", latency.p50), ("p90", latency.p90))
    }
    return {
        "input": shape_text(shapes[0]) if len(shapes) == 1 else f"{len(shapes)} shapes",
        **latencies,
        "images/s": f"{result.images_per_second:.2f}",
        "network alone, images/s": f"{result.network_images_per_second:.2f}",
        "ratio to [1]": f"{ratio.median:.2f}",
        "ratio, of rounds": f"{ratio.lowest:.2f} to {ratio.highest:.2f}",
        "peak memory, MiB": f"{result.peak_rss_mib:.0f}",
        "bottleneck": result.bottleneck,
        "its share": f"{result.bottleneck_share:.0%}",
    }


def benchmark_document(model: str, backend: "Backend", result: "Benchmark") -> dict[str, Any]:
    """Return a measurement as what JSON can hold; latencies are milliseconds an image.

    `shape` is that of all batches, with -1 for a length that differs between them, and `shapes` has all.
    """
    fields = asdict(result)
    del fields["model"]
    return {
        "model": model,
        "backend": backend.name,
        "precision": backend.precision,
        **({"tf32": True} if backend.tf32 else {}),
        "device": str(backend.device),
        "shape": list(result.shape),
        **fields,
        "shapes": [list(shape) for shape in result.shapes],
    }
