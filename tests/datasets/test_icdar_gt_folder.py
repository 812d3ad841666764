from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocrdeploy.datasets import DetectionTruth, ImageFile, read_icdar_dataset, read_icdar_gt_folder, require_whole
from ocrdeploy.errors import AnnotationError, OcrDeployWarning
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
    with pytest.warns(OcrDeployWarning, match=r"1 images in .* have no ground truth .* the first is img_3\.jpg"):
        samples = list(require_whole(read_icdar_gt_folder(gt_folder, images)))
    assert [sample.image for sample in samples] == [ImageFile(images / "img_2.JPG"), ImageFile(images / "img_10.PNG")]


def truths(folder: Path, **files: str) -> list[Any]:
    """Return the truth of each image of a folder of ground truth."""
    return [truth for _, truth in as_lists(read_icdar_gt_folder(make_folder(folder, **files), folder))]


SQUARE = [0, 0, 9, 0, 9, 9, 0, 9]


def test_lines_of_mlt_have_a_script_before_the_text(tmp_path: Path) -> None:
    lines = "0,0,9,0,9,9,0,9,Latin,###\n0,0,9,0,9,9,0,9,Arabic,a,b\n0,0,9,0,9,9,0,9,Klingon,x"
    files = {"img_1": lines.replace("Klingon", "None"), "img_2": "0,0,9,0,9,9,0,9,None,###\n" * 30 + lines}
    assert truths(tmp_path, **files) == [
        {"gt": [SQUARE] * 2, "ignored": [SQUARE]},
        {"gt": [SQUARE] * 2, "ignored": [SQUARE] * 31},
    ]


def test_a_text_may_be_the_name_of_a_script(tmp_path: Path) -> None:
    assert truths(tmp_path, img_1=f"0,0,9,0,9,9,0,9,Latin,###\n{LINE}") == [{"gt": [SQUARE] * 2, "ignored": []}]


@pytest.mark.parametrize("text", ['"###"', "####", '"####"', " ### ", "#####"])
def test_hashes_are_ignored_in_any_dress(text: str, tmp_path: Path) -> None:
    assert truths(tmp_path, img_1=LINE.replace("Text", text)) == [{"gt": [], "ignored": [SQUARE]}]


@pytest.mark.parametrize("text", ["12", "12,34", "12,340", "1,000,000", "12,34,", "#", "##", "### x", '"12,34"'])
def test_numbers_behind_four_corners_are_a_text(text: str, tmp_path: Path) -> None:
    far = "800,800,890,800,890,820,800,820"
    numbers = [float(number) for number in far.split(",")]
    assert truths(tmp_path, img_1=f"{far},{text}") == [{"gt": [numbers], "ignored": []}]


@pytest.mark.parametrize(("text", "is_ignored"), [("Text", False), ("###", True), ("12,34 km", False), ("####", True)])
def test_more_than_four_corners_are_a_polygon(text: str, is_ignored: bool, tmp_path: Path) -> None:
    corners = [300, 300, 340, 280, 380, 280, 420, 300, 420, 340, 380, 320, 340, 320, 300, 340]
    ((truth),) = truths(tmp_path, img_1=",".join(map(str, corners)) + f",{text}")
    assert truth == {"gt": [] if is_ignored else [corners], "ignored": [corners] if is_ignored else []}


def test_corners_without_a_text_are_an_error(tmp_path: Path) -> None:
    make_folder(tmp_path, img_1="300,300,340,280,380,280,420,300,420,340,300,340")
    (line,) = error_lines(read_icdar_gt_folder(tmp_path, tmp_path))
    assert "gt_img_1.txt, line 1: expected a text behind the corners, got numbers alone" in line


@pytest.mark.parametrize(
    "line",
    [
        '0, 0, 9, 9, "Text"',
        '0 0 9 9 "Text"',
        "x: [[0 9 9 0]], y: [[0 0 9 9]], ornt: [u'h'], transcriptions: [u'Text']",
        "x: [[0 9 9 0]], y: [[0 0 9 9]], ornt: ['h'], transcriptions: ['Text']",
        '0,0,9,0,9,9,0,9,0,"Text"',
    ],
)
def test_other_forms_of_lines(line: str, tmp_path: Path) -> None:
    ignored = line.replace("Text", "###").replace('0,"', '1,"')
    assert truths(tmp_path, img_1=line, img_2=ignored) == [
        {"gt": [SQUARE], "ignored": []},
        {"gt": [], "ignored": [SQUARE]},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x: [[0 9 9 0]], y: [[0 0 9 9", "expected a line of Total-Text"),
        ("x: [[0 9 9]], y: [[0 0 9 9]], ornt: ['h'], transcriptions: ['x']", "expected as many y as x, got 4 and 3"),
        ('9, 9, 0, 0, "Text"', "expected the upper left and the lower right corner"),
        ("0,0,1e9,0,9,9,0,9,Text", "expected a polygon of finite numbers, got 1000000000.0"),
    ],
)
def test_wrong_lines_of_other_forms(line: str, message: str, tmp_path: Path) -> None:
    (found,) = error_lines(read_icdar_gt_folder(make_folder(tmp_path, img_1=line), tmp_path))
    assert f"gt_img_1.txt, line 1: {message}" in found


def test_files_may_be_named_like_their_images(tmp_path: Path) -> None:
    for name in ("img_2", "img_10"):
        (tmp_path / f"{name}.txt").write_text(LINE)
        (tmp_path / f"{name}.jpg").touch()
    found = as_lists(read_icdar_gt_folder(tmp_path, tmp_path))
    assert [name for name, _ in found] == ["img_2.jpg", "img_10.jpg"]


def test_names_of_files_are_of_any_case(tmp_path: Path) -> None:
    make_folder(tmp_path, img_1=LINE)
    (tmp_path / "GT_img_2.TXT").write_text(LINE)
    (tmp_path / "img_2.jpg").touch()
    found = as_lists(read_icdar_gt_folder(tmp_path, tmp_path))
    assert [name for name, _ in found] == ["img_2.jpg", "img_1.jpg"]


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
