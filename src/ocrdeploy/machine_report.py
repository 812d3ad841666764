"""What is installed on this machine, what it can therefore run, and what is missing for the rest."""

import dataclasses
import importlib.metadata
import os
import platform
from dataclasses import dataclass
from typing import Any

from ocrdeploy.backends.cuda import CudaDevice
from ocrdeploy.backends.onnx_installation import CPU_EXTRA, GPU_EXTRA, describe_conflict
from ocrdeploy.backends.trt import load_library, title
from ocrdeploy.control_groups import cpu_quota
from ocrdeploy.errors import MachineError
from ocrdeploy.hardware import CPU, Device, affinity_count, core_count, cuda_device_count
from ocrdeploy.model_spec import TensorRTFlavour

PACKAGES = {
    "ocrdeploy": "this tool",
    "numpy": "pre- and post-processing",
    "opencv-python-headless": "pre- and post-processing",
    "shapely": "metrics",
    "pyclipper": "DBNet's post-processing",
    "onnx": "export, reading models",
    "onnxruntime-gpu": "running ONNX models",
    "onnxruntime": "running ONNX models",
    "openvino": "running ONNX models on Intel and AMD CPUs",
    "mmengine-lite": "reading MMOCR's configs",
    "torch": "export, reference for verify",
    "tensorrt": "building and running engines",
    "tensorrt-rtx": "building engines ahead of time, running them",
    "polygraphy": "building engines",
}
"""Distributions that matter, and what for."""

GPU_NEEDED = "an NVIDIA GPU with its driver"


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

    `providers` are those of ONNX Runtime on which a small model ran, `problems` what is wrong with the installation,
    `gpu_architecture` that of the first GPU, such as `sm86` (empty without one).
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
    gpu_architecture: str
    packages: tuple[PackageStatus, ...]
    providers: tuple[str, ...]
    problems: tuple[str, ...]
    abilities: tuple[Ability, ...]

    def as_document(self) -> dict[str, Any]:
        """Return the report as what JSON can hold."""
        return dataclasses.asdict(self)


def inspect_machine() -> MachineReport:
    """Look at packages, driver and runtimes. ONNX Runtime is loaded, PyTorch is not."""
    versions = {name: _version(name) for name in PACKAGES}
    gpu_count = cuda_device_count()
    cpu_problem, cuda_problem = _try_providers(gpu_count)
    conflict = describe_conflict(gpu_count)
    architecture = _gpu_architecture(gpu_count)
    return MachineReport(
        python=platform.python_version(),
        platform=platform.platform(),
        cpu_count=os.cpu_count() or 1,
        affinity_count=affinity_count(),
        cpu_quota=cpu_quota(),
        threads=core_count(),
        gpu_count=gpu_count,
        gpu_architecture=architecture,
        packages=tuple(
            PackageStatus(name, version, PACKAGES[name])
            for name, version in versions.items()
            # One of the two builds of ONNX Runtime is enough.
            if version or name != "onnxruntime" or not versions["onnxruntime-gpu"]
        ),
        providers=tuple(
            name
            for name, problem in (("CUDAExecutionProvider", cuda_problem), ("CPUExecutionProvider", cpu_problem))
            if not problem
        ),
        problems=(conflict,) if conflict else (),
        abilities=(
            Ability("run models in ONNX Runtime on the CPU", not cpu_problem, cpu_problem),
            Ability("run models in ONNX Runtime on CUDA", not cuda_problem, cuda_problem),
            _openvino_ability(versions),
            *_torch_abilities(versions),
            *_engine_abilities(versions, gpu_count, architecture),
            *_mmocr_abilities(),
        ),
    )


def _version(distribution: str) -> str | None:
    """Return a distribution's version, None where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _try_providers(gpu_count: int) -> tuple[str, str]:
    """Run a small model on each provider, and return what is missing on the CPU and on CUDA; nothing where it ran."""
    try:
        from ocrdeploy.backends.onnx_sessions import try_provider
    except MachineError:
        return f"{CPU_EXTRA}, or for an NVIDIA GPU: {GPU_EXTRA}", GPU_EXTRA if gpu_count else GPU_NEEDED
    problem = try_provider(Device(0)) if gpu_count else ""
    return try_provider(CPU), (f"{problem}: {GPU_EXTRA}" if problem else "") if gpu_count else GPU_NEEDED


def _gpu_architecture(gpu_count: int) -> str:
    """Return the architecture of the first GPU; nothing where there is none that can be used."""
    if not gpu_count:
        return ""
    try:
        gpu = CudaDevice(0)
        try:
            return gpu.architecture
        finally:
            gpu.close()
    except (MachineError, AttributeError):  # a driver too old to have what is asked of it
        return ""


def _openvino_ability(versions: dict[str, str | None]) -> Ability:
    """Return whether OpenVINO is there, and which formats it computes on this CPU."""
    name = "run ONNX models in OpenVINO"
    if not versions["openvino"]:
        return Ability(name, available=False, remedy='pip install "ocrdeploy[openvino]"')
    try:
        from ocrdeploy.backends.openvino import cpu_formats
    except MachineError as error:
        return Ability(name, available=False, remedy=error.message)
    return Ability(f"{name} ({', '.join(cpu_formats())})", available=True)


def _torch_abilities(versions: dict[str, str | None]) -> tuple[Ability, Ability]:
    """Return what can be done with PyTorch here."""
    remedy = "" if versions["torch"] else "pip install 'ocrdeploy[torch]'"
    return (
        Ability("export checkpoints to ONNX", not remedy, remedy),
        Ability("run checkpoints in PyTorch (verify, evaluate)", not remedy, remedy),
    )


def _mmocr_abilities() -> tuple[Ability, ...]:
    """Return whether interpreters for the real MMOCR are named or were built; they are not started."""
    from ocrdeploy.mmocr_reference.interpreter import GENERATIONS, find_mmocr_python, setup_command

    abilities = []
    for generation, called in GENERATIONS.items():
        name = f"run the real MMOCR {called} (verify --reference mmocr, export --builder mmocr)"
        try:
            find_mmocr_python(generation=generation)
        except MachineError:
            abilities.append(Ability(name, available=False, remedy=setup_command(generation)))
        else:
            abilities.append(Ability(name, available=True))
    return tuple(abilities)


def _engine_abilities(versions: dict[str, str | None], gpu_count: int, architecture: str) -> tuple[Ability, ...]:
    """Return what can be done with TensorRT here; only TensorRT for RTX does anything without a GPU."""
    remedy = "" if versions["tensorrt"] else "pip install 'ocrdeploy[tensorrt]'"
    rtx_remedy = "" if versions["tensorrt-rtx"] else "pip install 'ocrdeploy[tensorrt-rtx]'"
    here = remedy or _refusal("tensorrt", architecture)
    rtx_here = rtx_remedy or _refusal("tensorrt-rtx", architecture)
    gpu_remedy = "" if gpu_count else GPU_NEEDED
    return (
        Ability("build engines with TensorRT", not (gpu_remedy or here), gpu_remedy or here),
        Ability("build engines ahead of time with TensorRT for RTX", not rtx_remedy, rtx_remedy),
        Ability("run engines of TensorRT", not (gpu_remedy or here), gpu_remedy or here),
        Ability("run engines of TensorRT for RTX", not (gpu_remedy or rtx_here), gpu_remedy or rtx_here),
    )


def _refusal(flavour: TensorRTFlavour, architecture: str) -> str:
    """Return why an installed TensorRT does not run on the GPU; nothing where it does, or where that is not known."""
    try:
        library = load_library(flavour)
    except MachineError as error:
        return error.message
    if not architecture or library.runs_on(architecture):
        return ""
    return f"a GPU that {title(flavour)} runs on: this one is {architecture}"
