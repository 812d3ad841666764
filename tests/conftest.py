import os
from pathlib import Path

import pytest

EXTRA_DATA_VARIABLE = "OCRDEPLOY_TEST_DATA"
"""Names a folder with `golden/`, `models/` and `data/`: recordings and models that are too large to ship."""


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The test data that is shipped with the project."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def extra_data_dir() -> Path:
    """The test data that is too large to ship; the test is skipped where it is not."""
    folder = os.environ.get(EXTRA_DATA_VARIABLE)
    if not folder:
        pytest.skip(f"{EXTRA_DATA_VARIABLE} is not set")
    return Path(folder).resolve()
