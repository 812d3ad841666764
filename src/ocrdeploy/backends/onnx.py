"""ONNX Runtime, on CUDA or on the CPU. The only module that imports onnxruntime."""

from pathlib import Path

import onnxruntime as ort

from ocrdeploy.errors import DeviceError, ModelError
from ocrdeploy.hardware import CPU, Device, cuda_device_count
from ocrdeploy.model_spec import Dimension

from .protocol import Array, BackendName

CUDA_PROVIDER = "CUDAExecutionProvider"
CPU_PROVIDER = "CPUExecutionProvider"
FLOAT_INPUT = "tensor(float)"
LOG_ERRORS_ONLY = 3
"""ONNX Runtime's severity level: its warnings about its own optimisations tell a user nothing."""


class OnnxRuntimeBackend:
    """An ONNX model in ONNX Runtime.

    Args:
        path: The model file.
        device: Where to run; None takes CUDA where both ONNX Runtime and the machine have it, else the CPU.

    Raises:
        ModelError: ONNX Runtime cannot run the file, or the model has not one float32 input of four dimensions.
        DeviceError: The device was named and cannot be used.
    """

    name: BackendName = "onnxruntime"
    precision = "fp32"

    def __init__(self, path: Path, device: Device | None = None) -> None:
        self.path = path
        self._session = _open_session(path, _choose_device(device))
        # ONNX Runtime goes on without a provider that fails to load; what it has tells where it runs.
        runs_on_cuda = CUDA_PROVIDER in self._session.get_providers()
        if device is not None and device.is_cuda and not runs_on_cuda:
            raise DeviceError(
                f"ONNX Runtime cannot use {device}: its CUDA provider did not load",
                "Install CUDA and cuDNN with: pip install 'ocrdeploy[cuda]'",
            )
        self.device = (device or Device(0)) if runs_on_cuda else CPU
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.input_name, self.input_shape = _check_input(path, self._session)
        self.output_names: list[str] = [output.name for output in self._session.get_outputs()]
        self.output_shapes: list[tuple[Dimension, ...]] = [
            _dimensions(output.shape) for output in self._session.get_outputs()
        ]

    def run(self, batch: Array) -> dict[str, Array]:
        """Compute all outputs of a batch N×C×H×W; see `Backend.run`."""
        outputs = self._session.run(self.output_names, {self.input_name: batch})
        return dict(zip(self.output_names, outputs, strict=True))

    def close(self) -> None:
        """Release the session."""
        del self._session


def available_providers() -> tuple[str, ...]:
    """Return the execution providers that this ONNX Runtime was built with."""
    return tuple(ort.get_available_providers())


def _choose_device(device: Device | None) -> Device:
    """Return the device to open a session on.

    Raises:
        DeviceError: A GPU was named, and ONNX Runtime or the machine has none.
    """
    has_provider = CUDA_PROVIDER in available_providers()
    count = cuda_device_count()
    if device is None:
        return Device(0) if has_provider and count else CPU
    if device.index is not None:
        if not has_provider:
            raise DeviceError(
                "this ONNX Runtime is built without CUDA", "Install the one with it: pip install onnxruntime-gpu"
            )
        if device.index >= count:
            raise DeviceError(f"{device} does not exist: this machine shows {count} CUDA devices", "Use --device cpu.")
    return device


def _open_session(path: Path, device: Device) -> ort.InferenceSession:
    """Open a session whose first provider is the device's."""
    if not path.is_file():
        raise ModelError(f"model {path} " + ("is not a file" if path.exists() else "does not exist"))
    options = ort.SessionOptions()
    options.log_severity_level = LOG_ERRORS_ONLY
    providers: list[str | tuple[str, dict[str, int]]] = [CPU_PROVIDER]
    if device.index is not None:
        # Finds CUDA and cuDNN where pip put them.
        ort.preload_dlls()
        providers.insert(0, (CUDA_PROVIDER, {"device_id": device.index}))
    try:
        return ort.InferenceSession(str(path), sess_options=options, providers=providers)
    except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
        text = " ".join(str(error).split())
        raise ModelError(f"{path} cannot be opened by ONNX Runtime: {text}") from error


def _check_input(path: Path, session: ort.InferenceSession) -> tuple[str, tuple[Dimension, ...]]:
    """Return name and shape of the one input."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != FLOAT_INPUT or len(inputs[0].shape) != 4:
        found = ", ".join(f"{item.name}: {item.type} {item.shape}" for item in inputs) or "none"
        raise ModelError(f"{path}: one float32 input of four dimensions (N, C, H, W) was expected, got {found}")
    return inputs[0].name, _dimensions(inputs[0].shape)


def _dimensions(shape: list[int | str | None]) -> tuple[Dimension, ...]:
    """Return a shape in which dynamic dimensions without a name have one."""
    return tuple(f"dim_{index}" if length is None else length for index, length in enumerate(shape))
