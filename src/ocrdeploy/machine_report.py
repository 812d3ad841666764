"""What is installed on this machine, what it can therefore run, and what is missing for the rest."""

import dataclasses
import importlib.metadata
import os
import platform
from dataclasses import dataclass
from typing import Any

from ocrdeploy.backends.onnx_installation import GPU_EXTRA
from ocrdeploy.control_groups import cpu_quota
from ocrdeploy.errors import MachineError
from ocrdeploy.hardware import affinity_count, core_count, cuda_device_count

PACKAGES = {
    "ocrdeploy": "this tool",
    "numpy": "pre- and post-processing",
    "opencv-python-headless": "pre- and post-processing",
    "shapely": "metrics",
    "pyclipper": "DBNet's post-processing",
    "onnx": "export, reading models",
    "onnxruntime-gpu": "running ONNX models",
    "onnxruntime": "running ONNX models",
    "mmengine-lite": "reading MMOCR's configs",
    "torch": "export, reference for verify",
    "tensorrt": "building and running engines",
    "tensorrt-rtx": "building engines ahead of time, running them",
    "polygraphy": "building engines",
}
"""Distributions that matter, and what for."""


@dataclass(frozen=True, slots=True)
class PackageStatus:
    """A distribution, its version (None where it is not installed), and what it is for."""

    name: str
    version: str | None
    purpose: str


@dataclass(frozen=True, slots=True)
class Ability:
    """Something that ocrdeploy does, whether it can be done here, and otherwise what to do about it."""

    name: str
    available: bool
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class MachineReport:
    """What this machine has and can do.

    `cpu_count` are the cores of the machine, `affinity_count` those that this process may run on, `cpu_quota` how much
    of them its container may use (None without a limit), and `threads` how many are therefore used by default.
    """

    python: str
    platform: str
    cpu_count: int
    affinity_count: int
    cpu_quota: float | None
    threads: int
    gpu_count: int
    packages: tuple[PackageStatus, ...]
    providers: tuple[str, ...]
    abilities: tuple[Ability, ...]

    def as_document(self) -> dict[str, Any]:
        """Return the report as what JSON can hold."""
        return dataclasses.asdict(self)


def inspect_machine() -> MachineReport:
    """Look at packages, driver and runtimes. ONNX Runtime is loaded, PyTorch is not."""
    versions = {name: _version(name) for name in PACKAGES}
    gpu_count = cuda_device_count()
    providers: tuple[str, ...] = ()
    if versions["onnxruntime-gpu"] or versions["onnxruntime"]:
        from ocrdeploy.backends.onnx import available_providers

        providers = available_providers()
    return MachineReport(
        python=platform.python_version(),
        platform=platform.platform(),
        cpu_count=os.cpu_count() or 1,
        affinity_count=affinity_count(),
        cpu_quota=cpu_quota(),
        threads=core_count(),
        gpu_count=gpu_count,
        packages=tuple(
            PackageStatus(name, version, PACKAGES[name])
            for name, version in versions.items()
            # One of the two builds of ONNX Runtime is enough.
            if version or name != "onnxruntime" or not versions["onnxruntime-gpu"]
        ),
        providers=providers,
        abilities=_abilities(versions, providers, gpu_count),
    )


def _version(distribution: str) -> str | None:
    """Return a distribution's version, None where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _abilities(versions: dict[str, str | None], providers: tuple[str, ...], gpu_count: int) -> tuple[Ability, ...]:
    """Return what can be done here."""
    torch_remedy = "" if versions["torch"] else "pip install 'ocrdeploy[torch]'"
    has_cuda_provider = "CUDAExecutionProvider" in providers
    if not gpu_count:
        cuda_remedy = "an NVIDIA GPU with its driver"
    elif not has_cuda_provider:
        cuda_remedy = GPU_EXTRA
    else:
        cuda_remedy = ""
    return (
        Ability("export checkpoints to ONNX", not torch_remedy, torch_remedy),
        Ability("run models in ONNX Runtime on the CPU", "CPUExecutionProvider" in providers),
        Ability("run models in ONNX Runtime on CUDA", bool(gpu_count and has_cuda_provider), cuda_remedy),
        Ability("run checkpoints in PyTorch (verify, evaluate)", not torch_remedy, torch_remedy),
        *_engine_abilities(versions, gpu_count),
        _mmocr_ability(),
    )


def _mmocr_ability() -> Ability:
    """Return whether an interpreter for the real MMOCR is named or was built; it is not started."""
    from ocrdeploy.mmocr_reference.interpreter import SETUP_COMMAND, find_mmocr_python

    name = "run the real MMOCR (verify --reference mmocr, export --builder mmocr)"
    try:
        find_mmocr_python()
    except MachineError:
        return Ability(name, available=False, remedy=SETUP_COMMAND)
    return Ability(name, available=True)


def _engine_abilities(versions: dict[str, str | None], gpu_count: int) -> tuple[Ability, ...]:
    """Return what can be done with TensorRT here; only TensorRT for RTX does anything without a GPU."""
    remedy = "" if versions["tensorrt"] else "pip install 'ocrdeploy[tensorrt]'"
    rtx_remedy = "" if versions["tensorrt-rtx"] else "pip install 'ocrdeploy[tensorrt-rtx]'"
    installed = [each for each in (remedy, rtx_remedy) if not each]
    gpu_remedy = "" if gpu_count else "an NVIDIA GPU with its driver"
    return (
        Ability("build engines with TensorRT", not (gpu_remedy or remedy), gpu_remedy or remedy),
        Ability("build engines ahead of time with TensorRT for RTX", not rtx_remedy, rtx_remedy),
        Ability("run engines", bool(installed and not gpu_remedy), gpu_remedy or ("" if installed else remedy)),
    )
