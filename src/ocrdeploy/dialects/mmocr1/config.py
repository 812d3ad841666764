"""A config of MMOCR 1.x to the neutral form: data sets, test pipeline and metric, beside its model."""

from pathlib import Path
from typing import Any

from ocrdeploy.artifacts import file_record
from ocrdeploy.dialects.config_file import config_files
from ocrdeploy.dialects.outline import NetworkParts, Outline, required_section
from ocrdeploy.model_spec import Task

from .data_sets import read_test_sets
from .evaluator import read_evaluator
from .model import read_model
from .pipelines import read_pipeline


def read_outline(values: dict[str, Any], path: Path, task: Task | None) -> tuple[Outline, NetworkParts]:
    """Read a config that has been run; as `read_outline` of the dialect of 0.x."""
    section = required_section(values, "model")
    preprocessor = section.section("data_preprocessor")
    model = read_model(section, task)
    sets = read_test_sets(values, model.task)
    steps, fix = read_pipeline(sets.pipeline, sets.place, preprocessor)
    evaluation, datasets = read_evaluator(values, sets.mended(fix), model.task)
    record, *bases = map(file_record, config_files(path))
    said = model.name, model.task, steps, model.decoder, datasets, evaluation
    outline = Outline(*said, record, tuple(bases), "mmocr1")
    return outline, model.parts
