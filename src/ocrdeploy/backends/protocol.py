"""What a backend is, and what backends are called."""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import NonFiniteError, UsageError, warn
from ocrdeploy.hardware import Device

Array = NDArray[np.float32]
Batch = Mapping[str, Array]
"""What a network is given, by the names of its inputs: images N×C×H×W, already normalised, and what else it takes."""
BackendName = Literal["torch", "onnxruntime", "openvino", "tensorrt"]


class Backend(Protocol):
    """A network that is ready to run.

    Attributes:
        name: Which runtime it is.
        precision: Number format of the network, such as `fp32`.
        device: Where it runs.
        tf32: Whether a GPU may round float32 factors to TF32 (10 bits of mantissa), which is faster.
    """

    name: BackendName
    precision: str
    device: Device
    tf32: bool

    def run(self, batch: Batch) -> dict[str, Array]:
        """Compute the network's outputs.

        Args:
            batch: An array for each of the network's inputs.

        Returns:
            Each output by its name, with N as its first dimension: float32, but CTC's classes are int32.
        """
        ...

    def close(self) -> None:
        """Give back what the network holds on its device."""
        ...


@runtime_checkable
class ParallelBackend(Protocol):
    """A backend whose inferences can run beside each other; the others run one at a time."""

    def parallel_run(self, workers: int) -> Callable[[Batch], dict[str, Array]] | None:
        """Return a function like `Backend.run` that as many threads may call at once, each for its share of the cores.

        Args:
            workers: Number of threads that will call it.

        Returns:
            The function; None where one inference at a time is as fast, which is so on a GPU.
        """
        ...


@runtime_checkable
class EstimatingBackend(Protocol):
    """A backend that can say what memory a run takes on the CPU."""

    def run_bytes(self, shape: tuple[int, ...]) -> int:
        """Return about how many bytes a run on images of this shape N×C×H×W takes, without the weights."""
        ...


def check_tf32(device: Device, *, tf32: bool) -> None:
    """Refuse TF32 where there is none.

    Raises:
        UsageError: It was asked for, and the network runs on the CPU.
    """
    if tf32 and not device.is_cuda:
        raise UsageError(f"TF32 is for NVIDIA GPUs, and the network runs on {device}", "Leave tf32 out.")


def warn_of_cpu(problem: str, fix: str) -> None:
    """Warn that a network runs on the CPU though the machine has a GPU and no device was named."""
    warn(f"running on the CPU: {problem}. {fix}")


def check_finite(output: Array, name: str, model: str) -> None:
    """Refuse an output that means nothing.

    Args:
        output: What the network gave.
        name: What the output is called.
        model: What gave it, for the message: a model's file and a runtime.

    Raises:
        NonFiniteError: It holds NaN or infinity; says how many and where the first is.
    """
    is_finite = np.isfinite(output)
    if is_finite.all():
        return
    place = np.unravel_index(int(is_finite.argmin()), output.shape)
    index = ", ".join(str(int(each)) for each in place)
    count = output.size - int(np.count_nonzero(is_finite))
    raise NonFiniteError(
        f"the output {name!r} of {model} holds NaN or infinity, so it means nothing: {count} of {output.size} values, "
        f"the first is {output[place]} at [{index}]",
        "Check the checkpoint, or the precision that the model was built with.",
    )


def parse_backend(name: str) -> BackendName:
    """Return the backend that a user means by `torch`, `PyTorch`, `ONNXRuntime`, `onnx`, `TensorRT` or `trt`.

    Raises:
        UsageError: It is none of these.
    """
    match name.strip().lower():
        case "torch" | "pytorch":
            return "torch"
        case "onnx" | "onnxruntime" | "ort":
            return "onnxruntime"
        case "openvino" | "ov":
            return "openvino"
        case "trt" | "tensorrt":
            return "tensorrt"
    raise UsageError(f"a backend is torch, onnxruntime, openvino or tensorrt, got {name!r}")
