import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocrdeploy.datasets.json_dataset import read_json_dataset
from ocrdeploy.datasets.samples import BrokenSample, DetectionTruth, ImageFile, Sample
from ocrdeploy.errors import AnnotationError
from ocrdeploy.model_spec import FixInvalidPolygon, JsonDataset

SQUARE = [0, 0, 10, 0, 10, 10, 0, 10]
HOURGLASS = [0, 0, 10, 0, 5, 5, 10, 10, 0, 10, 5, 5]
LINE = [0, 0, 10, 0, 5, 0, 2, 0]


def write(folder: Path, data_list: Any) -> str:
    path = folder / "labels.json"
    path.write_text(json.dumps({"metainfo": {"dataset_type": "x"}, "data_list": data_list}), encoding="utf-8")
    return str(path)


def only_truth(folder: Path, instances: list[dict[str, Any]], fix: FixInvalidPolygon | None = None) -> DetectionTruth:
    path = write(folder, [{"img_path": "a.jpg", "instances": instances}])
    (sample,) = read_json_dataset(JsonDataset(path, "imgs", fix))
    assert isinstance(sample, Sample)
    assert isinstance(sample.truth, DetectionTruth)
    return sample.truth


def test_polygons_and_what_is_ignored(tmp_path: Path) -> None:
    truth = only_truth(
        tmp_path, [{"polygon": SQUARE, "ignore": False}, {"polygon": [1, 1, 2, 1, 2, 2], "ignore": True}]
    )
    np.testing.assert_array_equal(truth.polygons[0].ravel(), SQUARE)
    assert [len(polygon) for polygon in truth.ignored] == [3]


def test_an_image_without_text(tmp_path: Path) -> None:
    assert only_truth(tmp_path, []).polygons == ()


def test_words(tmp_path: Path) -> None:
    path = write(tmp_path, [{"img_path": "w/1.jpg", "instances": [{"text": "GRAND"}]}, {"img_path": "2.jpg"}])
    samples = list(read_json_dataset(JsonDataset(path, "imgs")))
    assert [sample.truth for sample in samples if isinstance(sample, Sample)] == ["GRAND", None]
    assert isinstance(samples[0], Sample)
    assert samples[0].name == "w/1.jpg"
    assert samples[0].image == ImageFile(Path("imgs/w/1.jpg"))


def test_the_recordings_are_read(extra_data_dir: Path) -> None:
    folder = extra_data_dir / "golden_zoo/v1/models"
    scenes, words = (
        [each for each in read_json_dataset(JsonDataset(str(folder / name))) if isinstance(each, Sample)]
        for name in ("textdet_test.json", "textrecog_test.json")
    )
    assert len(scenes) == len(words) == 10
    assert all(isinstance(sample.truth, DetectionTruth) for sample in scenes)
    assert words[0].truth == "GRAND"


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"img_path": 3},
        {"img_path": "a", "instances": [{"polygon": [1, 2, 3]}]},
        {"img_path": "a", "instances": [{"polygon": [1, 2, 3, 4]}]},
        {"img_path": "a", "instances": [{"text": "a"}, {"text": "b"}]},
        {"img_path": "a", "instances": [{"polygon": [1e300, 2, 3, 4, 5, 6]}]},
        {"img_path": "a", "instances": "none"},
        7,
    ],
)
def test_a_wrong_entry_is_broken_alone(tmp_path: Path, entry: object) -> None:
    path = write(tmp_path, [entry, {"img_path": "b.jpg", "instances": [{"text": "b"}]}])
    first, second = read_json_dataset(JsonDataset(path))
    assert isinstance(first, BrokenSample)
    assert "data_list[0]" in str(first.error)
    assert isinstance(second, Sample)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"data_list": []}', '{"data_list": {}}', "no JSON"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(AnnotationError, match=r"labels\.json"):
        read_json_dataset(JsonDataset(str(path)))


def test_what_crosses_itself_is_fixed(tmp_path: Path) -> None:
    truth = only_truth(tmp_path, [{"polygon": HOURGLASS}], FixInvalidPolygon())
    assert {tuple(point) for point in truth.polygons[0].tolist()} == {(0, 0), (10, 0), (10, 10), (0, 10)}


def test_a_line_becomes_its_box_or_goes(tmp_path: Path) -> None:
    boxed, bare = {"polygon": LINE, "bbox": [0, 0, 10, 4]}, {"polygon": LINE}
    truth = only_truth(tmp_path, [boxed, bare, {"polygon": [0, 0, 1, 1]}], FixInvalidPolygon())
    assert [polygon.ravel().tolist() for polygon in truth.polygons] == [[0, 0, 10, 0, 10, 4, 0, 4]]


def test_what_is_wrong_can_be_ignored(tmp_path: Path) -> None:
    instances = [{"polygon": HOURGLASS}, {"polygon": SQUARE}, {"polygon": SQUARE[:6]}]
    truth = only_truth(tmp_path, instances, FixInvalidPolygon("ignore"))
    assert (len(truth.polygons), len(truth.ignored)) == (1, 2)
