"""A config file to all that the project needs to know of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrdeploy.artifacts import file_record
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import (
    DETECTION_METRICS,
    OUTPUT_STRIDE,
    RECOGNITION_METRICS,
    Dataset,
    Decoder,
    EvaluationSettings,
    FileRecord,
    OCRDataset,
    Pad,
    Resize,
    ResizeOCR,
    Step,
    Task,
)
from ocrdeploy.networks.settings import (
    RECOGNITION_HEIGHT,
    DetectorSettings,
    NetworkSettings,
    RecognizerSettings,
)
from ocrdeploy.preprocessing import check_steps

from .architectures import Architecture, read_architecture
from .reading import read_config
from .section import Section
from .test_sets import read_test_sets

HOOK_KEYS = (
    "interval", "start", "by_epoch", "save_best", "rule", "test_fn", "greater_keys", "less_keys", "tmpdir",
    "gpu_collect", "out_dir", "file_client_args", "dynamic_intervals", "priority", "rank_list",
)  # fmt: skip
"""Keys of the config's `evaluation` that say when and where MMOCR evaluates while it trains."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What an MMOCR config says of a model, in the project's own terms.

    Attributes:
        architecture: MMOCR's name of the network.
        task: Text detection or recognition.
        network: Settings that `networks.build` makes the network from.
        preprocessing: Steps of the test pipeline.
        postprocessing: The decoder with its thresholds.
        datasets: The data sets of `data.test`.
        evaluation: The metric.
        record: The config file and its hash.
    """

    architecture: str
    task: Task
    network: NetworkSettings
    preprocessing: tuple[Step, ...]
    postprocessing: Decoder
    datasets: tuple[Dataset, ...]
    evaluation: EvaluationSettings
    record: FileRecord


def load_config(path: Path, task: Task | None = None) -> ModelConfig:
    """Read an MMOCR config.

    Args:
        path: The config file; reading it runs it.
        task: What the model is expected to do; by default the config says.

    Raises:
        ConfigError: The config is broken, asks for what cannot be honoured, or is of another task.
    """
    values = read_config(path)
    try:
        architecture = read_architecture(_required_section(values, "model"))
        datasets, preprocessing = read_test_sets(_required_section(values, "data").section("test"))
        evaluation = read_evaluation(Section(values.get("evaluation", {}), "evaluation"), architecture.task)
        _check_input(architecture, preprocessing)
        check_datasets(architecture.name, architecture.task, datasets)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}", error.fix) from error
    if task is not None and task != architecture.task:
        raise ConfigError(f"{path}: {architecture.name} is a model for task {architecture.task!r}, not {task!r}")
    return ModelConfig(
        architecture=architecture.name,
        task=architecture.task,
        network=architecture.network,
        preprocessing=preprocessing,
        postprocessing=architecture.decoder,
        datasets=datasets,
        evaluation=evaluation,
        record=file_record(path),
    )


def required_sections(values: dict[str, Any]) -> tuple[Section, Section]:
    """Return the sections `model` and `data`.

    Raises:
        ConfigError: One is not there.
    """
    return _required_section(values, "model"), _required_section(values, "data")


def _required_section(values: dict[str, Any], key: str) -> Section:
    """Return a section that every config has."""
    if "test_dataloader" in values and "data" not in values:
        raise ConfigError("this is a config of MMOCR 1.x", "Give one of MMOCR 0.x.")
    if key not in values:
        raise ConfigError(f"the config has no `{key}`")
    return Section(values[key], key)


def read_evaluation(section: Section, task: Task) -> EvaluationSettings:
    """Read the metric and its score thresholds."""
    section.skip(*HOOK_KEYS)
    default = "hmean-iou" if task == "det" else "acc"
    metric = section.take("metric", str | list[str], default)
    metrics = (metric,) if isinstance(metric, str) else tuple(metric)
    known = DETECTION_METRICS if task == "det" else RECOGNITION_METRICS
    for name in metrics:
        if name not in known:
            raise ConfigError(f"evaluation.metric = {name!r} cannot be honoured: known are {', '.join(known)}")
    # `score_thr` is MMOCR's older name of `min_score_thr`, and goes before it.
    older = section.take("score_thr", float | None, None)
    given = {"metric": metrics} | ({"min_score_thr": older} if older else {})
    keys = ("min_score_thr", "max_score_thr", "step")
    settings = section.build(EvaluationSettings, keys, given)
    section.finish()
    return settings


def _check_input(architecture: Architecture, steps: tuple[Step, ...]) -> None:
    """Refuse a pipeline whose images the network does not take; in MMOCR the first image would fail."""
    channels = check_steps(steps)
    match architecture.network:
        case DetectorSettings(backbone=backbone):
            expected = backbone.in_channels
            check_strides(architecture.name, steps)
        case RecognizerSettings(backbone=vgg):
            expected = vgg.input_channels
            _check_heights(architecture.name, steps)
    if channels != expected:
        raise ConfigError(
            f"the test pipeline reads images of {channels} channel(s), the backbone takes {expected}",
            "Give the color_type of LoadImageFromFile that the model was trained with.",
        )


def _check_heights(name: str, steps: tuple[Step, ...]) -> None:
    """Refuse words of another height than the recogniser's."""
    for step in steps:
        if isinstance(step, ResizeOCR) and step.height != RECOGNITION_HEIGHT:
            raise ConfigError(
                f"the test pipeline makes images {step.height} pixels high, {name} takes {RECOGNITION_HEIGHT}"
            )


def check_strides(name: str, steps: tuple[Step, ...]) -> None:
    """Refuse a detector's pipeline whose images need not be multiples of the network's stride."""
    divisible = False
    for step in steps:
        match step:
            case Resize(keep_ratio=False, scale=size) | Pad(size=(int(), int()) as size):
                divisible = all(length % OUTPUT_STRIDE == 0 for length in size)
            case Resize():
                divisible = False
            case Pad(size_divisor=int(divisor)):
                divisible = divisor % OUTPUT_STRIDE == 0
    if not divisible:
        raise ConfigError(
            f"the test pipeline does not pad images to multiples of {OUTPUT_STRIDE}, which {name} needs",
            "Add dict(type='Pad', size_divisor=32) after Normalize.",
        )


def check_datasets(name: str, task: Task, datasets: tuple[Dataset, ...]) -> None:
    """Refuse data sets of the other task."""
    for dataset in datasets:
        if isinstance(dataset, OCRDataset) != (task == "recog"):
            raise ConfigError(f"data.test of the config holds {type(dataset).__name__}, which is not for {name}")
