"""Arguments that stand where a model was expected, and are something else that the user has a right word for."""

from collections.abc import Sequence
from pathlib import Path

from ocrdeploy.errors import UsageError

from .intents import is_backend

CONFIG_SUFFIXES = (".py", ".yml", ".yaml")


def check_models(command: str, models: Sequence[Path]) -> None:
    """Refuse configs and names of backends among the models, with the line that is right.

    Args:
        command: The command's name.
        models: What was given as models.

    Raises:
        UsageError: Names what was given and how it is given rightly.
    """
    configs = [path for path in models if path.suffix.lower() in CONFIG_SUFFIXES]
    if configs:
        others = [str(path) for path in models if path not in configs] or ["CHECKPOINT"]
        raise UsageError(
            f"{configs[0]} is a config, and a model was expected",
            f"Name it with --config: ocrdeploy {command} {' '.join(others)} --config {configs[0]}",
        )
    backends = [str(path) for path in models if is_backend(str(path)) and not path.exists()]
    if backends:
        raise UsageError(
            f"{' and '.join(backends)} {'is a backend' if len(backends) == 1 else 'are backends'}, "
            "and a model was expected",
            f"Backends are named with --backend, several with commas: --backend {','.join(backends)}",
        )
