"""What an engine is built for: a flavour of TensorRT, and GPU architectures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ocrdeploy.backends.cuda import CudaDevice, choose_gpu
from ocrdeploy.backends.trt import Library, default_flavour, parse_architecture, title
from ocrdeploy.errors import DeviceError, UsageError
from ocrdeploy.hardware import Device, cuda_device_count
from ocrdeploy.model_spec import TensorRTFlavour

CURRENT = "current"
"""What TensorRT for RTX calls the architecture of the GPU that is here."""

AHEAD_OF_TIME = "Build ahead of time with: --runtime tensorrt-rtx --compute-capability sm86"


@dataclass(frozen=True, slots=True, eq=False)
class BuildTarget:
    """What to build for; `close` gives the GPU back.

    Attributes:
        architectures: The GPU architectures that will run the engine.
        compute_capabilities: What TensorRT for RTX is told of them; empty for TensorRT.
        gpu: The GPU to build on; None where none is needed.
    """

    architectures: tuple[str, ...]
    compute_capabilities: tuple[str, ...] = ()
    gpu: CudaDevice | None = None

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let the calling thread build on the GPU while the block runs."""
        with nullcontext() if self.gpu is None else self.gpu.active():
            yield

    def close(self) -> None:
        """Give the GPU back."""
        if self.gpu is not None:
            self.gpu.close()


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
        compute_capabilities: What the user names; `8.6`, `86` and `sm_86` are `sm86`.
        device: The GPU that the user names; None takes the first where one is needed.

    Raises:
        UsageError: TensorRT for RTX does not know an architecture that was named.
        DeviceError: A GPU is needed and not there, or is none that TensorRT for RTX runs on.
    """
    known = library.architectures
    if known is None:
        reason = f"{title(library.flavour)} builds on the NVIDIA GPU that will run the engine"
        return _target_of(choose_gpu(device, reason, AHEAD_OF_TIME), ())
    names = tuple(dict.fromkeys(parse_architecture(each) for each in compute_capabilities))
    listed = ", ".join(known)
    if not names and not cuda_device_count():
        raise DeviceError("this machine shows no GPU to build for", f"Name one with --compute-capability: {listed}.")
    if not names or names == (CURRENT,):
        reason = f"--compute-capability {CURRENT} is that of an NVIDIA GPU which is here"
        target = _target_of(choose_gpu(device, reason, f"Name one of {listed}."), (CURRENT,))
        (architecture,) = target.architectures
        if architecture not in known:
            target.close()
            raise DeviceError(
                f"{library.name} does not run on this GPU: it builds for {listed}, and this GPU is {architecture}",
                "Build with TensorRT (--runtime tensorrt), or for another GPU with --compute-capability.",
            )
        return target
    for each in names:
        if each not in known:
            raise UsageError(f"{library.name} builds for {listed}, or {CURRENT} alone, got --compute-capability {each}")
    return BuildTarget(names, names)


def _target_of(index: int, compute_capabilities: tuple[str, ...]) -> BuildTarget:
    """Return the GPU with an index as what to build for."""
    gpu = CudaDevice(index)
    try:
        return BuildTarget((gpu.architecture,), compute_capabilities, gpu)
    except DeviceError:
        gpu.close()
        raise
