"""`evaluate` for readers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from ocrdeploy.adopting import AdoptRequest, adopt_model
from tests.support.foreign_models import photo, write_detector, write_recogniser

Command = Callable[..., Any]
END_TO_END = 0.46415094339622637
WORD_SPOTTING = 0.24516129032258066


@pytest.fixture
def scenes(data_dir: Path) -> Path:
    return data_dir / "end_to_end_reading"


def test_lines_are_scored_without_models_and_images(scenes: Path, command: Command) -> None:
    outcome = command("evaluate", "--from-predictions", scenes / "read.jsonl", "--data", scenes / "gt", "--json", "-")
    (row,) = outcome.document["rows"]
    assert (row["task"], row["model"], row["recogniser"], row["images"]) == ("read", "det.onnx", "rec.onnx", 60)
    assert row["metrics"]["end-to-end:hmean"] == pytest.approx(END_TO_END, abs=1e-9)
    assert row["metrics"]["word-spotting:hmean"] == pytest.approx(WORD_SPOTTING, abs=1e-9)
    assert 0 < row["metrics"]["hmean-iou:hmean"] < 1


@pytest.mark.parametrize(("bound", "code"), [("0.46", 0), ("0.47", 1)])
def test_a_gate_takes_its_numbers(bound: str, code: int, scenes: Path, command: Command) -> None:
    options = ["--data", scenes / "gt", "--fail-under", f"end-to-end:hmean={bound}"]
    assert command("evaluate", "--from-predictions", scenes / "read.jsonl", *options).code == code


def test_lines_that_are_not_those_of_the_data_are_refused(scenes: Path, tmp_path: Path, command: Command) -> None:
    lines = (scenes / "read.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    for content, message in (
        (lines[:-1], "1 of 60 images have no line"),
        ([*lines, lines[0]], "a second line of this image"),
        ([*lines, lines[0].replace("img_1.", "img_999.")], "does not have"),
        (["{}\n", *lines[1:]], "hint"),
        ([lines[0], "{\n"], "line 2"),
    ):
        (tmp_path / "read.jsonl").write_text("".join(content), encoding="utf-8")
        outcome = command("evaluate", "--from-predictions", tmp_path / "read.jsonl", "--data", scenes / "gt")
        assert outcome.code == 2
        assert message in outcome.err
    assert "--data" in command("evaluate", "--from-predictions", scenes / "read.jsonl").error
    options = ["--data", scenes / "gt", "--worst", "3"]
    assert "without --worst" in command("evaluate", "--from-predictions", scenes / "read.jsonl", *options).error


def test_an_image_that_failed_is_told(scenes: Path, tmp_path: Path, command: Command) -> None:
    lines = (scenes / "read.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    failed = {"image": "img_1.jpg", "detector": "d", "recogniser": "r", "error": "broken"}
    (tmp_path / "read.jsonl").write_text("".join([json.dumps(failed) + "\n", *lines[1:]]), encoding="utf-8")
    options = ["--data", scenes / "gt", "--json", "-"]
    outcome = command("evaluate", "--from-predictions", tmp_path / "read.jsonl", *options)
    (row,) = outcome.document["rows"]
    assert (row["images"], row["images_failed"], row["failure"]) == (59, 1, "broken")


def test_two_models_are_scored_together(tmp_path: Path, command: Command) -> None:
    adopt_model(AdoptRequest(write_detector(tmp_path / "d.onnx"), tmp_path / "det.onnx", "ppocr-det"))
    adopt_model(AdoptRequest(write_recogniser(tmp_path / "r.onnx"), tmp_path / "rec.onnx"))
    data = tmp_path / "data"
    data.mkdir()
    cv2.imwrite(str(data / "img_1.png"), photo())
    # The detector's boxes are a good deal larger than the bright places.
    (data / "gt_img_1.txt").write_text(
        '14,4,226,4,226,96,14,96,bab\n240,14,440,14,440,94,240,94,"bab"\n34,94,246,94,246,186,34,186,wrong\n'
    )
    models = ["--read", tmp_path / "det.onnx", tmp_path / "rec.onnx"]
    outcome = command("evaluate", *models, "--data", data, "--json", "-", "--predictions", tmp_path / "p.jsonl")
    assert outcome.code == 0, outcome.err
    (row,) = outcome.document["rows"]
    assert row["metrics"]["end-to-end:recall"] == pytest.approx(2 / 3)
    assert (row["backend"], row["architecture"], row["precision"]) == ("onnxruntime", "DB", "fp32")
    assert row["seconds"] > 0
    again = command("evaluate", "--from-predictions", tmp_path / "p.jsonl", "--data", data, "--json", "-")
    assert again.document["rows"][0]["metrics"] == row["metrics"]
    shutil.rmtree(data / "none", ignore_errors=True)
    (data / "img_1.png").unlink()
    assert "expected one image" in command("evaluate", *models, "--data", data).error
