import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrdeploy.mmocr_reference.interpreter import MMOCR1_PYTHON_VARIABLE, MMOCR_PYTHON_VARIABLE
from tests.support.stand_ins import stand_in


@pytest.fixture
def make_stand_in(tmp_path: Path) -> Callable[[str], Path]:
    """Make programs that stand for MMOCR's interpreter."""
    return lambda mode: stand_in(tmp_path, mode)


@pytest.fixture(scope="session")
def mmocr_python() -> Path:
    """The interpreter that holds the real MMOCR 0.x; the test is skipped where none is named."""
    return _named(MMOCR_PYTHON_VARIABLE)


@pytest.fixture(scope="session")
def mmocr1_python() -> Path:
    """The interpreter that holds the real MMOCR 1.x; the test is skipped where none is named."""
    return _named(MMOCR1_PYTHON_VARIABLE)


def _named(variable: str) -> Path:
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} is not set")
    return Path(named)
