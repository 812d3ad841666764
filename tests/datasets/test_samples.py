from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ocrdeploy.datasets import BrokenSample, ImageFile, Item, LmdbImage, Sample, read_bytes, require_whole
from ocrdeploy.errors import AnnotationError, ImageError
from tests.support.dataset_cases import make_lmdb


def test_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8")
    assert read_bytes(ImageFile(tmp_path / "a.jpg")) == b"\xff\xd8"


@pytest.mark.parametrize("name", ["none.jpg", "", "a\0b.jpg", "x" * 5000])
def test_refuses_what_is_no_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="the image cannot be read"):
        read_bytes(ImageFile(tmp_path / name))


def test_reads_an_lmdb_from_several_threads_at_once(tmp_path: Path) -> None:
    entries = {f"image-{index:09d}": b"%d" % index for index in range(1, 201)}
    folder = make_lmdb(tmp_path / "imgs.lmdb", entries)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read_bytes, [LmdbImage(folder, key) for key in entries]))
    assert found == list(entries.values())
    # Nothing is left open: the same folder can be written to again.
    make_lmdb(folder, {"image-000000001": b"new"})
    assert read_bytes(LmdbImage(folder, "image-000000001")) == b"new"


@pytest.mark.parametrize("key", ["image-000000003", "", "x" * 600])
def test_refuses_what_is_no_key(key: str, tmp_path: Path) -> None:
    folder = make_lmdb(tmp_path / "imgs.lmdb", {"image-000000001": b"x"})
    with pytest.raises(ImageError, match="holds no image"):
        read_bytes(LmdbImage(folder, key))


def test_refuses_what_is_no_lmdb(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="LMDB of images cannot be read"):
        read_bytes(LmdbImage(tmp_path, "image-000000001"))


def test_a_broken_sample_is_raised_when_it_is_reached() -> None:
    def items() -> Iterator[Item]:
        yield Sample("a.jpg", ImageFile(Path("a.jpg")), "a", "list, line 1")
        yield BrokenSample(AnnotationError("list, line 2: wrong"))

    whole = require_whole(items())
    assert next(whole).name == "a.jpg"
    with pytest.raises(AnnotationError, match="line 2"):
        next(whole)
