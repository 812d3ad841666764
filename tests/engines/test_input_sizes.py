from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrdeploy.datasets import BrokenSample, ImageFile, Item, LmdbImage, Sample
from ocrdeploy.engines.input_sizes import count_input_sizes
from ocrdeploy.errors import AnnotationError
from ocrdeploy.steps import LoadImageFromFile, Pad, Resize, ResizeOCR

EXIF = b"\xff\xe1\x00\x0aExif\x00\x00\x00\x00"
"""A segment that a JPEG file may have after its first two bytes."""


class Items:
    """A data set of images in files."""

    def __init__(self, *items: Item) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)


def sample(path: Path) -> Sample:
    return Sample(path.name, ImageFile(path), None, "test")


def write(path: Path, height: int, width: int) -> Sample:
    cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))
    return sample(path)


STEPS = (LoadImageFromFile("color_ignore_orientation"), Resize((1333, 736)), Pad(size_divisor=32))
WORD_STEPS = (LoadImageFromFile("grayscale"), ResizeOCR(32, 32))


def test_images_are_counted_by_what_the_pipeline_makes_of_them(tmp_path: Path) -> None:
    wide = [write(tmp_path / f"{index}.jpg", 72, 128) for index in range(3)]
    tall = write(tmp_path / "tall.png", 128, 72)
    assert count_input_sizes(STEPS, [Items(*wide[:2]), Items(wide[2], tall)]) == {(736, 1312): 3, (1312, 736): 1}


def test_what_is_not_here_or_says_nothing_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    items = [sample(tmp_path / name) for name in ("text.jpg", "empty.jpg", "missing.jpg", ".")]
    broken = BrokenSample(AnnotationError("wrong line"))
    missing = Sample("key", LmdbImage(tmp_path / "lmdb", "key"), None, "test")
    assert count_input_sizes(STEPS, [Items(*items, broken, missing)]) == {}
    assert count_input_sizes(STEPS, []) == {}


@pytest.mark.parametrize("turns", [False, True])
def test_a_word_that_may_lie_on_its_side_counts_for_the_range_alone(turns: bool, tmp_path: Path) -> None:
    word = write(tmp_path / "word.jpg", 32, 320)
    if turns:
        data = (tmp_path / "word.jpg").read_bytes()
        (tmp_path / "word.jpg").write_bytes(data[:2] + EXIF + data[2:])
    expected = {(32, 320): 1} | ({(32, 32): 0} if turns else {})
    assert count_input_sizes(WORD_STEPS, [Items(word)]) == expected
    # Detection images are read without turning them.
    assert len(count_input_sizes(STEPS, [Items(word)])) == 1


def test_a_size_far_behind_in_the_file_is_found(tmp_path: Path) -> None:
    word = write(tmp_path / "word.jpg", 32, 320)
    data = (tmp_path / "word.jpg").read_bytes()
    padding = b"".join(b"\xff\xfe\xff\xff" + bytes(65533) for _ in range(3))
    (tmp_path / "word.jpg").write_bytes(data[:2] + padding + data[2:])
    assert count_input_sizes(WORD_STEPS, [Items(word)]) == {(32, 320): 1}
