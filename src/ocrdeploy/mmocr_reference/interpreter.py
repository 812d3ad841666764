"""Which interpreter holds MMOCR."""

import os
from pathlib import Path

from ocrdeploy.checkpoints.download import cache_folder
from ocrdeploy.dialects.outline import Dialect
from ocrdeploy.errors import MachineError

MMOCR_PYTHON_VARIABLE = "OCRDEPLOY_MMOCR_PYTHON"
MMOCR1_PYTHON_VARIABLE = "OCRDEPLOY_MMOCR1_PYTHON"
GENERATIONS: dict[Dialect, str] = {"mmocr0": "0.x", "mmocr1": "1.x"}
"""What the generations of MMOCR are called."""


def setup_command(generation: Dialect) -> str:
    """Return the command that builds an environment of a generation of MMOCR."""
    return "ocrdeploy setup-mmocr" + (" --generation 1" if generation == "mmocr1" else "")


def python_variable(generation: Dialect) -> str:
    """Return the environment variable that names the interpreter of a generation of MMOCR."""
    return MMOCR1_PYTHON_VARIABLE if generation == "mmocr1" else MMOCR_PYTHON_VARIABLE


def default_environment(generation: Dialect) -> Path:
    """Return the folder that `ocrdeploy setup-mmocr` builds in unless it is told another one."""
    return cache_folder() / ("mmocr1" if generation == "mmocr1" else "mmocr")


def python_of(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / "bin" / "python"


def find_mmocr_python(given: Path | None = None, generation: Dialect = "mmocr0") -> Path:
    """Return the interpreter that is to run MMOCR; whether it holds MMOCR is seen when it starts.

    Args:
        given: The interpreter that the user named; else the environment variable of the generation is taken, else the
            environment in the default folder.
        generation: Which MMOCR it is to hold.

    Raises:
        MachineError: None was named and none is in the default folder, or what was named is no program.
    """
    variable = python_variable(generation)
    named = os.environ.get(variable)
    if given is not None:
        python, origin = given, "--mmocr-python"
    elif named:
        python, origin = Path(named), variable
    else:
        python, origin = python_of(default_environment(generation)), ""
    if python.is_file() and os.access(python, os.X_OK):
        # Not resolved: a virtual environment is known by the path of its link to the interpreter.
        return python.absolute()
    fix = (
        f"Build its environment once with: {setup_command(generation)}. One that is there already is named with "
        f"--mmocr-python or {variable}."
    )
    if not origin:
        raise MachineError(
            f"the real MMOCR {GENERATIONS[generation]} runs in an interpreter of its own, and there is none", fix
        )
    kind = "is not a program" if python.exists() else "does not exist"
    raise MachineError(f"the interpreter {python} that {origin} names {kind}", fix)
