import json
from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.datasets import DetectionTruth, ImageFile, read_text_det_dataset, require_whole
from ocrdeploy.errors import AnnotationError, ConfigError
from ocrdeploy.model_spec import AnnFileLoader, LineJsonParser, LineStrParser, TextDetDataset
from tests.support.annotations import error_lines

SQUARE = [0, 0, 9, 0, 9, 9, 0, 9]


def dataset_of(path: Path, *keys: str) -> TextDetDataset:
    parser = LineJsonParser(keys or ("file_name", "annotations"))
    return TextDetDataset(str(path), AnnFileLoader(parser), "imgs")


def line_of(**change: Any) -> str:
    return json.dumps({"file_name": "a.jpg", "annotations": [{"segmentation": [SQUARE]}], **change})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "expected JSON"),
        ("{", "expected JSON"),
        ("[]", "expected a JSON object, got list"),
        ("{}", "there is no 'file_name'"),
        (line_of(file_name=3), "expected 'file_name' to be a string, got int"),
        (line_of(annotations={}), "in 'annotations': Expected `array`"),
        (line_of(annotations=[3]), "in 'annotations': Expected `object`"),
        (line_of(annotations=[{"\ud800": 1}]), "in 'annotations': 'utf-8' codec can't encode"),
        (line_of(annotations=[{}]), "annotations[0]: expected a 'segmentation'"),
        (line_of(annotations=[{"segmentation": [SQUARE]}, {"segmentation": [SQUARE[:6]]}]), "annotations[1]: expected"),
    ],
)
def test_a_wrong_line_is_broken_and_its_number_told(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "ann.txt"
    path.write_text(f"{line_of()}\n\n{line or '-'}\r\n{line_of(file_name='b.jpg')}", "utf-8")
    first, broken, last = error_lines(read_text_det_dataset(dataset_of(path)))
    assert broken.startswith(f"{path}, line 3")
    assert message in broken
    assert (first, last) == ("", "")


def test_annotations_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "ann.txt"
    path.write_text('{"file_name": "a.jpg"}\n', "utf-8-sig")
    (sample,) = require_whole(read_text_det_dataset(dataset_of(path, "file_name")))
    assert sample.truth is None
    assert sample.image == ImageFile(Path("imgs/a.jpg"))
    assert sample.origin == f"{path}, line 1"


def test_no_annotations_mean_no_text(tmp_path: Path) -> None:
    path = tmp_path / "ann.txt"
    path.write_text(line_of(annotations=[]), "utf-8")
    (sample,) = require_whole(read_text_det_dataset(dataset_of(path)))
    assert isinstance(sample.truth, DetectionTruth)
    assert sample.truth.polygons == sample.truth.ignored == ()


def test_refuses_a_parser_without_names_or_polygons(tmp_path: Path) -> None:
    path = tmp_path / "ann.txt"
    path.write_text("a.jpg b\n", "utf-8")
    with pytest.raises(ConfigError, match="TextDetDataset needs the key 'file_name'"):
        read_text_det_dataset(dataset_of(path, "filename", "annotations"))
    parser = LineStrParser(("file_name", "annotations"), (0, 1))
    (broken,) = error_lines(read_text_det_dataset(TextDetDataset(str(path), AnnFileLoader(parser))))
    assert "in 'annotations': Expected `array`, got `str`" in broken


@pytest.mark.parametrize("content", ["", "\n \r\n"])
def test_refuses_an_empty_file(content: str, tmp_path: Path) -> None:
    path = tmp_path / "ann.txt"
    path.write_text(content, "utf-8")
    with pytest.raises(AnnotationError, match=r"ann\.txt: .* empty file"):
        read_text_det_dataset(dataset_of(path))


def test_refuses_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="there is no such annotation file"):
        read_text_det_dataset(dataset_of(tmp_path / "none.txt"))
    with pytest.raises(AnnotationError, match="directory"):
        read_text_det_dataset(dataset_of(tmp_path))
