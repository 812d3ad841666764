"""Timing caches: what TensorRT measured in earlier builds, kept in a file."""

from pathlib import Path

from ocrdeploy.artifacts import atomic_write
from ocrdeploy.backends.trt import Library
from ocrdeploy.backends.trt_builder import merge_timing_caches
from ocrdeploy.errors import InputError


def read_timing_cache(path: Path) -> bytes:
    """Return what a timing cache holds; nothing where the file does not exist yet.

    Raises:
        InputError: It is there and cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InputError(f"timing cache {path} cannot be read: {error.strerror}") from error


def write_timing_cache(library: Library, path: Path, measured: bytes) -> None:
    """Write what a build measured, and keep what other builds have written since this one read the file.

    Raises:
        UsageError: The file has become something else.
        OutputError: It cannot be written.
    """
    present = read_timing_cache(path)
    merged = merge_timing_caches(library, measured, present) if present else measured
    with atomic_write(path) as temporary:
        temporary.write_bytes(merged)
