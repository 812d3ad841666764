"""What an engine is built for: a flavour of TensorRT, and GPU architectures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrdeploy.backends.cuda import CudaDevice, choose_gpu
from ocrdeploy.backends.trt import Library, default_flavour, title
from ocrdeploy.errors import UsageError
from ocrdeploy.hardware import Device, cuda_device_count
from ocrdeploy.model_spec import TensorRTFlavour

CURRENT = "current"
"""What TensorRT for RTX calls the architecture of the GPU that is here."""
NOT_AN_ARCHITECTURE = ("NONE", "CURRENT")

AHEAD_OF_TIME = "Build ahead of time with: --runtime tensorrt-rtx --compute-capability sm86"


@dataclass(frozen=True, slots=True, eq=False)
class BuildTarget:
    """What to build for.

    Attributes:
        architectures: The GPU architectures that will run the engine.
        compute_capabilities: What TensorRT for RTX is told of them; empty for TensorRT.
        gpu: The GPU to build on; None where none is needed.
    """

    architectures: tuple[str, ...]
    compute_capabilities: tuple[str, ...] = ()
    gpu: CudaDevice | None = None

    def enter(self) -> None:
        """Let the calling thread build on the GPU."""
        if self.gpu is not None:
            self.gpu.make_current()


def requested_flavour(
    runtime: TensorRTFlavour | None, compute_capabilities: Sequence[str], timing_cache: Path | None
) -> TensorRTFlavour:
    """Return the flavour to build with.

    Raises:
        UsageError: An option does not go with the flavour.
        MissingPackageError: None was named, and none is installed.
    """
    flavour = default_flavour() if runtime is None else runtime
    if flavour == "tensorrt" and compute_capabilities:
        raise UsageError(
            "TensorRT builds for the GPU that it runs on, so --compute-capability is for TensorRT for RTX alone",
            "Leave it out, or add --runtime tensorrt-rtx.",
        )
    if flavour == "tensorrt-rtx" and timing_cache is not None:
        raise UsageError(
            "TensorRT for RTX measures nothing while it builds, so it has no timing cache", "Leave it out."
        )
    return flavour


def choose_target(library: Library, compute_capabilities: Sequence[str], device: Device | None) -> BuildTarget:
    """Return what to build for.

    Args:
        library: The TensorRT.
        compute_capabilities: What the user names, in any case.
        device: The GPU that the user names; None takes the first where one is needed.

    Raises:
        UsageError: TensorRT for RTX does not know an architecture, or none was named on a machine without a GPU.
        DeviceError: A GPU is needed and not there.
    """
    if library.flavour == "tensorrt":
        reason = f"{title(library.flavour)} builds on the NVIDIA GPU that will run the engine"
        gpu = CudaDevice(choose_gpu(device, reason, AHEAD_OF_TIME))
        return BuildTarget((gpu.architecture,), gpu=gpu)
    known = [each.lower() for each in library.trt.ComputeCapability.__members__ if each not in NOT_AN_ARCHITECTURE]
    names = tuple(dict.fromkeys(each.strip().lower() for each in compute_capabilities))
    if not names and not cuda_device_count():
        raise UsageError(
            "this machine shows no GPU to build for", f"Name one with --compute-capability: {', '.join(known)}."
        )
    if not names or names == (CURRENT,):
        reason = f"--compute-capability {CURRENT} is that of an NVIDIA GPU which is here"
        gpu = CudaDevice(choose_gpu(device, reason, f"Name one of {', '.join(known)}."))
        return BuildTarget((gpu.architecture,), (CURRENT,), gpu)
    for each in names:
        if each not in known:
            choice = f"{', '.join(known)}, or {CURRENT} alone"
            raise UsageError(f"{library.name} builds for {choice}, got --compute-capability {each}")
    return BuildTarget(names, names)
