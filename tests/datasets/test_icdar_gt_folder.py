from pathlib import Path

import numpy as np
import pytest

from ocrdeploy.datasets import DetectionTruth, ImageFile, read_icdar_dataset, read_icdar_gt_folder, require_whole
from ocrdeploy.errors import AnnotationError
from ocrdeploy.model_spec import IcdarDataset
from tests.support.annotations import as_lists, error_lines

LINE = "0,0,9,0,9,9,0,9,Text"


def make_folder(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"gt_{name}.txt").write_text(content, "utf-8")
        (folder / f"{name}.jpg").touch()
    return folder


def test_says_what_the_converted_file_says(data_dir: Path, tmp_path: Path) -> None:
    toy = data_dir / "datasets/toy_dataset"
    for number in range(1, 11):
        (tmp_path / f"img_{number}.jpg").touch()
    found = as_lists(read_icdar_gt_folder(toy / "annotations/test", tmp_path))
    assert [name for name, _ in found] == [f"img_{number}.jpg" for number in range(1, 11)]
    converted = as_lists(read_icdar_dataset(IcdarDataset(str(toy / "instances_test.json"))))
    assert {f"test/{name}": truth for name, truth in found} == dict(converted)


def test_text_may_hold_commas_and_only_three_hashes_are_ignored(tmp_path: Path) -> None:
    lines = [LINE, f"{LINE},and more", LINE.replace("Text", ""), LINE.replace("Text", "###"), f"{LINE[:-4]}###,x"]
    (sample,) = require_whole(read_icdar_gt_folder(make_folder(tmp_path, img_1="\n".join(lines)), tmp_path))
    assert isinstance(sample.truth, DetectionTruth)
    assert (len(sample.truth.polygons), len(sample.truth.ignored)) == (4, 1)


def test_accepts_a_byte_order_mark_blanks_and_fractions(tmp_path: Path) -> None:
    make_folder(tmp_path, img_1="")
    (tmp_path / "gt_img_1.txt").write_bytes(b"\xef\xbb\xbf0, 0, 9.5, 0, 9, 9, 0, 9, Text\r\n\r\n")
    (sample,) = require_whole(read_icdar_gt_folder(tmp_path, tmp_path))
    assert isinstance(sample.truth, DetectionTruth)
    np.testing.assert_array_equal(sample.truth.polygons[0], [[0, 0], [9.5, 0], [9, 9], [0, 9]])


def test_leaves_out_what_has_no_area(tmp_path: Path) -> None:
    lines = ["0,0,9,0,9,0,0,0,line", "0,0,9,9,9,0,0,9,bow tie", "0,0,0.5,0,0.5,9,0,9,narrow", LINE]
    ((_, truth),) = as_lists(read_icdar_gt_folder(make_folder(tmp_path, img_1="\n".join(lines)), tmp_path))
    assert truth == {"gt": [[0, 0, 9, 0, 9, 9, 0, 9]], "ignored": []}


def test_a_file_without_lines_is_an_image_without_text(tmp_path: Path) -> None:
    found = as_lists(read_icdar_gt_folder(make_folder(tmp_path, img_1=""), tmp_path))
    assert found == [["img_1.jpg", {"gt": [], "ignored": []}]]


def test_takes_any_image_suffix_and_leaves_other_images_out(tmp_path: Path) -> None:
    gt_folder = make_folder(tmp_path / "gt", img_2=LINE, img_10=LINE)
    images = tmp_path / "images"
    images.mkdir()
    for name in ("img_10.PNG", "img_2.JPG", "img_2.txt", "img_3.jpg"):
        (images / name).touch()
    samples = list(require_whole(read_icdar_gt_folder(gt_folder, images)))
    assert [sample.image for sample in samples] == [ImageFile(images / "img_2.JPG"), ImageFile(images / "img_10.PNG")]


def test_a_missing_or_doubled_image_is_broken(tmp_path: Path) -> None:
    make_folder(tmp_path, img_1=LINE, img_2=LINE, img_3=LINE)
    (tmp_path / "img_1.jpg").unlink()
    (tmp_path / "img_2.png").touch()
    missing, doubled, whole = error_lines(read_icdar_gt_folder(tmp_path, tmp_path))
    assert f"gt_img_1.txt: expected one image img_1.* in {tmp_path}, got none" in missing
    assert "got img_2.jpg and img_2.png" in doubled
    assert whole == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0,0,9,0,9,9,0,9", "expected x1,y1,x2,y2,x3,y3,x4,y4,TEXT, got 8 fields"),
        ("0 0 9 9 Text", "got '0 0 9 9 Text'"),
        ("0,0,9,0,9,9,0,y,Text", "got '0,0,9,0,9,9,0,y,Text'"),
        ("0,0,9,0,9,9,0,nan,Text", "finite numbers"),
    ],
)
def test_a_wrong_line_breaks_its_image_and_its_number_is_told(line: str, message: str, tmp_path: Path) -> None:
    make_folder(tmp_path, img_1=f"{LINE}\n{line}\n", img_2=LINE)
    first, second = error_lines(read_icdar_gt_folder(tmp_path, tmp_path))
    assert first.startswith(f"{tmp_path}/gt_img_1.txt, line 2: ")
    assert message in first
    assert second == ""


def test_refuses_folders_that_hold_nothing_or_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"expected files gt_\*\.txt, got none"):
        read_icdar_gt_folder(tmp_path, tmp_path)
    with pytest.raises(AnnotationError, match="folder cannot be read"):
        read_icdar_gt_folder(tmp_path / "none", tmp_path)
    make_folder(tmp_path, img_1=LINE)
    with pytest.raises(AnnotationError, match="no such folder of images"):
        read_icdar_gt_folder(tmp_path, tmp_path / "none")
