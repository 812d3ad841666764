"""A config file to all that the project needs to know of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ocrdeploy.dialects.mmocr0.config as mmocr0
import ocrdeploy.dialects.mmocr1.config as mmocr1
from ocrdeploy.dialects.config_file import read_config
from ocrdeploy.dialects.outline import Dialect, NetworkParts, Outline, check_sizes, check_task, naming, required_section
from ocrdeploy.errors import ConfigError
from ocrdeploy.families import Family, family_of, known_names
from ocrdeploy.families.family import AS_TRAINED, Shape, Tensors
from ocrdeploy.model_spec import DETECTOR_MULTIPLE, ExportOptions, Task
from ocrdeploy.steps import check_steps, fixed_height

LOADERS = {"train_dataloader", "val_dataloader", "test_dataloader"}
ONLY_IN_1X = {"data_preprocessor", "det_head"}
"""Parts of a model that MMOCR 0.x calls otherwise or has elsewhere."""


@dataclass(frozen=True, slots=True)
class ModelConfig(Outline):
    """What an MMOCR config says of a model whose network the project has.

    Attributes:
        family: What kind of network it is.
        network: The settings of the network, as the family reads them.
    """

    family: Family[Any]
    network: Any

    def tensors(self, export: ExportOptions | None, shape: Shape | None = None) -> Tensors:
        """Return inputs and outputs of the network; see `Family.tensors`.

        Words of a dynamic model are as high as the pipeline makes them, where the network takes any height.
        """
        options = export or AS_TRAINED
        tensors = self.family.tensors(self.network, options, shape)
        batch, channels, height, width = tensors[0][0].shape
        fixed = fixed_height(self.preprocessing) if self.task == "recog" else None
        if fixed is None or isinstance(height, int):
            return tensors
        return self.family.tensors(self.network, options, (batch, channels, fixed, width))


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
        family = find_family(values)
        outline, parts = _read_outline(values, path, family.task)
        network = family.read(parts)
        fields = {name: getattr(outline, name) for name in Outline.__slots__}
        config = ModelConfig(**fields, family=family, network=network)
        _check_input(config)
        _check_levels(config)
        check_task(config, task)
    return config


def load_outline(path: Path, task: Task | None = None) -> Outline:
    """Read an MMOCR config but for its network, of which nothing is checked.

    Args:
        path: The config file; reading it runs it.
        task: What the model is expected to do; by default the config says.

    Raises:
        ConfigError: The config is broken, is of another task, or asks for pre- or post-processing that is not known.
    """
    values = read_config(path)
    with naming(path):
        outline, _ = _read_outline(values, path, None)
        if outline.task == "det":
            check_sizes(outline, DETECTOR_MULTIPLE)
        check_task(outline, task)
    return outline


def dialect_of(values: dict[str, Any]) -> Dialect:
    """Return whose words a config has: only 1.x has data loaders outside of `data`, and a `data_preprocessor`."""
    model = values.get("model")
    parts = model.keys() if isinstance(model, dict) else ()
    is_newer = not LOADERS.isdisjoint(values) or not ONLY_IN_1X.isdisjoint(parts)
    return "mmocr1" if "data" not in values and is_newer else "mmocr0"


def _read_outline(values: dict[str, Any], path: Path, task: Task | None) -> tuple[Outline, NetworkParts]:
    """Read a config by its dialect."""
    match dialect_of(values):
        case "mmocr0":
            return mmocr0.read_outline(values, path, task)
        case "mmocr1":
            return mmocr1.read_outline(values, path, task)


def find_family(values: dict[str, Any]) -> Family[Any]:
    """Return the family of the config's network."""
    dialect = dialect_of(values)
    model = required_section(values, "model")
    name = model.peek_type()
    family = family_of(name, dialect)
    if family is None:
        known = ", ".join(known_names(dialect))
        raise ConfigError(f"{model.place}.type = {name!r}: the architecture is not supported; supported are {known}")
    return family


def _check_input(config: ModelConfig) -> None:
    """Refuse a pipeline whose images the network does not take; in MMOCR the first image would fail."""
    channels, height = check_steps(config.preprocessing), fixed_height(config.preprocessing)
    _, wanted, wanted_height, _ = config.tensors(None)[0][0].shape
    check_sizes(config, config.family.size_multiple)
    if height is not None and isinstance(wanted_height, int) and height != wanted_height:
        raise ConfigError(
            f"the test pipeline makes images {height} pixels high, {config.architecture} takes {wanted_height}"
        )
    if channels != wanted:
        raise ConfigError(
            f"the test pipeline reads images of {channels} channel(s), the backbone takes {wanted}",
            "Give the color_type of LoadImageFromFile that the model was trained with.",
        )


def _check_levels(config: ModelConfig) -> None:
    """Refuse a decoder that reads other levels than the network gives; in MMOCR the first image would fail."""
    read = [tensor.name for tensor in config.postprocessing.expects()]
    given = [tensor.name for tensor in config.tensors(None)[1]]
    if len(read) > 1 and read != given:
        raise ConfigError(
            f"{config.architecture} gives {', '.join(given)}, and by its scales {type(config.postprocessing).__name__} "
            f"reads {', '.join(read)}"
        )
