"""The table of an evaluation, laid out as MMOCR publishes it: a row a metric, a column a backend."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from ocrdeploy.plain_text import csv_cell, markdown_cell

from .output import Output
from .tables import Table, make_table

if TYPE_CHECKING:
    from ocrdeploy.evaluation.rows import Arrangement, EvaluationRow, Group

PLACE_TITLES = ("model", "config", "data set")
NOT_RUN = "n/a"
FIELDS = (
    "model", "task", "architecture", "upsample", "config", "backend", "precision", "device", "dataset", "images",
    "broken", "resumed", "seconds", "images_per_second", "size_mib", "batch_size", "labels", "ann_file",
    "img_prefix", "mean", "tf32", "images_failed", "failure", "error",
)  # fmt: skip
"""The columns of the CSV file, but for the metrics, which stand between `resumed` and `seconds`."""


def print_rows(rows: "Sequence[EvaluationRow]", output: Output) -> None:
    """Print the table; where it is too wide for the terminal, as one table for each model and data set."""
    from ocrdeploy.evaluation.rows import arrange

    arrangement = arrange(rows)
    # A pipe or a log has room for every table.
    if not output.console.is_terminal or _width(arrangement) <= output.console.width:
        output.table(_whole_table(arrangement))
    else:
        for group in arrangement.groups:
            output.line(" · ".join(word for word in _place(group) if word))
            output.table(_group_table(group, arrangement.titles))
    for note in dict.fromkeys(_notes(rows)):
        output.line(note)


def _notes(rows: "Sequence[EvaluationRow]") -> Iterator[str]:
    """Yield what the table does not say."""
    for row in rows:
        if row.broken:
            yield f"{row.dataset}: {row.broken} images or annotations could not be read and do not count"
        if row.precision == "fp16" and row.backend == "onnxruntime" and row.device == "cpu":
            yield f"{row.model}: a CPU computes in float32, so float16 is scored for the rounding of the weights only"
        if 0 < row.resumed < row.images:
            yield f"{row.dataset}: {row.resumed} of {row.images} results are of an earlier run, images/s of the others"


def markdown_table(rows: "Sequence[EvaluationRow]") -> str:
    """Return the same table in Markdown."""
    from ocrdeploy.evaluation.rows import arrange

    header, *lines = table_lines(arrange(rows))
    places = len(PLACE_TITLES) + 1
    rule = ["---"] * places + ["---:"] * (len(header) - places)
    cells = ([markdown_cell(cell) for cell in line] for line in (header, rule, *lines))
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def csv_text(rows: "Sequence[EvaluationRow]") -> str:
    """Return the rows as CSV: a line a row of the JSON, a column a field or metric, numbers in full."""
    documents = [row.document() for row in rows]
    metrics = list(dict.fromkeys(name for document in documents for name in document["metrics"]))
    place = FIELDS.index("resumed") + 1
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [*FIELDS[:place], *metrics, *FIELDS[place:]]
    writer.writerow(map(csv_cell, names))
    for document in documents:
        values = document | document["metrics"]
        writer.writerow([csv_cell(values.get(name)) for name in names])
    return text.getvalue()


def table_lines(arrangement: "Arrangement") -> list[list[str]]:
    """Return the table's cells, the header first; a model and its data set stand on their first line only."""
    lines = [[*PLACE_TITLES, "metric", *arrangement.titles]]
    for group in arrangement.groups:
        place: Sequence[str] = _place(group)
        for line in _group_lines(group, len(arrangement.titles)):
            lines.append([*place, *line])
            place = [""] * len(PLACE_TITLES)
    return lines


def _place(group: "Group") -> tuple[str, str, str]:
    """Return model, config and data set."""
    return group.architecture, group.config, group.dataset


def _width(arrangement: "Arrangement") -> int:
    """Return how wide the one table is: its cells, a border and a blank at either side."""
    columns = zip(*table_lines(arrangement), strict=True)
    return sum(max(map(cell_len, column)) + 3 for column in columns) + 1


def _whole_table(arrangement: "Arrangement") -> Table:
    """Return one table of all groups."""
    header, *lines = table_lines(arrangement)
    table = make_table("", header, numeric_from=len(PLACE_TITLES) + 1)
    for line in lines:
        if any(line[: len(PLACE_TITLES)]):
            table.add_section()
        table.add_row(*line)
    return table


def _group_table(group: "Group", titles: Sequence[str]) -> Table:
    """Return the table of one group."""
    table = make_table("", ["metric", *(titles[column] for column in group.cells)])
    for line in _group_lines(group, len(titles)):
        table.add_row(line[0], *(line[column + 1] for column in group.cells))
    return table


def _group_lines(group: "Group", n_columns: int) -> Iterator[list[str]]:
    """Yield the lines of a group: metrics, device, number of images, throughput, and the size of the model's file."""
    rows = group.cells.items()
    lines = {
        name: {column: _metric(row, name, is_first=place == 0) for column, row in rows}
        for place, name in enumerate(group.metrics or [""])
    }
    lines["device"] = {column: "" if row.error else row.device for column, row in rows}
    lines["images"] = {column: "" if row.error else str(row.images) for column, row in rows}
    lines["images/s"] = {column: _decimal(row.images_per_second) for column, row in rows}
    lines["size, MiB"] = {column: _decimal(row.size_mib) for column, row in rows}
    for name, cells in lines.items():
        if any(cells.values()):
            yield [name, *(cells.get(column, "") for column in range(n_columns))]


def _metric(row: "EvaluationRow", name: str, *, is_first: bool) -> str:
    """Return a metric's cell; a backend that could not run says why on the first line."""
    if row.error:
        return row.reason if is_first else NOT_RUN
    value = (row.metrics or {}).get(name)
    return "" if value is None else f"{value:.4f}"


def _decimal(value: float | None) -> str:
    """Return a number with two decimals, more where it is small."""
    if value is None:
        return ""
    return f"{value:.2f}" if value >= 0.1 or not value else f"{value:.2g}"
