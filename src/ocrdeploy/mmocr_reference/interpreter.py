"""Which interpreter holds MMOCR."""

import os
from pathlib import Path

from ocrdeploy.checkpoints.download import cache_folder
from ocrdeploy.errors import MachineError

MMOCR_PYTHON_VARIABLE = "OCRDEPLOY_MMOCR_PYTHON"
SETUP_COMMAND = "ocrdeploy setup-mmocr"
SETUP_FIX = (
    f"Build its environment once with: {SETUP_COMMAND}. One that is there already is named with --mmocr-python or "
    f"{MMOCR_PYTHON_VARIABLE}."
)


def default_environment() -> Path:
    """Return the folder that `ocrdeploy setup-mmocr` builds in unless it is told another one."""
    return cache_folder() / "mmocr"


def python_of(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / "bin" / "python"


def find_mmocr_python(given: Path | None = None) -> Path:
    """Return the interpreter that is to run MMOCR; whether it holds MMOCR is seen when it starts.

    Args:
        given: The interpreter that the user named; else $OCRDEPLOY_MMOCR_PYTHON is taken, else the environment in the
            default folder.

    Raises:
        MachineError: None was named and none is in the default folder, or what was named is no program.
    """
    named = os.environ.get(MMOCR_PYTHON_VARIABLE)
    if given is not None:
        python, origin = given, "--mmocr-python"
    elif named:
        python, origin = Path(named), MMOCR_PYTHON_VARIABLE
    else:
        python, origin = python_of(default_environment()), ""
    if python.is_file() and os.access(python, os.X_OK):
        # Not resolved: a virtual environment is known by the path of its link to the interpreter.
        return python.absolute()
    if not origin:
        raise MachineError("the real MMOCR runs in an interpreter of its own, and there is none", SETUP_FIX)
    kind = "is not a program" if python.exists() else "does not exist"
    raise MachineError(f"the interpreter {python} that {origin} names {kind}", SETUP_FIX)
