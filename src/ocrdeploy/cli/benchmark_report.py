"""What `benchmark` leaves: the table, a column a measurement, files, and the verdict of its gates."""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ocrdeploy.plain_text import csv_cell, markdown_cell

from .ci_reports import tell_ci
from .evaluation_report import ReportFiles
from .output import Output, write_text
from .tables import make_table

if TYPE_CHECKING:
    from ocrdeploy.benchmarking.gates import SpeedGates
    from ocrdeploy.benchmarking.measuring import Benchmark
    from ocrdeploy.benchmarking.rows import BenchmarkRow

MAX_SHAPES = 8
"""So many shapes of a measurement are printed; JSON has all."""
CSV_FIELDS = ("model", "backend", "precision", "device", "cpu", "batch", "shape", "images", "rounds", "threads")


def report(
    rows: "Sequence[BenchmarkRow]", gates: "SpeedGates", files: ReportFiles, output: Output, *, github: bool
) -> None:
    """Write the files, print the table, and judge.

    Raises:
        CheckError: A gate is not kept (says which, and by how much).
    """
    from ocrdeploy.benchmarking.rows import benchmark_documents
    from ocrdeploy.errors import CheckError

    checks = gates.checks(rows)
    failures = [text for check in checks for text in check.failures]
    # Files first: the screen may be a full disk or a reader that is gone.
    write_text(files.markdown, markdown_table(rows))
    write_text(files.csv, csv_text(rows))
    print_benchmark(rows, output)
    tell_ci("benchmark", checks, files.junit, output, github=github)
    document: dict[str, Any] = {"schema": 1, "command": "benchmark"}
    document |= {"passed": not failures, "failures": failures} if checks else {}
    output.json(document | {"rows": benchmark_documents(rows)})
    if failures:
        raise CheckError("; ".join([f"failed: {failures[0]}", *failures[1:]]))
    if checks:
        output.line("passed: the speeds are as asked for")


def print_benchmark(rows: "Sequence[BenchmarkRow]", output: Output) -> None:
    """Print the measurements side by side, and above them which model, runtime and device each column is."""
    from ocrdeploy.model_spec import shape_text

    lines = _lines(rows)
    for number, row in zip(lines[0][1:], rows, strict=True):
        output.line(f"{number} {_title(row)}")
    table = make_table("", lines[0])
    for line in lines[1:]:
        table.add_row(*line)
    output.table(table)
    for number, row in zip(lines[0][1:], rows, strict=True):
        result = row.measured
        if len(result.shapes) > 1:
            shown = ", ".join(map(shape_text, result.shapes[:MAX_SHAPES]))
            more = len(result.shapes) - MAX_SHAPES
            output.line(f"{number} input shapes: {shown}" + (f" and {more} more" if more > 0 else ""))
        if output.verbose:
            for stage, latency in result.stages.items():
                output.line(f"{number} {stage}, ms: p99 {latency.p99:.2f}, mean {latency.mean:.2f}")


def markdown_table(rows: "Sequence[BenchmarkRow]") -> str:
    """Return the table in Markdown, with the models' names as the columns' titles."""
    header, *lines = _lines(rows)
    titles = [header[0], *map(_title, rows)]
    rule = ["---", *["---:"] * len(rows)]
    cells = ([markdown_cell(cell) for cell in line] for line in (titles, *lines))
    first, *others = (f"| {' | '.join(line)} |\n" for line in cells)
    return "".join([first, f"|{'|'.join(rule)}|\n", *others])


def csv_text(rows: "Sequence[BenchmarkRow]") -> str:
    """Return the rows as CSV: a line a row of the JSON, numbers in full."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(dict.fromkeys(name for row in rows for name in row.numbers()))
    writer.writerow([*CSV_FIELDS, *names])
    for row in rows:
        document = row.document()
        document["shape"] = "x".join("" if length < 0 else str(length) for length in document["shape"])
        values = document | row.numbers()
        writer.writerow([csv_cell(values.get(name)) for name in (*CSV_FIELDS, *names)])
    return text.getvalue()


def _title(row: "BenchmarkRow") -> str:
    """Return which model, runtime and device a column is."""
    from ocrdeploy.evaluation.rows import BACKEND_TITLES

    return f"{row.model} on {BACKEND_TITLES[row.backend]} {row.precision}, {row.device}, batch {row.measured.batch}"


def _lines(rows: "Sequence[BenchmarkRow]") -> list[list[str]]:
    """Return the table's cells, the header first; a measurement alone has no ratio to itself."""
    columns = [_column(row.measured) for row in rows]
    numbers = [f"[{index}]" for index in range(1, len(rows) + 1)]
    names = [name for name in columns[0] if len(rows) > 1 or not name.startswith("speed")]
    return [["", *numbers], *([name, *(column[name] for column in columns)] for name in names)]


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
        "speed, times [1]": f"{ratio.median:.2f}",
        "speed, of rounds": f"{ratio.lowest:.2f} to {ratio.highest:.2f}",
        "peak memory, MiB": f"{result.peak_rss_mib:.0f}",
        "slowest stage": result.bottleneck,
        "its part of the time": f"{result.bottleneck_share:.0%}",
    }
