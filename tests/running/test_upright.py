"""Photos of phones, which lie on their side and say so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocrdeploy.cli.main import run
from ocrdeploy.errors import OcrDeployWarning
from ocrdeploy.images.exif import ORIENTATION_TAG, orientation_of
from ocrdeploy.images.reading import read_image
from tests.support.foreign_models import photo, write_detector


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    Image.fromarray(photo()).rotate(90, expand=True).save(path, exif=exif, quality=95)
    return path


def test_a_photo_on_its_side_is_told_and_turned_on_request(
    phone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    from ocrdeploy.adopting import AdoptRequest, adopt_model

    model = adopt_model(AdoptRequest(write_detector(tmp_path / "d.onnx"), tmp_path / "det.onnx", "ppocr-det")).path

    def widths(*options: str) -> list[int]:
        assert run(["predict", str(model), str(phone), str(phone), "--json", "-", *options]) == 0
        captured = capsys.readouterr()
        told.append(captured.err.count("EXIF orientation"))
        polygons = json.loads(captured.out.splitlines()[0])["polygons"]
        return sorted(int(np.ptp(np.array(each).reshape(-1, 2)[:, 0])) for each in polygons)

    told: list[int] = []
    assert max(widths()) < 110
    assert min(widths("--auto-orient")) > 190
    assert told == [1, 0]


def test_an_option_that_changes_nothing_is_refused(
    seeded_onnx: Callable[[str], Path], phone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(seeded_onnx("crnn")), str(phone), "--auto-orient"]) == 2
    assert "--auto-orient changes nothing" in capsys.readouterr().err


@pytest.mark.parametrize("value", [1, 9, 0])
def test_tags_that_turn_nothing_are_none(value: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = value
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert orientation_of(tmp_path / "a.jpg") is None


def test_the_orientation_is_found_in_whatever_an_image_is(phone: Path, tmp_path: Path) -> None:
    assert orientation_of(phone) == orientation_of(phone.read_bytes()) == orientation_of(str(phone)) == 6
    with Image.open(phone) as opened:
        assert orientation_of(opened) == 6
    nothing: list[Any] = [photo(), tmp_path / "none.jpg", b"", b"nothing", None]
    assert [orientation_of(each) for each in nothing] == [None] * len(nothing)


def test_a_pipeline_that_ignores_it_is_told(phone: Path) -> None:
    with pytest.warns(OcrDeployWarning, match="EXIF orientation"):
        assert read_image(phone, "color_ignore_orientation").shape == (600, 200, 3)
    assert read_image(phone, "color").shape == (200, 600, 3)
