"""On which data sets, and by which metrics, models are evaluated."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from ocrdeploy.datasets import Samples, read_data_argument, read_dataset
from ocrdeploy.descriptions.loading import ModelConfig
from ocrdeploy.dialects.outline import check_task
from ocrdeploy.errors import AnnotationError, UsageError
from ocrdeploy.model_spec import Dataset, EvaluationSettings, IcdarDataset, Task, dataset_name, metric_names

from .scores import check_metrics


class Labelled(Protocol):
    """What has data sets and a metric: a model spec, or less than that."""

    @property
    def task(self) -> Task:
        """Text detection or text recognition."""
        ...

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """The data sets; may be none."""
        ...

    @property
    def evaluation(self) -> EvaluationSettings | None:
        """The metric; None takes that of the task."""
        ...


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """A task of which no more is known: the data set has to be given."""

    task: Task
    datasets: tuple[Dataset, ...] = ()
    evaluation: EvaluationSettings | None = None


@dataclass(frozen=True, slots=True)
class DataChoice:
    """What the user says of the data, in place of what the model's spec says.

    Attributes:
        config: What an MMOCR config says whose data sets and metric count instead.
        ann_file: Annotation file, in place of that of the first data set; the others are then left out.
        img_prefix: Image folder, in place of that of the first data set; the others are then left out.
        data: Annotations without any config: ICDAR 2015's folder of `gt_img_N.txt`, a list of `image<TAB>text`, or an
            annotation file of MMOCR. `img_prefix` then names the folder of its images.
        metrics: Names of metrics, in place of the config's.

    Raises:
        UsageError: `data` and `ann_file` name two things for one place.
    """

    config: ModelConfig | None = None
    ann_file: str | None = None
    img_prefix: str | None = None
    data: Path | None = None
    metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse two data sets."""
        if self.data is not None and self.ann_file is not None:
            raise UsageError("--data and --ann-file both name the annotations: give one of them")


@dataclass(frozen=True, slots=True)
class NamedData:
    """A data set that is open.

    Attributes:
        name: What reports call it.
        samples: Its images and their labels.
        ann_file: Where the labels are: a file or folder.
        img_prefix: The folder of the images; empty where none was named.
        number: How many data sets with the same labels and images stand before it in the config.
    """

    name: str
    samples: Samples
    ann_file: str
    img_prefix: str
    number: int = 0

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it from other data sets: labels and images as absolute paths, and its number."""
        # Links are two data sets, of which the names may tell what each is for.
        labels, images = (os.path.abspath(path) if path else "" for path in (self.ann_file, self.img_prefix))  # noqa: PTH100
        return labels, images, self.number


def choose_settings(spec: Labelled, choice: DataChoice) -> EvaluationSettings:
    """Return the metrics and score thresholds.

    Raises:
        ConfigError: The config that was given is of another task.
        UsageError: A metric does not belong to the model's task.
    """
    if choice.config is not None:
        check_task(choice.config, spec.task)
        settings = choice.config.evaluation
    else:
        settings = spec.evaluation or EvaluationSettings(("hmean-iou",) if spec.task == "det" else ("acc",))
    if not choice.metrics:
        return settings
    check_metrics(choice.metrics, spec.task)
    names = dict.fromkeys(name for given in choice.metrics for name in metric_names(given))
    return msgspec.structs.replace(settings, metric=tuple(names))


def open_data(spec: Labelled, choice: DataChoice) -> list[NamedData]:
    """Open the data sets.

    Raises:
        ConfigError: The config that was given is of another task.
        AnnotationError: An annotation file is missing or broken.
        UsageError: There is no data set.
    """
    if choice.data is not None:
        images = None if choice.img_prefix is None else Path(choice.img_prefix)
        samples = read_data_argument(choice.data, spec.task, images)
        return [NamedData(choice.data.stem, samples, str(choice.data), choice.img_prefix or "")]
    opened: list[NamedData] = []
    for dataset in _choose_datasets(spec, choice):
        number = sum((each.ann_file, each.img_prefix) == (dataset.ann_file, dataset.img_prefix) for each in opened)
        samples = _read(dataset, choice)
        opened.append(NamedData(dataset_name(dataset), samples, dataset.ann_file, dataset.img_prefix, number))
    return opened


def _read(dataset: Dataset, choice: DataChoice) -> Samples:
    """Open a data set; the error of one that is not there says where its name comes from."""
    try:
        return read_dataset(dataset)
    except AnnotationError as error:
        path = Path(dataset.ann_file)
        if not error.fix and not path.exists():
            where = "" if path.is_absolute() else f", relative to the current folder {Path.cwd()}"
            if choice.ann_file is None:
                error.fix = (
                    f"The test set of the model's config has this name{where}. Run the command where the data lies, "
                    "or name your labels with --data."
                )
            elif where:
                error.fix = f"--ann-file names it{where}."
        raise


def _choose_datasets(spec: Labelled, choice: DataChoice) -> tuple[Dataset, ...]:
    """Return the data sets of a config.

    Raises:
        ConfigError: The config that was given is of another task.
        UsageError: There is no data set, or no telling how the annotation file that was given is laid out.
    """
    if choice.config is not None:
        check_task(choice.config, spec.task)
    datasets = spec.datasets if choice.config is None else choice.config.datasets
    given = {"ann_file": choice.ann_file, "img_prefix": choice.img_prefix}
    changes = {key: value for key, value in given.items() if value is not None}
    if changes and datasets:
        # Other annotations are another data set than the one that the config gave a name.
        name = datasets[0].name if choice.ann_file is None else ""
        return (msgspec.structs.replace(datasets[0], **changes, name=name),)
    if choice.ann_file is not None and spec.task == "det":
        return (IcdarDataset(choice.ann_file, choice.img_prefix or ""),)
    if not datasets:
        raise UsageError("the model's config names no data set", "Give one with --data.")
    return datasets
