"""A config of MMOCR 0.x to the neutral form: data sets, test pipeline and metric, beside its model."""

from pathlib import Path
from typing import Any

from ocrdeploy.artifacts import file_record
from ocrdeploy.dialects.config_file import config_files
from ocrdeploy.dialects.mmocr0.data_sets import read_test_sets
from ocrdeploy.dialects.mmocr0.model import read_model
from ocrdeploy.dialects.outline import NetworkParts, Outline, required_section
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError, warn
from ocrdeploy.model_spec import (
    DETECTION_METRICS,
    RECOGNITION_METRICS,
    Dataset,
    EvaluationSettings,
    OCRDataset,
    Task,
    metric_name,
)

HOOK_KEYS = (
    "interval", "start", "by_epoch", "save_best", "rule", "test_fn", "greater_keys", "less_keys", "tmpdir",
    "gpu_collect", "out_dir", "file_client_args", "dynamic_intervals", "priority",
)  # fmt: skip
"""Keys of the config's `evaluation` that say when and where MMOCR evaluates while it trains."""


def read_outline(values: dict[str, Any], path: Path, task: Task | None) -> tuple[Outline, NetworkParts]:
    """Read a config that has been run.

    Args:
        values: The config.
        path: Its file.
        task: What a model of this name does; None where the name is not known.

    Returns:
        What it says beside the network, and the parts of the network, of which nothing is checked.

    Raises:
        ConfigError: It asks for pre- or post-processing, data sets or metrics that are not known.
    """
    model = read_model(required_section(values, "model"), task)
    datasets, preprocessing = read_test_sets(required_section(values, "data").take("test", Any), "data.test")
    evaluation = _read_evaluation(Section(values.get("evaluation", {}), "evaluation"), model.task)
    _check_datasets(model.name, model.task, datasets)
    record, *bases = map(file_record, config_files(path))
    said = model.name, model.task, preprocessing, model.decoder, datasets, evaluation
    outline = Outline(*said, record, tuple(bases), "mmocr0")
    return outline, model.parts


def _read_evaluation(section: Section, task: Task) -> EvaluationSettings:
    """Read the metric and its score thresholds."""
    section.skip(*HOOK_KEYS)
    if (rank_list := section.take("rank_list", Any, None)) is not None:
        warn(
            f"{section.place}.rank_list = {rank_list!r} of the config, MMOCR's list of images from the worst to the "
            "best, is not written: evaluate --worst N lists the worst"
        )
    default = "hmean-iou" if task == "det" else "acc"
    metric = section.take("metric", str | list[str], default)
    metrics = (metric,) if isinstance(metric, str) else tuple(metric)
    known = DETECTION_METRICS if task == "det" else RECOGNITION_METRICS
    for name in metrics:
        if metric_name(name) not in known:
            raise ConfigError(f"evaluation.metric = {name!r} cannot be honoured: known are {', '.join(known)}")
    metrics = tuple(map(metric_name, metrics))
    # `score_thr` is MMOCR's older name of `min_score_thr`, and goes before it.
    older = section.take("score_thr", float | None, None)
    given = {"metric": metrics} | ({"min_score_thr": older} if older else {})
    keys = ("min_score_thr", "max_score_thr", "step")
    settings = section.build(EvaluationSettings, keys, given)
    section.finish()
    return settings


def _check_datasets(name: str, task: Task, datasets: tuple[Dataset, ...]) -> None:
    """Refuse data sets of the other task."""
    for dataset in datasets:
        if isinstance(dataset, OCRDataset) != (task == "recog"):
            raise ConfigError(f"data.test of the config holds {type(dataset).__name__}, which is not for {name}")
