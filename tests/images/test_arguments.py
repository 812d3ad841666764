import os
from pathlib import Path

import pytest

from ocrdeploy.errors import InputError, UsageError
from ocrdeploy.images.arguments import find_images


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images, and what is none, at several depths."""
    names = (
        "b.jpg", "a.PNG", "notes.txt", ".hidden.jpg", "c[1].jpg", "deep/d.webp", "deep/er/e.tiff", ".cache/f.jpg",
        "empty/readme",
    )  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "g.jpg").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*arguments: str, recursive: bool = False) -> list[str]:
    return [str(path) for path in find_images(arguments, recursive=recursive)]


def test_files_are_taken_as_they_are_named(folder: Path) -> None:
    assert found("b.jpg", "none.jpg", "notes.txt", "b.jpg") == ["b.jpg", "none.jpg", "notes.txt", "b.jpg"]


def test_a_folder_stands_for_its_images_by_name(folder: Path) -> None:
    assert found(".") == ["a.PNG", "b.jpg", "c[1].jpg"]
    assert found("deep", "b.jpg") == ["deep/d.webp", "b.jpg"]
    assert found(str(folder / "deep")) == [str(folder / "deep" / "d.webp")]


def test_folders_below_are_looked_through_on_request(folder: Path) -> None:
    assert found(".", recursive=True) == ["a.PNG", "b.jpg", "c[1].jpg", "deep/d.webp", "deep/er/e.tiff"]
    (folder / "deep" / "loop").symlink_to(folder)
    assert found("deep", recursive=True) == ["deep/d.webp", "deep/er/e.tiff"]


def test_patterns_stand_for_the_images_that_they_match(folder: Path) -> None:
    assert found("*") == ["a.PNG", "b.jpg", "c[1].jpg"]
    assert found("*/*") == ["deep/d.webp"]
    assert found("**/*.t*") == ["deep/er/e.tiff"]
    assert found("[ab].*") == ["a.PNG", "b.jpg"]
    assert found(str(folder / "?.jpg")) == [str(folder / "b.jpg")]


def test_a_file_may_look_like_a_pattern(folder: Path) -> None:
    assert found("c[1].jpg") == ["c[1].jpg"]


@pytest.mark.parametrize(
    ("argument", "recursive", "message"),
    [
        ("empty", False, "there is no image in the folder empty; with --recursive those below it"),
        ("empty", True, "there is no image in the folder empty or below it"),
        ("*.gif", False, r"no image matches \*\.gif"),
        ("*.txt", False, r"no image matches \*\.txt"),
    ],
)
def test_nothing_found_is_wrong_usage(argument: str, recursive: bool, message: str, folder: Path) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        find_images([argument], recursive=recursive)
    assert caught.value.fix.startswith("Images are files named *.jpg, *.jpeg, *.png")


def test_no_argument_at_all_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="no image was named"):
        find_images([])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read every folder")
def test_a_folder_that_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "deep").chmod(0)
    with pytest.raises(InputError, match="the folder deep cannot be read: Permission denied"):
        find_images(["deep"])


def test_files_of_kinds_that_are_not_read_are_told(tmp_path: Path) -> None:
    for name in ("a.HEIC", "b.pdf", "c.heif", "d.heic"):
        (tmp_path / name).touch()
    (tmp_path / "photo.jpg").touch()
    told: list[str] = []
    assert find_images([str(tmp_path)], say=told.append) == [tmp_path / "photo.jpg"]
    assert "4 files" in told[0]
    assert "a.HEIC, b.pdf, c.heif, ..." in told[0]
