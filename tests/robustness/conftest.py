import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.robustness.case import OUT, Place
from tests.support.models import write_model

N_IMAGES = 2


@pytest.fixture(scope="session")
def models(
    small_onnx: Path, seeded_onnx: Callable[[str], Path], sample_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Place:
    """The models and data that all rows share."""
    folder = tmp_path_factory.mktemp("robustness")
    files = write_model(folder, "dbnet")
    document = json.loads((sample_dir / "instances_test.json").read_text())
    images = document["images"][:N_IMAGES]
    ids = [image["id"] for image in images]
    own = [each for each in document["annotations"] if each["image_id"] in ids]
    ann = folder / "ann.json"
    ann.write_text(json.dumps(document | {"images": images, "annotations": own}))
    return Place(folder, small_onnx, seeded_onnx("crnn"), files.config, files.checkpoint, sample_dir / "imgs", ann)


@pytest.fixture
def place(models: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder for one row; the command runs in one below it."""
    (tmp_path / OUT).mkdir()
    monkeypatch.chdir(tmp_path / OUT)
    monkeypatch.setitem(os.environ, "OPENCV_LOG_LEVEL", "SILENT")
    return replace(models, folder=tmp_path)
