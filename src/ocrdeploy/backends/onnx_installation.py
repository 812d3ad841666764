"""Which builds of ONNX Runtime are installed.

Looks at the names of what pip installed, and loads nothing: every opening of a session asks for it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress

from ocrdeploy.errors import MissingPackageError

BUILDS = ("onnxruntime-gpu", "onnxruntime", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-training")
"""Distributions that all install the package `onnxruntime`, so that only one of them can be whole."""
CPU_EXTRA, GPU_EXTRA = 'pip install "ocrdeploy[cpu]"', 'pip install "ocrdeploy[gpu]"'


def installed_builds() -> tuple[str, ...]:
    """Return the distributions of ONNX Runtime that are installed."""
    found = {name.partition("-")[0].lower() for name in _records()}
    return tuple(name for name in BUILDS if name.replace("-", "_") in found)


def describe_conflict(gpu_count: int) -> str:
    """Return what is wrong where several builds overwrite each other's files, and how to mend it; else nothing."""
    builds = installed_builds()
    if len(builds) < 2:
        return ""
    wanted = GPU_EXTRA if gpu_count else CPU_EXTRA
    return (
        f"{' and '.join(builds)} are both installed and overwrite each other's files, so CUDA may be lost. "
        f"Run: pip uninstall -y {' '.join(builds)}, then: {wanted}"
    )


def missing_runtime() -> MissingPackageError:
    """Return the error for a machine that has no ONNX Runtime that can be loaded."""
    return MissingPackageError("onnxruntime", "run ONNX models", f"{CPU_EXTRA}, or for an NVIDIA GPU: {GPU_EXTRA}")


def _records() -> Iterator[str]:
    """Yield the names of the folders in which pip records what it installed, such as `onnxruntime_gpu-1.31.0`."""
    for folder in sys.path:
        with suppress(OSError):
            yield from (name for name in os.listdir(folder or ".") if name.endswith(".dist-info"))  # noqa: PTH208
