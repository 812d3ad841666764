"""Programs that stand for MMOCR's interpreter: they answer as the worker does, or fail in a way of their own."""

import shlex
import sys
from pathlib import Path

PYTHON = Path(__file__).with_name("python_stand_in.sh")
"""Stands for the CPython that MMOCR's environment is built with; see there."""
SCRIPT = Path(__file__).with_name("mmocr_stand_in.py")


def stand_in(folder: Path, mode: str) -> Path:
    """Return a program that takes the place of an interpreter, whatever script it is asked to run.

    Args:
        folder: Where to put it.
        mode: What it does; see `mmocr_stand_in.py`.
    """
    path = folder / f"python-{mode}"
    command = shlex.join([sys.executable, str(SCRIPT), mode])
    # Two processes with a thread a core each would get in each other's way.
    path.write_text(f"#!/bin/sh\nOMP_NUM_THREADS=1 exec {command}\n")
    path.chmod(0o755)
    return path
