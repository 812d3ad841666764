"""What an evaluation reports: a row for each model on each backend and data set, and how rows stand side by side."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ocrdeploy.backends import BackendName
from ocrdeploy.model_spec import Task

from .scores import mean_metrics

MEAN = "mean"
BACKEND_TITLES: dict[str, str] = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime", "tensorrt": "TensorRT"}


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """One model on one backend and one data set.

    Attributes:
        model: The model as it was named.
        task: Text detection or recognition.
        architecture: MMOCR's name of the network, with a star where its upsampling was changed to bilinear, as in
            MMOCR's table; empty where it is not known.
        config: Name of the config file; empty where it is not known.
        backend: Runtime.
        precision: Number format of the network, such as `fp32`; empty where predictions were scored that do not tell.
        device: Where it ran; empty where nothing ran.
        dataset: Name of the data set, or `mean` of several.
        images: How many images count.
        broken: How many were left out because they or their annotation cannot be read.
        resumed: How many of `images` have their result from an earlier run or from a file.
        metrics: The numbers, 0 to 1, under MMOCR's names; none where the backend could not run.
        seconds: Wall time from the first read to the metric; None where nothing ran.
        images_per_second: Throughput through all stages; None where nothing ran.
        batch_size: Most images that ran together; None where nothing ran.
        size_mib: Size of the file that holds the weights, in MiB; None where there is no file.
        error: Why the backend could not run, or what went wrong while it did.
        reason: The same in a few words.
        failed: Whether `error` is of a run that failed, rather than of a machine that lacks something.
    """

    model: str
    task: Task
    architecture: str
    config: str
    backend: BackendName
    precision: str
    dataset: str
    device: str = ""
    images: int = 0
    broken: int = 0
    resumed: int = 0
    metrics: dict[str, float] | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    batch_size: int | None = None
    size_mib: float | None = None
    error: str = ""
    reason: str = ""
    failed: bool = False

    def document(self) -> dict[str, Any]:
        """Return the row as what JSON can hold: without what the error says too, and without it where there is none."""
        fields = asdict(self) | {"metrics": self.metrics or {}, "architecture": self.architecture.removesuffix("*")}
        fields["upsample"] = "bilinear" if self.architecture.endswith("*") else "nearest"
        dropped = {"reason", "failed"} if self.error else {"reason", "failed", "error"}
        return {key: value for key, value in fields.items() if key not in dropped}


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one model and data set.

    Attributes:
        architecture: As in `EvaluationRow`.
        config: As in `EvaluationRow`.
        dataset: As in `EvaluationRow`.
        cells: The rows, by their columns' places in the table.
    """

    architecture: str
    config: str
    dataset: str
    cells: dict[int, EvaluationRow]

    @property
    def metrics(self) -> list[str]:
        """The names of the numbers that any of the rows has."""
        return list(dict.fromkeys(key for row in self.cells.values() for key in row.metrics or {}))


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Rows as MMOCR publishes them: backends side by side.

    Attributes:
        titles: The columns' titles.
        groups: What stands in them.
    """

    titles: tuple[str, ...]
    groups: tuple[Group, ...]

    def title_of(self, row: EvaluationRow) -> str:
        """Return the title of the column that a row stands in."""
        return next(self.titles[column] for group in self.groups for column, each in group.cells.items() if each is row)


def arrange(rows: Sequence[EvaluationRow]) -> Arrangement:
    """Bring backends of the same model and data set side by side, in the order in which they were run.

    Models are the same if architecture and config are. Several files of the same model on the same backend, such as a
    graph before and after it was edited, have a column each, with the file's name in its title.
    """
    families: dict[tuple[str, str, str], list[tuple[str, str, str]]] = {}
    columns: dict[tuple[str, str, int], list[str]] = {}
    groups: dict[tuple[str, str, str], dict[tuple[str, str, int], EvaluationRow]] = {}
    for row in rows:
        run = (row.model, row.backend, row.precision)
        runs = families.setdefault((row.task, row.architecture, row.config), [])
        if run not in runs:
            runs.append(run)
        files = [model for model, *rest in runs if rest == [row.backend, row.precision]]
        column = (row.backend, row.precision, files.index(row.model))
        names = columns.setdefault(column, [])
        if row.model not in names:
            names.append(row.model)
        groups.setdefault((row.architecture, row.config, row.dataset), {})[column] = row
    places = {column: place for place, column in enumerate(columns)}
    return Arrangement(
        titles=tuple(_title(column, columns) for column in columns),
        groups=tuple(
            Group(*key, {places[column]: cells[column] for column in sorted(cells, key=places.__getitem__)})
            for key, cells in groups.items()
        ),
    )


def add_mean(rows: Sequence[EvaluationRow]) -> list[EvaluationRow]:
    """Return the rows of one model on several data sets, and one more with their mean; one row stays alone."""
    if len(rows) == 1 or any(row.metrics is None for row in rows):
        return list(rows)
    timed = [row for row in rows if row.images_per_second is not None and row.seconds is not None]
    seconds = sum(row.seconds for row in timed if row.seconds is not None)
    run = sum(row.images - row.resumed for row in timed)
    mean = replace(
        rows[0],
        dataset=MEAN,
        images=sum(row.images for row in rows),
        broken=sum(row.broken for row in rows),
        resumed=sum(row.resumed for row in rows),
        metrics=mean_metrics([row.metrics for row in rows if row.metrics is not None]),
        seconds=seconds if timed else None,
        images_per_second=run / seconds if seconds else None,
    )
    return [*rows, mean]


def _title(column: tuple[str, str, int], columns: dict[tuple[str, str, int], list[str]]) -> str:
    """Return a column's title: MMOCR's, and the files' names where one backend has several columns."""
    backend, precision, _ = column
    words = [BACKEND_TITLES[backend]]
    # As in MMOCR's table, the precision stands where there is a choice.
    if precision and (backend == "tensorrt" or precision != "fp32"):
        words.append(precision.upper())
    if sum(other[:2] == (backend, precision) for other in columns) > 1:
        words.append(", ".join(columns[column]))
    return " ".join(words)
