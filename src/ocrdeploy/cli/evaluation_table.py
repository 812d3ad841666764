"""The table of an evaluation, laid out as MMOCR publishes it: a row a metric, a column a backend."""

from collections.abc import Mapping, Sequence
from typing import Any

from .output import Output, make_table

BACKEND_TITLES = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime", "tensorrt": "TensorRT"}


Row = Mapping[str, Any]
Column = tuple[str, str, str]
"""Model, backend, precision."""


def print_rows(rows: Sequence[Row], output: Output) -> None:
    """Print the rows of `evaluate --json`: those of one data set and several models or backends side by side."""
    header, *lines = table_lines(rows)
    table = make_table("Evaluation", header, numeric_from=2)
    for line in lines:
        if line[0]:
            table.add_section()
        table.add_row(*line)
    output.table(table)
    for row in rows:
        if row["broken"]:
            output.line(f"{row['dataset']}: {row['broken']} images or annotations could not be read and do not count")


def markdown_table(rows: Sequence[Row]) -> str:
    """Return the same table in Markdown."""
    header, *lines = table_lines(rows)
    rule = ["---"] * 2 + ["---:"] * (len(header) - 2)
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, rule, *lines))


def table_lines(rows: Sequence[Row]) -> list[list[str]]:
    """Return the table's cells, the header first; a data set's name stands on its first line only."""
    columns = list(dict.fromkeys(_column(row) for row in rows))
    lines = [["data set", "metric", *(_title(column, columns) for column in columns)]]
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        cells = {_column(row): row for row in rows if row["dataset"] == dataset}
        metrics = list(dict.fromkeys(key for row in cells.values() for key in row["metrics"]))
        name = dataset
        for metric in metrics:
            lines.append([name, metric, *(_number(cells, column, metric) for column in columns)])
            name = ""
        lines.append(["", "images", *(str(cells[column]["images"]) if column in cells else "" for column in columns)])
        lines.append(["", "images/s", *(_speed(cells, column) for column in columns)])
    return lines


def _column(row: Row) -> Column:
    """Return what a column stands for: model, backend, precision."""
    return row["model"], row["backend"], row["precision"]


def _title(column: Column, columns: Sequence[Column]) -> str:
    """Return a column's title, with the model's name where there are several models."""
    model, backend, precision = column
    title = f"{BACKEND_TITLES[backend]} {precision}"
    return f"{model} {title}" if len({name for name, _, _ in columns}) > 1 else title


def _number(cells: Mapping[Column, Row], column: Column, metric: str) -> str:
    """Return a metric's cell."""
    return f"{cells[column]['metrics'][metric]:.4f}" if column in cells else ""


def _speed(cells: Mapping[Column, Row], column: Column) -> str:
    """Return the cell of the throughput."""
    return f"{cells[column]['images_per_second']:.2f}" if column in cells else ""
