"""Which builds of ONNX Runtime are installed. Looks at package metadata alone, and loads nothing."""

import importlib.metadata

from ocrdeploy.errors import MissingPackageError

BUILDS = ("onnxruntime-gpu", "onnxruntime", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-training")
"""Distributions that all install the package `onnxruntime`, so that only one of them can be whole."""
CPU_EXTRA, GPU_EXTRA = 'pip install "ocrdeploy[cpu]"', 'pip install "ocrdeploy[gpu]"'


def installed_builds() -> tuple[str, ...]:
    """Return the distributions of ONNX Runtime that are installed."""
    return tuple(name for name in BUILDS if _is_installed(name))


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


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
