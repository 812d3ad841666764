from pathlib import Path

import pytest

from ocrdeploy.backends.trt import Library, load_library
from ocrdeploy.engines import timing_caches
from ocrdeploy.engines.timing_caches import read_timing_cache, write_timing_cache
from ocrdeploy.errors import InputError, UsageError
from tests.support.tensorrt import RTX, needs_rtx

pytestmark = needs_rtx


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """A library whose timing caches are text; merging is tested with the builder."""

    def merge(_library: Library, first: bytes, second: bytes) -> bytes:
        if second == b"a photo":
            raise UsageError("the timing cache was not written by TensorRT 11.0")
        return first + b" and " + second

    monkeypatch.setattr(timing_caches, "merge_timing_caches", merge)
    return load_library(RTX)


def test_a_cache_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    assert read_timing_cache(tmp_path / "cache") == b""
    (tmp_path / "cache").write_bytes(b"measured")
    assert read_timing_cache(tmp_path / "cache") == b"measured"


def test_a_cache_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"timing cache .* cannot be read: Is a directory"):
        read_timing_cache(tmp_path)


def test_a_cache_is_written_and_what_others_wrote_meanwhile_is_kept(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "cache"
    write_timing_cache(library, path, b"new")
    assert path.read_bytes() == b"new"
    write_timing_cache(library, path, b"newer")
    assert path.read_bytes() == b"newer and new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_no_cache_is_not_overwritten(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"a photo")
    with pytest.raises(UsageError, match="was not written by TensorRT"):
        write_timing_cache(library, path, b"new")
    assert path.read_bytes() == b"a photo"
