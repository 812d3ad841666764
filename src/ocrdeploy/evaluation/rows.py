"""What an evaluation reports: a row for each model on each backend and data set, and how rows stand side by side."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Any, Literal

from ocrdeploy.backends import BackendName
from ocrdeploy.errors import CheckError, MissingPackageError, NonFiniteError, OcrDeployError, UsageError, warn
from ocrdeploy.model_spec import Task

from .reading import ReadScore
from .scores import Evaluation, mean_metrics
from .worst import Mistakes

MEAN = "mean"
"""What the row of several data sets calls them."""
NOTHING_EVALUATED = "nothing evaluated"
BACKEND_TITLES: dict[str, str] = {
    "": "reader",
    "torch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "tensorrt": "TensorRT",
}


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """One model on one backend and one data set.

    Attributes:
        model: The model as it was named.
        task: Text detection, recognition, or reading, which is both.
        architecture: MMOCR's name of the network, with a star where its upsampling was changed to bilinear, as in
            MMOCR's table; empty where it is not known.
        config: Name of the config file; empty where it is not known.
        backend: Runtime; empty for what a reader wrote, which does not tell.
        precision: Number format of the network, such as `fp32`; empty where predictions were scored that do not tell.
        device: Where it ran; empty where nothing ran.
        tf32: Whether a GPU computed float32 in TF32.
        dataset: What the data set is called, see `name_data_sets`; `mean` in the row of several.
        ann_file: Where its labels are: a file or folder; empty in the row of several.
        img_prefix: The folder of its images; empty where none was named, and in the row of several.
        data_sets: What tells the data set from others: see `NamedData`; those of all in the row of several.
        mean: Whether the row is the mean of several data sets.
        images: How many images count.
        broken: How many were left out because they or their annotation cannot be read.
        resumed: How many of `images` have their result from an earlier run or from a file.
        labels: How many instances or words are labelled, of which a model could find or read any.
        metrics: The numbers, 0 to 1, under MMOCR's names; none where the backend could not run, or no image counts.
        seconds: Wall time from the first read to the metric; None where nothing ran.
        images_per_second: Throughput through all stages; None where nothing ran.
        batch_size: Most images that ran together; None where nothing ran.
        size_mib: Size of the file that holds the weights, in MiB; None where there is no file.
        error: Why the backend could not run, or what went wrong while it did.
        reason: The same in a few words.
        images_failed: How many images were left out because the model failed on them, as with an output that is not
            finite.
        failure: What the first of these was.
        failed: Whether `error` is of a run that failed, rather than of a machine that lacks something.
        worst: The worst images, the worst first, as many as were asked for.
        recogniser: Of a reader, the model that reads words; its other model is the detector.
    """

    model: str
    task: Task | Literal["read"]
    architecture: str
    config: str
    backend: BackendName | Literal[""]
    precision: str
    dataset: str
    ann_file: str = ""
    img_prefix: str = ""
    data_sets: tuple[tuple[str, str, int], ...] = ()
    mean: bool = False
    device: str = ""
    tf32: bool = False
    images: int = 0
    broken: int = 0
    resumed: int = 0
    labels: int = 0
    metrics: dict[str, float] | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    batch_size: int | None = None
    size_mib: float | None = None
    error: str = ""
    reason: str = ""
    failed: bool = False
    images_failed: int = 0
    failure: str = ""
    worst: tuple[Mistakes, ...] = ()
    recogniser: str = ""

    def document(self) -> dict[str, Any]:
        """Return the row as what JSON can hold: without what the error says too, and without it where there is none."""
        fields = asdict(replace(self, worst=())) | {
            "metrics": self.metrics or {},
            "architecture": self.architecture.removesuffix("*"),
        }
        fields["upsample"] = "bilinear" if self.architecture.endswith("*") else "nearest"
        dropped = {"reason", "failed", "data_sets"} | ({"mean"} if not self.mean else {"ann_file", "img_prefix"})
        dropped |= {"images_failed", "failure"} if not self.images_failed else set()
        dropped |= {"tf32"} if not self.tf32 else set()
        dropped |= {"recogniser"} if self.task != "read" else set()
        fields["worst"] = [each.document() for each in self.worst]
        dropped |= {"worst"} if not self.worst else set()
        return {key: value for key, value in fields.items() if key not in dropped and (key != "error" or value)}

    def scored(self, score: Evaluation) -> "EvaluationRow":
        """Return the row with its numbers; where no image counts there are none, and it has failed."""
        counts = replace(
            self,
            images=score.images,
            broken=score.broken,
            resumed=score.resumed,
            labels=score.labels,
            worst=score.worst,
            images_failed=score.failed,
            failure="" if score.failure is None else str(score.failure),
        )
        if score.images:
            if not score.labels:
                warn(f"nothing is labelled in {self.ann_file or self.dataset}, so the scores say nothing")
            return replace(counts, metrics=score.metrics)
        causes = [f"{score.broken} images or annotations could not be read"] if score.broken else []
        causes += [f"the model failed on {score.failed}, first: {counts.failure}"] if score.failed else []
        error = f"no image of {self.ann_file or self.dataset} was evaluated: {' and '.join(causes) or 'there is none'}"
        reason = short_reason(score.failure) if score.failure is not None else NOTHING_EVALUATED
        return replace(counts, error=error, reason=reason, failed=True)

    def read(self, score: ReadScore, *, runs: bool) -> "EvaluationRow":
        """Return the row of a reader with its numbers; where no image counts there are none, and it has failed."""
        counts = replace(
            self, images=score.images, labels=score.labels, images_failed=score.failed, failure=score.failure
        )
        if not score.images:
            error = f"no image of {self.ann_file} was evaluated: {score.failure or 'there is none'}"
            return replace(counts, error=error, reason=NOTHING_EVALUATED, failed=True)
        seconds = score.seconds if runs else None
        rate = score.images / seconds if seconds else None
        return replace(counts, metrics=score.metrics(), seconds=seconds, images_per_second=rate)

    @property
    def run(self) -> tuple[str, str, str]:
        """What was run, which tells it from others: the model's file, backend, precision."""
        return os.path.abspath(self.model), self.backend, self.precision  # noqa: PTH100  (links stay two files)


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


def short_reason(error: OcrDeployError) -> str:
    """Return what is missing, or went wrong, in words that fit in a table's cell.

    What is missing and no package is a GPU, or its driver.
    """
    match error:
        case MissingPackageError():
            return f"no {error.package}"
        case NonFiniteError():
            return "not finite"
        case CheckError():
            return "failed"
    return "no GPU"


def arrange(rows: Sequence[EvaluationRow]) -> Arrangement:
    """Bring backends of the same model and data set side by side, in the order in which they were run.

    Models are the same if architecture and config are. Several files of the same model on the same backend, such as a
    graph before and after it was edited, have a column each, with the file's name in its title.

    Raises:
        UsageError: Two rows are of the same model, backend, precision and data set.
    """
    families: dict[tuple[str, str, str], list[tuple[str, str, str]]] = {}
    columns: dict[tuple[str, str, int], list[str]] = {}
    groups: dict[tuple[Any, ...], dict[tuple[str, str, int], EvaluationRow]] = {}
    for row in rows:
        runs = families.setdefault((row.task, row.architecture, row.config), [])
        if row.run not in runs:
            runs.append(row.run)
        files = [model for model, *rest in runs if rest == [row.backend, row.precision]]
        column = (row.backend, row.precision, files.index(row.run[0]))
        names = columns.setdefault(column, [])
        if row.model not in names:
            names.append(row.model)
        cells = groups.setdefault((row.task, row.architecture, row.config, row.data_sets, row.dataset), {})
        if column in cells:
            raise UsageError(
                f"there are two results of {row.model} on {row.backend} for the data set {row.dataset}",
                "Evaluate each model once on each data set.",
            )
        cells[column] = row
    places = {column: place for place, column in enumerate(columns)}
    return Arrangement(
        titles=tuple(_title(column, columns) for column in columns),
        groups=tuple(
            Group(
                architecture,
                config,
                dataset,
                {places[column]: cells[column] for column in sorted(cells, key=places.__getitem__)},
            )
            for (_, architecture, config, _, dataset), cells in groups.items()
        ),
    )


def name_data_sets(rows: Sequence[EvaluationRow]) -> list[EvaluationRow]:
    """Return the rows with a name for each data set that no other has: one that is not unique gets more of its path."""
    single = {row.data_sets[0]: row.dataset for row in rows if len(row.data_sets) == 1 and not row.mean}
    levels = dict.fromkeys(single, 0)
    names = dict(single)
    while True:
        shared = [key for key in single if list(names.values()).count(names[key]) > 1]
        longer = [key for key in shared if levels[key] + 1 < len(_names(key, single[key]))]
        if not longer:
            break
        for key in longer:
            levels[key] += 1
            names[key] = _names(key, single[key])[levels[key]]
    return [replace(row, dataset=names[row.data_sets[0]]) if not row.mean and row.data_sets else row for row in rows]


def _names(key: tuple[str, str, int], short: str) -> list[str]:
    """Return names of a data set, the longer ones last: its folder, its file, with the images' folder, numbered."""
    labels, images, number = key
    file, folder = PurePath(labels).parts, PurePath(labels).parent.parts
    tails = [PurePath(*parts[-count:]) for parts in (folder, file) for count in range(2, len(parts) + 1)]
    whole = f"{labels} ({images})"
    return [short, *map(str, tails), whole, f"{whole}, {number + 1}"]


def add_mean(rows: Sequence[EvaluationRow]) -> list[EvaluationRow]:
    """Return the rows of one model on several data sets, and one more with their mean.

    One row stays alone. Where there are no numbers on one of the data sets, the mean has none either, and says why.
    """
    if len(rows) == 1:
        return list(rows)
    lacking = next((row for row in rows if row.metrics is None), None)
    timed = [row for row in rows if row.images_per_second is not None and row.seconds is not None]
    seconds = sum(row.seconds for row in timed if row.seconds is not None)
    run = sum(row.images - row.resumed for row in timed)
    mean = replace(
        lacking or rows[0],
        dataset=MEAN,
        ann_file="",
        img_prefix="",
        data_sets=tuple(key for row in rows for key in row.data_sets),
        mean=True,
        worst=(),
        labels=sum(row.labels for row in rows),
        images=sum(row.images for row in rows),
        broken=sum(row.broken for row in rows),
        resumed=sum(row.resumed for row in rows),
        images_failed=sum(row.images_failed for row in rows),
        metrics=None if lacking else mean_metrics([row.metrics for row in rows if row.metrics is not None]),
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
