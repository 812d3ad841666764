"""Reading a config file with mmengine, which knows the dialect (`_base_`, `{{_base_.x}}`) without PyTorch.

A config is a Python program: reading it runs it.
"""

from pathlib import Path
from typing import Any

from ocrdeploy.errors import ConfigError


def read_config(path: Path) -> dict[str, Any]:
    """Return the config with its bases merged into it.

    Raises:
        ConfigError: The file is missing, is no config, or raises when it runs.
    """
    if not path.exists():
        raise ConfigError(f"config {path} does not exist")
    if path.suffix not in (".py", ".json", ".yaml", ".yml") or not path.is_file():
        raise ConfigError(f"config {path} is not a .py, .json or .yaml file")
    from mmengine.config import Config

    try:
        config = Config.fromfile(str(path), import_custom_modules=False)
        return dict(config.to_dict())
    except RecursionError as error:
        raise ConfigError(f"config {path} leads back to itself through _base_") from error
    except (Exception, SystemExit) as error:  # a config is a program: it can raise anything
        text = " ".join(str(error).split()) or "no message"
        raise ConfigError(f"config {path} cannot be read: {type(error).__name__}: {text}") from error
