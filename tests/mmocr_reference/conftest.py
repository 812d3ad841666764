import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrdeploy.mmocr_reference.interpreter import MMOCR_PYTHON_VARIABLE
from tests.support.stand_ins import stand_in


@pytest.fixture
def make_stand_in(tmp_path: Path) -> Callable[[str], Path]:
    """Make programs that stand for MMOCR's interpreter."""
    return lambda mode: stand_in(tmp_path, mode)


@pytest.fixture(scope="session")
def mmocr_python() -> Path:
    """The interpreter that holds the real MMOCR; the test is skipped where none is named."""
    named = os.environ.get(MMOCR_PYTHON_VARIABLE)
    if not named:
        pytest.skip(f"{MMOCR_PYTHON_VARIABLE} is not set")
    return Path(named)
