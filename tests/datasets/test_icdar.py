import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.datasets import ImageFile, read_icdar_dataset, require_whole
from ocrdeploy.errors import AnnotationError, OcrDeployWarning
from ocrdeploy.model_spec import IcdarDataset
from tests.support.annotations import error_lines

SQUARE = [0, 0, 9, 0, 9, 9, 0, 9]


def make_document() -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "text"}],
        "annotations": [
            {"id": 10 + i, "image_id": i, "category_id": 1, "bbox": [0, 0, 9, 9], "area": 81, "segmentation": [SQUARE]}
            for i in (1, 2)
        ],
    }


def write(path: Path, document: object) -> IcdarDataset:
    path.write_text(json.dumps(document), "utf-8")
    return IcdarDataset(str(path), "imgs")


def test_reads_names_images_and_origins(tmp_path: Path) -> None:
    path = tmp_path / "ann.json"
    first, second = require_whole(read_icdar_dataset(write(path, make_document())))
    assert (first.name, first.image, first.origin) == ("a.jpg", ImageFile(Path("imgs/a.jpg")), f"{path}, image 1")
    assert second.name == "b.jpg"


def test_accepts_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "ann.json"
    path.write_text(json.dumps(make_document(), indent=1), "utf-8-sig", newline="\r\n")
    assert len(read_icdar_dataset(IcdarDataset(str(path)))) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b" \n", "empty file"),
        (b"[1]", "expected a JSON object, got list"),
        (b'{"images": [,]}', "column 13"),
        (b'{\n"images": [\n,]}', "ann.json, line 3: expected JSON"),
        (b'{\n"images": "\xff"}', "ann.json, line 2: expected UTF-8"),
        (b"\xff\xfe{\x00", "line 1: expected UTF-8"),
        (b"[" * 100_000, "the JSON cannot be read"),
        (b"{}", "expected a list 'images', got none"),
        (b'{"images": []}', "empty list"),
        (b'{"images": {}}', "expected a list 'images', got dict"),
        (b'{"images": [{"id": 1}], "annotations": []}', "expected a list 'categories'"),
        (b'{"images": [{"id": 1}], "categories": []}', "expected a list 'annotations'"),
        (b'{"images": [{}]}', "images: Object missing required field `id`"),
        (b'{"images": [{"id": [1]}]}', "images: Expected"),
    ],
)
def test_refuses_a_file_that_is_no_annotation(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "ann.json"
    path.write_bytes(content)
    with pytest.raises(AnnotationError) as caught:
        read_icdar_dataset(IcdarDataset(str(path)))
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="there is no such annotation file"):
        read_icdar_dataset(IcdarDataset(str(tmp_path / "none.json")))
    with pytest.raises(AnnotationError, match="directory"):
        read_icdar_dataset(IcdarDataset(str(tmp_path)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["images"].append({"id": 1, "file_name": "c.jpg"}), "every image to have an id of its own, got 1"),
        (lambda d: d["annotations"][1].update(id=11), "every annotation to have an id of its own, got 11"),
        (lambda d: d["annotations"][1].pop("image_id"), "annotations: Object missing required field `image_id`"),
        (lambda d: d["annotations"][1].update({"\ud800": 1}), "annotations: 'utf-8' codec can't encode"),
        (lambda d: d["categories"][0].update(name="word"), "a category named 'text', got 'word'"),
        (lambda d: d.update(categories=[]), "a category named 'text', got no categories"),
        (lambda d: d.update(categories=[{"id": 1}]), "categories: Object missing required field `name`"),
    ],
)
def test_refuses_a_file_that_contradicts_itself(
    change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    document = make_document()
    change(document)
    with pytest.raises(AnnotationError) as caught:
        read_icdar_dataset(write(tmp_path / "ann.json", document))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segmentation": [SQUARE[:6]]}, "at least 4 points, got 3"),
        ({"segmentation": [SQUARE[:7]]}, "x and y in turn, got 7 numbers"),
        ({"segmentation": [[*SQUARE[:7], float("nan")]]}, "finite numbers"),
        ({"segmentation": [[*SQUARE[:7], float("inf")]]}, "finite numbers"),
        ({"segmentation": [[*SQUARE[:7], 10**400]]}, "finite numbers"),
        ({"segmentation": [[*SQUARE[:7], "9"]]}, "a polygon of numbers, got '9' among them"),
        ({"segmentation": [[*SQUARE[:7], True]]}, "a polygon of numbers, got True among them"),
        ({"segmentation": SQUARE}, "a list of polygons, got a list of int"),
        ({"segmentation": []}, "got an empty list"),
        ({"segmentation": None}, "got none"),
        ({"segmentation": {"counts": "x", "size": [1, 1]}}, "run-length"),
        ({"bbox": [0, 0, 9]}, "Expected `array` of length 4, got 3 - at `$.bbox`"),
        ({"area": "81"}, "Expected `float`, got `str` - at `$.area`"),
        ({"iscrowd": "no"}, "at `$.iscrowd`"),
        ({"ignore": []}, "at `$.ignore`"),
    ],
)
def test_a_wrong_annotation_breaks_its_image_alone(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    document = make_document()
    document["annotations"][0].update(change)
    path = tmp_path / "ann.json"
    first, second = error_lines(read_icdar_dataset(write(path, document)))
    assert first.startswith(f"{path}, annotation 11: ")
    assert message in first
    assert second == ""


@pytest.mark.parametrize("key", ["bbox", "area", "category_id", "segmentation"])
def test_a_missing_key_breaks_its_image_alone(key: str, tmp_path: Path) -> None:
    document = make_document()
    del document["annotations"][1][key]
    first, second = error_lines(read_icdar_dataset(write(tmp_path / "ann.json", document)))
    assert first == ""
    assert "annotation 12" in second
    assert key in second


def test_an_image_without_a_name_is_broken(tmp_path: Path) -> None:
    document = make_document()
    del document["images"][0]["file_name"]
    first, second = error_lines(read_icdar_dataset(write(tmp_path / "ann.json", document)))
    assert "image 1: Object missing required field `file_name`" in first
    assert second == ""


def test_ids_may_be_strings_and_names_have_to_be_text(tmp_path: Path) -> None:
    document = make_document()
    document["images"][0].update(id="one", file_name="\ud800.jpg")
    document["annotations"][0].update(image_id="one")
    first, _ = error_lines(read_icdar_dataset(write(tmp_path / "ann.json", document)))
    assert "image 'one': expected 'file_name' to be Unicode text" in first


def test_annotations_that_belong_to_no_image_are_told(tmp_path: Path) -> None:
    document = make_document()
    document["annotations"][1].update(image_id="2")
    dataset = write(tmp_path / "ann.json", document)
    with pytest.warns(OcrDeployWarning, match=r"ann\.json: 1 annotations .* annotation 12 with the image_id '2'"):
        assert len(read_icdar_dataset(dataset)) == 2


def test_images_in_an_lmdb(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").touch()
    dataset = IcdarDataset(write(tmp_path / "ann.json", make_document()).ann_file, str(tmp_path))
    kinds = [type(sample.image).__name__ for sample in require_whole(read_icdar_dataset(dataset))]
    assert kinds == ["LmdbImage", "LmdbImage"]
