"""What a backend is, and what backends are called."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import UsageError
from ocrdeploy.hardware import Device

Array = NDArray[np.float32]
BackendName = Literal["torch", "onnxruntime", "tensorrt"]


class Backend(Protocol):
    """A network that is ready to run.

    Attributes:
        name: Which runtime it is.
        precision: Number format of the network, such as `fp32`.
        device: Where it runs.
    """

    name: BackendName
    precision: str
    device: Device

    def run(self, batch: Array) -> dict[str, Array]:
        """Compute the network's outputs.

        Args:
            batch: N×C×H×W float32, already normalised.

        Returns:
            Each output by its name, float32, with N as its first dimension.
        """
        ...

    def close(self) -> None:
        """Give back what the network holds on its device."""
        ...


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
        case "trt" | "tensorrt":
            return "tensorrt"
    raise UsageError(f"a backend is torch, onnxruntime or tensorrt, got {name!r}")
