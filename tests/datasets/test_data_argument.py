import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.datasets import DetectionTruth, ImageFile, LmdbImage, Sample, Samples, read_data_argument, require_whole
from ocrdeploy.errors import AnnotationError, UsageError
from ocrdeploy.model_spec import Task
from tests.support.annotations import as_lists, error_lines
from tests.support.dataset_cases import LMDB_ENTRIES, make_lmdb

LINE = "0,0,9,0,9,9,0,9,Text\n"
SQUARE = [0, 0, 9, 0, 9, 9, 0, 9]


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def write(path: Path, content: str) -> Path:
    touch(path).write_text(content, "utf-8")
    return path


def image_paths(samples: Samples) -> list[Path]:
    images = [sample.image for sample in require_whole(samples)]
    return [image.path for image in images if isinstance(image, ImageFile)]


@pytest.fixture
def toy(data_dir: Path, tmp_path: Path) -> Path:
    """MMOCR's toy data sets, with empty files for the images."""
    for name in ("toy_dataset", "ocr_toy_dataset"):
        shutil.copytree(data_dir / "datasets" / name, tmp_path / name)
    for number in range(1, 11):
        touch(tmp_path / f"toy_dataset/imgs/test/img_{number}.jpg")
    for line in (tmp_path / "ocr_toy_dataset/label.txt").read_text("utf-8").splitlines():
        touch(tmp_path / "ocr_toy_dataset/imgs" / line.split()[0])
    return tmp_path


@pytest.mark.parametrize(
    ("argument", "task", "first"),
    [
        ("toy_dataset", "det", "img_1.jpg"),
        ("toy_dataset/annotations", "det", "img_1.jpg"),
        ("toy_dataset/annotations/test", "det", "img_1.jpg"),
        ("toy_dataset/instances_test.json", "det", "test/img_10.jpg"),
        ("toy_dataset/instances_test.txt", "det", "test/img_10.jpg"),
        ("ocr_toy_dataset/label.txt", "recog", "1223731.jpg"),
        ("ocr_toy_dataset/label.jsonl", "recog", "1223731.jpg"),
    ],
)
def test_recognises_mmocrs_toy_data(argument: str, task: Task, first: str, toy: Path) -> None:
    samples = read_data_argument(toy / argument, task)
    assert as_lists(samples)[0][0] == first
    assert len(samples) == 10
    assert all(path.is_file() for path in image_paths(samples))


def test_takes_a_path_relative_to_the_current_folder(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy / "toy_dataset/annotations/test")
    for argument in (".", "..", "../.."):
        assert all(path.is_file() for path in image_paths(read_data_argument(Path(argument), "det")))
    monkeypatch.chdir(toy / "ocr_toy_dataset")
    assert all(path.is_file() for path in image_paths(read_data_argument(Path("label.txt"), "recog")))


@pytest.mark.parametrize(
    ("name", "content"), [("labels.csv", "filename,words\na.jpg,x\n"), ("a.json", '{"a.jpg": "x"}')]
)
def test_takes_the_only_label_file_of_a_folder(name: str, content: str, tmp_path: Path) -> None:
    write(tmp_path / name, content)
    touch(tmp_path / "a.jpg")
    assert as_lists(read_data_argument(tmp_path, "recog")) == [["a.jpg", "x"]]


def test_takes_the_only_file_of_a_folder(toy: Path) -> None:
    (toy / "ocr_toy_dataset/label.jsonl").unlink()
    assert len(read_data_argument(toy / "ocr_toy_dataset", "recog")) == 10
    shutil.rmtree(toy / "toy_dataset/annotations")
    with pytest.raises(AnnotationError, match=r"folder holds instances_test\.json, instances_test\.txt\. Name the"):
        read_data_argument(toy / "toy_dataset", "det")


def test_recognises_a_word_list(tmp_path: Path) -> None:
    path = write(tmp_path / "list.tsv", "a b.jpg\ttwo words\n")
    touch(tmp_path / "a b.jpg")
    samples = read_data_argument(path, "recog")
    assert as_lists(samples) == [["a b.jpg", "two words"]]
    assert image_paths(samples) == [tmp_path / "a b.jpg"]


def test_recognises_json_of_many_lines_and_of_one_long_line(toy: Path) -> None:
    path = toy / "toy_dataset/instances_test.json"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document, indent=1), "utf-8-sig")
    assert len(read_data_argument(path, "det")) == 10
    path.write_text(json.dumps({"file_name": "x" * 1_000_000, **document}), "utf-8")
    assert len(read_data_argument(path, "det")) == 10


def test_recognises_an_lmdb_of_labels(tmp_path: Path) -> None:
    folder = make_lmdb(tmp_path / "label.lmdb", LMDB_ENTRIES["label.lmdb"])
    touch(tmp_path / "imgs/b.jpg")
    samples = read_data_argument(folder, "recog")
    assert image_paths(samples) == [tmp_path / "imgs" / name for name in ("a b.jpg", "b.jpg", "c.jpg")]


def test_recognises_an_lmdb_of_images(tmp_path: Path) -> None:
    folder = make_lmdb(tmp_path / "imgs.lmdb", LMDB_ENTRIES["imgs.lmdb"])
    samples = read_data_argument(folder, "recog")
    images = [sample.image for sample in require_whole(samples)]
    assert images == [LmdbImage(folder, "image-000000001"), LmdbImage(folder, "image-000000002")]


@pytest.mark.parametrize("images", ["gt", "gt/images", "gt/a/b", "."])
def test_finds_the_images_of_a_ground_truth_folder(images: str, tmp_path: Path) -> None:
    write(tmp_path / "gt/gt_img_1.txt", LINE)
    write(tmp_path / "gt/gt_img_2.txt", LINE)
    image = touch(tmp_path / images / "img_2.PNG")
    named = tmp_path if images == "." else tmp_path / "gt"
    missing, whole = read_data_argument(named, "det")
    assert "expected one image img_1.*" in error_lines([missing])[0]
    assert [path.resolve() for path in image_paths([whole])] == [image.resolve()]


def test_images_of_a_folder_that_nobody_named_are_not_taken(tmp_path: Path) -> None:
    write(tmp_path / "ch4_test_gt/gt_img_1.txt", LINE)
    touch(tmp_path / "ch4_training_images/img_1.jpg")
    with pytest.raises(AnnotationError, match=r"there is none.* name their folder with --img-prefix"):
        read_data_argument(tmp_path / "ch4_test_gt", "det")
    path = write(tmp_path / "words/labels.txt", "word_1.jpg\tx\n")
    touch(tmp_path / "other_words/word_1.jpg")
    with pytest.raises(AnnotationError, match=r"there is none.* name their folder with --img-prefix"):
        read_data_argument(path, "recog")


def test_the_folder_with_most_of_the_images_is_taken(tmp_path: Path) -> None:
    names = [f"word_{number}.jpg" for number in range(1, 11)]
    path = write(tmp_path / "c/labels.txt", "".join(f"{name}\tx\n" for name in names))
    touch(tmp_path / "c/word_3.jpg")
    whole = [touch(tmp_path / "c/imgs" / name) for name in names]
    assert image_paths(read_data_argument(path, "recog")) == whole


def test_an_option_that_cannot_matter_is_refused(tmp_path: Path) -> None:
    folder = make_lmdb(tmp_path / "imgs.lmdb", LMDB_ENTRIES["imgs.lmdb"])
    with pytest.raises(UsageError, match=r"--img-prefix .* cannot matter: .* holds the images too"):
        read_data_argument(folder, "recog", tmp_path)


@pytest.mark.parametrize(
    ("task", "content", "expected"),
    [
        ("recog", '{\n "a.jpg": "GRAND", "b.jpg": "x"\n}', [["a.jpg", "GRAND"], ["b.jpg", "x"]]),
        ("recog", '{"a.PNG": "GRAND"}', [["a.PNG", "GRAND"]]),
        ("recog", 'filename,words\na.jpg,"say ""hi"", you"\n', [["a.jpg", 'say "hi", you']]),
        ("recog", 'a.jpg, "GR\\"AND"\n', [["a.jpg", 'GR"AND']]),
        (
            "det",
            '{"a.jpg": {"img_dimensions": [9, 9], "polygons": [[[0, 0], [9, 0], [9, 9], [0, 9]]]}}',
            [["a.jpg", {"gt": [SQUARE], "ignored": []}]],
        ),
        (
            "det",
            '{"a.jpg": {"polygons": {"words": [[[0, 0], [9, 0], [9, 9], [0, 9]]]}}}',
            [["a.jpg", {"gt": [SQUARE], "ignored": []}]],
        ),
        (
            "det",
            'a.jpg\t[{"transcription": "###", "points": [[0, 0], [9, 0], [9, 9], [0, 9]]}]\nb.jpg\t[]\n',
            [["a.jpg", {"gt": [], "ignored": [SQUARE]}], ["b.jpg", {"gt": [], "ignored": []}]],
        ),
    ],
)
def test_label_files_of_other_projects(task: Task, content: str, expected: Any, tmp_path: Path) -> None:
    assert as_lists(read_data_argument(write(tmp_path / "labels.json", content), task, tmp_path)) == expected


@pytest.mark.parametrize(
    ("task", "content", "message"),
    [
        ("recog", '{"a.jpg": 3}', "image 'a.jpg': Expected `str`, got `int`"),
        ("det", '{"a.jpg": {"polygons": [[[0, 0]]]}}', "image 'a.jpg': expected a polygon of at least 4 points, got 1"),
        ("det", 'a.jpg\t[{"points": 3}]\n', "line 1: Expected `array`, got `int`"),
        ("det", "a.jpg\t[]\nb.jpg\n", "line 2: expected an image, a TAB and a list of texts"),
    ],
)
def test_wrong_entries_of_other_projects_are_broken(task: Task, content: str, message: str, tmp_path: Path) -> None:
    items = read_data_argument(write(tmp_path / "labels.json", content), task, tmp_path)
    assert message in error_lines(items)[-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{'filename': 'a.jpg', 'text': 'x'}\n", "got a Python dictionary. Write JSON"),
        ('["a.jpg", "a.jpg"]\tGRAND\n', "PaddleOCR's list of several images of one text"),
        ('a.jpg\t[{"points": []}]\n', "PaddleOCR's labels of text detection"),
        ('{\n "images": []}', "got JSON over several lines"),
    ],
)
def test_formats_that_are_no_list_of_words_are_named(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError) as caught:
        read_data_argument(write(tmp_path / "list.txt", content), "recog", tmp_path)
    assert message in str(caught.value)
    assert "list.txt, line 1: " in str(caught.value)


def test_the_nearest_place_decides_and_two_equally_near_ones_do_not(tmp_path: Path) -> None:
    write(tmp_path / "gt/gt_img_1.txt", LINE)
    touch(tmp_path / "other/img_1.jpg")
    near = [touch(tmp_path / "gt" / name / "img_1.jpg") for name in ("a", "b")]
    with pytest.raises(AnnotationError) as caught:
        read_data_argument(tmp_path / "gt", "det")
    assert f"found it in {near[0].parent}, {near[1].parent}" in str(caught.value)
    assert "--img-prefix" in caught.value.fix
    assert image_paths(read_data_argument(tmp_path / "gt", "det", images=near[1].parent)) == [near[1]]
    near[0].unlink()
    assert image_paths(read_data_argument(tmp_path / "gt", "det")) == [near[1]]


def test_several_ground_truth_folders_do_not_decide(tmp_path: Path) -> None:
    for name in ("training", "test"):
        write(tmp_path / "annotations" / name / "gt_img_1.txt", LINE)
        touch(tmp_path / "imgs" / name / "img_1.jpg")
    with pytest.raises(AnnotationError, match=r"expected one folder of gt_\*\.txt files, got .*test, .*training"):
        read_data_argument(tmp_path, "det")
    samples = read_data_argument(tmp_path / "annotations/training", "det")
    assert image_paths(samples) == [tmp_path / "imgs/training/img_1.jpg"]


def test_says_where_images_were_looked_for(tmp_path: Path) -> None:
    gt_folder = write(tmp_path / "gt/gt_img_1.txt", LINE).parent
    path = write(tmp_path / "list.txt", "a.jpg\tx\n")
    for argument, task, image in ((gt_folder, "det", "an image img_1"), (path, "recog", "the image a.jpg")):
        with pytest.raises(AnnotationError) as caught:
            read_data_argument(argument, task)  # type: ignore[arg-type]
        assert f"expected {image} in its own folder" in str(caught.value)
        assert "two levels below; there is none. Put the images there, or name their folder" in str(caught.value)


def test_images_that_are_named_need_not_be_searched_for(tmp_path: Path) -> None:
    path = write(tmp_path / "list.txt", "a.jpg\tx\n")
    images = tmp_path / "images"
    with pytest.raises(AnnotationError, match="no such folder of images"):
        read_data_argument(path, "recog", images)
    images.mkdir()
    assert image_paths(read_data_argument(path, "recog", images)) == [images / "a.jpg"]


@pytest.mark.parametrize(
    ("content", "task", "message"),
    [
        ("a.jpg\tx\n", "det", "is a list of words, image<TAB>text"),
        ("", "det", "empty file"),
        ("", "recog", "empty file"),
        ("a.jpg\n", "recog", "expected an image, a TAB (or a blank) and its text"),
        ('{"images": []}', "det", "expected images"),
        ('{"images": []}', "recog", "the first line is JSON with the keys 'images'"),
        ('{"filename": "a.jpg"}', "recog", "there is no 'text'"),
        ('{"file_name": "a.jpg"}', "det", "there is no 'annotations'"),
        ("x" * 5000 + "\ty", "recog", "there is none"),
    ],
)
def test_refuses_a_file_of_something_else(content: str, task: Task, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "data.txt", content)
    with pytest.raises(AnnotationError) as caught:
        read_data_argument(path, task)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("task", "message"), [("det", "gt_img_N.txt"), ("recog", "image<TAB>text")])
def test_refuses_what_is_not_there_and_says_what_may_be(task: Task, message: str, tmp_path: Path) -> None:
    for argument in (tmp_path / "none", tmp_path, tmp_path / ("x" * 5000)):
        with pytest.raises(AnnotationError) as caught:
            read_data_argument(argument, task)
        assert message in str(caught.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read every folder")
def test_passes_over_folders_that_cannot_be_read(toy: Path) -> None:
    locked = toy / "toy_dataset/locked"
    locked.mkdir(mode=0o000)
    assert len(read_data_argument(toy / "toy_dataset", "det")) == 10


@pytest.mark.parametrize("task", ["det", "recog"])
def test_the_json_of_mmocr_1x(tmp_path: Path, task: Task) -> None:
    instance = {"det": {"polygon": [0, 0, 9, 0, 9, 9, 0, 9]}, "recog": {"text": "word"}}[task]
    document = {"metainfo": {}, "data_list": [{"img_path": "imgs/a.jpg", "instances": [instance]}]}
    (tmp_path / "labels.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "imgs").mkdir()
    (tmp_path / "imgs" / "a.jpg").touch()
    (sample,) = read_data_argument(tmp_path / "labels.json", task)
    assert isinstance(sample, Sample)
    assert sample.image == ImageFile(tmp_path / "imgs" / "a.jpg")
    assert sample.truth == "word" if task == "recog" else isinstance(sample.truth, DetectionTruth)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,2,3,4,5,6,7,8,hello\n", "holds the labels of one image. Name the folder of all: --data "),
        ("\ufeff377,117,463,117,465,130,378,130,Genaxis Theatre\n", "holds the labels of one image"),
        ("12 30 40 50\n", "holds the labels of one image"),
        ("a.png\thello\nb.png\tworld\n", "is a list of words, image<TAB>text, for models that read"),
    ],
)
def test_labels_of_one_image_and_lists_of_words_are_named_as_such(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "gt_img_1.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(AnnotationError) as caught:
        read_data_argument(path, "det")
    assert message in str(caught.value)
