"""A config file to all that the project needs to know of it."""

from dataclasses import dataclass
from pathlib import Path

from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import Task
from ocrdeploy.networks.settings import (
    RECOGNITION_HEIGHT,
    DetectorSettings,
    NetworkSettings,
    RecognizerSettings,
)
from ocrdeploy.steps import Step, check_steps, fixed_height

from .architectures import Architecture, read_architecture
from .outlines import ModelOutline, check_strides, check_task, naming, read_outline, required_section
from .reading import read_config


@dataclass(frozen=True, slots=True)
class ModelConfig(ModelOutline):
    """What an MMOCR config says of a model whose network the project has.

    Attributes:
        network: Settings that `networks.build` makes the network from.
    """

    network: NetworkSettings


def load_config(path: Path, task: Task | None = None) -> ModelConfig:
    """Read an MMOCR config.

    Args:
        path: The config file; reading it runs it.
        task: What the model is expected to do; by default the config says.

    Raises:
        ConfigError: The config is broken, asks for what cannot be honoured, or is of another task.
    """
    values = read_config(path)
    with naming(path):
        architecture = read_architecture(required_section(values, "model"))
        outline = read_outline(values, path, architecture.name, architecture.task, architecture.decoder)
        _check_input(architecture, outline.preprocessing)
        check_task(outline, task)
    return ModelConfig(
        outline.architecture,
        outline.task,
        outline.preprocessing,
        outline.postprocessing,
        outline.datasets,
        outline.evaluation,
        outline.record,
        architecture.network,
    )


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
    height = fixed_height(steps)
    if height not in (None, RECOGNITION_HEIGHT):
        raise ConfigError(f"the test pipeline makes images {height} pixels high, {name} takes {RECOGNITION_HEIGHT}")
