"""`ocrdeploy read` and `open_reader`."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import ocrdeploy
from ocrdeploy.errors import UsageError
from tests.support.foreign_models import photo, write_classifier, write_detector, write_recogniser

Command = Callable[..., Any]
GROWTH = 26
"""Pixels by which a box of 160×40 pixels grows: its area times 1.6 over its length."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    from ocrdeploy.adopting import AdoptRequest, adopt_model

    folder = tmp_path_factory.mktemp("models")
    adopt_model(AdoptRequest(write_detector(folder / "d.onnx"), folder / "det.onnx", "ppocr-det"))
    adopt_model(AdoptRequest(write_recogniser(folder / "r.onnx"), folder / "rec.onnx"))
    adopt_model(AdoptRequest(write_classifier(folder / "c.onnx"), folder / "cls.onnx", "ppocr-cls"))
    return folder / "det.onnx", folder / "rec.onnx", folder / "cls.onnx"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), photo())
    return path


@pytest.fixture
def reader(models: tuple[Path, Path, Path]) -> Iterator[ocrdeploy.Reader]:
    with ocrdeploy.open_reader(*models[:2], threads=2) as opened:
        yield opened


def test_words_come_in_reading_order_with_text_score_and_place(
    models: tuple[Path, Path, Path], image: Path, tmp_path: Path, command: Command
) -> None:
    outcome = command(
        "read", *models[:2], image, "--json", tmp_path / "w.jsonl", "--text", tmp_path / "t.txt", "--draw", tmp_path
    )
    assert outcome.code == 0, outcome.err
    (line,) = (tmp_path / "w.jsonl").read_text().splitlines()
    page = json.loads(line)
    assert (page["width"], page["height"], page["detector"]) == (600, 200, str(models[0]))
    assert [(word["line"], word["text"]) for word in page["words"]] == [(0, "bab"), (0, "bab"), (1, "bab")]
    first = page["words"][0]
    assert first["score"] == pytest.approx(np.mean(first["char_scores"]))
    corners = np.array(first["polygon"]).reshape(-1, 2)
    assert np.abs(corners.min(axis=0) - (40, 30)).max() <= GROWTH
    assert (tmp_path / "t.txt").read_text() == "bab bab\nbab\n"
    assert outcome.out.splitlines()[-1].startswith("1 image, 3 words; ms an image: read ")
    drawn = cv2.imread(str(tmp_path / "photo.read.png"))
    assert drawn is not None
    assert drawn.shape == (200, 1200, 3)


def test_a_bad_image_costs_no_other(
    models: tuple[Path, Path, Path], image: Path, tmp_path: Path, command: Command
) -> None:
    (tmp_path / "broken.png").write_bytes(b"nothing")
    outcome = command("read", *models[:2], tmp_path / "broken.png", image, "--json", "-")
    assert outcome.code == 1
    broken, whole = (json.loads(line) for line in outcome.out.splitlines())
    assert "broken.png" in broken["error"]
    assert len(whole["words"]) == 3


def test_own_drawings_are_no_images(
    models: tuple[Path, Path, Path], image: Path, tmp_path: Path, command: Command
) -> None:
    for _ in range(2):
        assert command("read", *models[:2], tmp_path, "--draw", tmp_path).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png", "photo.read.png"]


def test_words_below_the_least_score_are_left_out(
    models: tuple[Path, Path, Path], image: Path, command: Command
) -> None:
    outcome = command("read", *models[:2], image, "--min-score", "1", "--json", "-")
    assert json.loads(outcome.out)["words"] == []


def test_the_text_of_a_crop_is_its_own(reader: ocrdeploy.Reader) -> None:
    """Neither the order of the images nor how many there are changes a text."""
    images = [photo(), photo()[:, ::-1].copy(), photo()[:100].copy(), np.zeros((64, 64, 3), np.uint8)]
    alone = [reader(each) for each in images]
    together = reader(images[::-1])[::-1]
    for words, others in zip(alone, together, strict=True):
        assert [(word.text, word.char_scores) for word in words] == [(word.text, word.char_scores) for word in others]
    assert alone[-1] == []


def test_images_are_turned_as_their_tag_says(reader: ocrdeploy.Reader, tmp_path: Path) -> None:
    """A phone's photo that lies on its side has its words where they are seen."""
    turned = Image.fromarray(photo()).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    turned.save(tmp_path / "phone.png", exif=exif)
    page = reader.read(tmp_path / "phone.png")
    assert (page.width, page.height, page.orientation) == (600, 200, 6)
    assert [word.line for word in page.words] == [0, 0, 1]


def test_lines_that_are_upside_down_are_turned(models: tuple[Path, Path, Path]) -> None:
    """The classifier calls a line so whose right half is brighter."""
    crop = np.zeros((48, 300, 3), np.uint8)
    crop[:, 100:200], crop[:, 200:] = 140, 255
    detector, recogniser, classifier = models
    with (
        ocrdeploy.open_reader(detector, recogniser) as plain,
        ocrdeploy.open_reader(detector, recogniser, classifier=classifier) as turning,
    ):
        runs: dict[str, Any] = {"recogniser": None, "classifier": None}
        assert plain._recognise(crop, runs).text == "ba"
        assert turning._recognise(crop, runs).text == plain._recognise(crop[::-1, ::-1], runs).text == "ab"
        assert turning._recognise(crop[::-1, ::-1], runs).text == "ab"


def test_without_a_canvas_the_words_own_columns_are_read(models: tuple[Path, Path, Path]) -> None:
    with ocrdeploy.open_reader(*models[:2], tight=True) as reader:
        assert reader.recogniser.prepare(np.zeros((48, 100, 3), np.uint8)).tensor.shape == (3, 48, 100)
        assert [word.text[:2] for word in reader.read(photo()).words] == ["ba", "ba", "ba"]


def test_models_in_each_others_place_are_refused(
    models: tuple[Path, Path, Path], image: Path, command: Command, seeded_onnx: Callable[[str], Path]
) -> None:
    detector, recogniser, classifier = models
    assert "Exchange the two" in command("read", recogniser, detector, image).error
    assert "is no model that reads words" in command("read", detector, classifier, image).error
    assert "tells the orientation" in command("read", detector, recogniser, image, "--classifier", recogniser).error
    crnn = seeded_onnx("crnn")
    assert "has none" in command("read", detector, crnn, image, "--tight").error
    # Any mixture works.
    assert command("read", detector, crnn, image).code == 0


def test_a_closed_reader_is_refused(models: tuple[Path, Path, Path]) -> None:
    reader = ocrdeploy.open_reader(*models[:2])
    reader.close()
    reader.close()
    with pytest.raises(UsageError, match="is closed"):
        reader(photo())


def test_standard_output_takes_the_text(models: tuple[Path, Path, Path], image: Path, command: Command) -> None:
    assert command("read", *models[:2], image, "--text", "-", "--quiet").out == "bab bab\nbab\n"
