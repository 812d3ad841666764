"""TensorRT at run time: an engine on a GPU, with buffers that are allocated once."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import DeviceError, ModelError, ShapeError, UsageError
from ocrdeploy.hardware import Device
from ocrdeploy.model_spec import Dimension, Precision, ShapeProfile, shape_text
from ocrdeploy.onnx_file import GraphTensor

from .cuda import CudaDevice
from .protocol import Array, BackendName, Batch
from .trt import Library, Severity, one_line

ITEM_SIZE = 4
"""Bytes of a float32, and of an int32."""
IMAGE_DIMENSIONS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """Memory for one tensor, as large as it can get: page-locked on the host, and on the device; and its type."""

    host: NDArray[np.uint8]
    device: int
    dtype: type[np.float32 | np.int32]


class TensorRTBackend:
    """An engine in TensorRT.

    Args:
        library: The TensorRT that built the plan.
        plan: The serialized engine.
        profiles: The input shapes that it takes, in the plan's order.
        precision: Number format of the network.
        gpu: Where to run; closed with the backend.
        device: What the GPU is called.
        rebuild: The command that builds the engine again, for error messages.

    Attributes:
        inputs: Its inputs, the images first; dynamic dimensions have names.
        outputs: Its outputs.
        profiles: As given.

    Raises:
        ModelError: TensorRT cannot load the plan, or its inputs are not float32, one of them images, or its
            outputs not float32 or int32.
        DeviceError: The GPU's memory does not suffice.
    """

    name: BackendName = "tensorrt"
    tf32 = False

    def __init__(
        self,
        library: Library,
        plan: bytes,
        profiles: Sequence[ShapeProfile],
        *,
        precision: Precision,
        gpu: CudaDevice,
        device: Device,
        rebuild: str,
    ) -> None:
        self.precision: str = precision
        self.device = device
        self._library = library
        self.profiles = tuple(profiles)
        self._gpu = gpu
        self._rebuild = rebuild
        self._problems: list[str] = []
        # Context, buffers and stream serve one run at a time.
        self._lock = threading.Lock()
        self._runtime: Any = None
        self._engine: Any = None
        self._context: Any = None
        self._buffers: dict[str, Buffer] = {}
        self._active = -1
        try:
            with gpu.active(), self._listening():
                self._load(plan)
        except BaseException:
            self.close()
            raise

    def _load(self, plan: bytes) -> None:
        """Load the plan, allocate, and run once; see the class."""
        library = self._library
        library.trt.init_libnvinfer_plugins(library.logger, "")
        try:
            self._runtime = library.trt.Runtime(library.logger)
        except TypeError as error:  # how its bindings say that TensorRT made nothing
            raise DeviceError(f"{library.name} cannot start on {self.device}: {self._problem()}") from error
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise ModelError(f"{library.name} cannot load the plan: {self._problem()}", self._fix())
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise DeviceError(f"{library.name} cannot prepare the engine: {self._problem()}", self._fix())
        self.inputs, self.outputs = self._tensors()
        self._buffers = self._allocate()
        # What the first run sets up is set up here.
        best = {tensor.name: self.profiles[0].shapes_of(tensor.shape)[1] for tensor in self.inputs}
        self._run_part(0, {name: np.zeros(shape, np.float32) for name, shape in best.items()})

    def run(self, batch: Batch) -> dict[str, Array]:
        """Compute the outputs of a batch; see `Backend.run`.

        A batch that is larger than the profile's largest runs in parts; one that is smaller than its smallest is filled
        up. Threads that call it at once wait for each other.

        Raises:
            ShapeError: No profile of the engine holds the shape, or the batch is empty.
            DeviceError: The GPU failed.
            UsageError: The backend is closed.
        """
        shape = batch[self.inputs[0].name].shape
        index = self._profile_of(shape)
        profile = self.profiles[index]
        parts: list[dict[str, Array]] = []
        with self._lock:
            if self._context is None:
                raise UsageError("the engine is closed", "Open it again.")
            with self._gpu.active(), self._listening():
                for start in range(0, shape[0], profile.max[0]):
                    size = min(profile.max[0], shape[0] - start)
                    part = {name: _filled(array[start : start + size], profile.min[0]) for name, array in batch.items()}
                    outputs = self._run_part(index, part)
                    parts.append({name: output[:size] for name, output in outputs.items()})
        return {tensor.name: np.concatenate([part[tensor.name] for part in parts]) for tensor in self.outputs}

    def _run_part(self, profile: int, batch: Batch) -> dict[str, Array]:
        """Compute the outputs of a batch that a profile holds; see `run`."""
        self._select(profile, {tensor.name: batch[tensor.name].shape for tensor in self.inputs})
        for tensor in self.inputs:
            source, array = self._buffers[tensor.name], batch[tensor.name]
            np.copyto(_view(source, array.shape), array)
            self._gpu.copy_to_device(source.device, source.host[: array.size * ITEM_SIZE])
        if not self._context.execute_async_v3(self._gpu.stream):
            raise DeviceError(f"{self._library.name} cannot run the engine: {self._problem()}")
        views = {
            tensor.name: _view(self._buffers[tensor.name], self._actual_shape(tensor.name)) for tensor in self.outputs
        }
        for name, view in views.items():
            self._gpu.copy_to_host(self._buffers[name].host[: view.size * ITEM_SIZE], self._buffers[name].device)
        self._gpu.synchronize()
        return {name: view.copy() for name, view in views.items()}

    def close(self) -> None:
        """Give back engine and memory; a second call does nothing."""
        with self._lock, ExitStack() as stack:
            stack.callback(self._gpu.close)
            if self._runtime is not None:
                stack.enter_context(self._gpu.active())
            # TensorRT wants them gone in this order, and the GPU's context after them.
            self._context = None
            self._engine = None
            self._runtime = None
            self._buffers = {}

    def _tensors(self) -> tuple[tuple[GraphTensor, ...], tuple[GraphTensor, ...]]:
        """Return the inputs, the images first, and the outputs."""
        trt = self._library.trt
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        types = {name: self._engine.get_tensor_dtype(name) for name in names}
        tensors = [GraphTensor(name, self._shape_of(name)) for name in names]
        inputs, outputs = (
            [tensor for tensor in tensors if self._engine.get_tensor_mode(tensor.name) == mode]
            for mode in (trt.TensorIOMode.INPUT, trt.TensorIOMode.OUTPUT)
        )
        # The images first: they alone have four dimensions.
        inputs.sort(key=lambda tensor: -len(tensor.shape))
        fits = [len(tensor.shape) for tensor in inputs].count(IMAGE_DIMENSIONS) == 1
        are_floats = all(types[tensor.name] == trt.DataType.FLOAT for tensor in inputs)
        if not fits or not are_floats or not set(types.values()) <= {trt.DataType.FLOAT, trt.DataType.INT32}:
            found = ", ".join(f"{tensor.name}: {types[tensor.name]} {list(tensor.shape)}" for tensor in tensors)
            raise ModelError(
                "an engine with float32 inputs, one of them of four dimensions (N, C, H, W), and float32 or int32 "
                f"outputs was expected, got {found}"
            )
        return tuple(inputs), tuple(outputs)

    def _shape_of(self, name: str) -> tuple[Dimension, ...]:
        """Return a tensor's shape in the engine; dynamic dimensions have names."""
        shape = tuple(self._engine.get_tensor_shape(name))
        return tuple(f"dim_{index}" if length < 0 else int(length) for index, length in enumerate(shape))

    def _allocate(self) -> dict[str, Buffer]:
        """Allocate a buffer a tensor, for the largest shape of every profile."""
        sizes = {tensor.name: 1 for tensor in (*self.inputs, *self.outputs)}
        for index, profile in enumerate(self.profiles):
            largest = {tensor.name: profile.shapes_of(tensor.shape)[2] for tensor in self.inputs}
            self._select(index, largest)
            shapes = largest | {tensor.name: self._actual_shape(tensor.name) for tensor in self.outputs}
            sizes = {name: max(size, int(np.prod(shapes[name]))) for name, size in sizes.items()}
        buffers = {}
        for name, size in sizes.items():
            is_float = self._engine.get_tensor_dtype(name) == self._library.trt.DataType.FLOAT
            memory = self._gpu.allocate_pinned(size * ITEM_SIZE), self._gpu.allocate(size * ITEM_SIZE)
            buffers[name] = Buffer(*memory, np.float32 if is_float else np.int32)
            self._context.set_tensor_address(name, buffers[name].device)
        return buffers

    def _select(self, profile: int, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Set the profile, if another is set, and the inputs' shapes."""
        if profile != self._active:
            if not self._context.set_optimization_profile_async(profile, self._gpu.stream):
                raise DeviceError(f"{self._library.name} cannot change the profile: {self._problem()}")
            self._gpu.synchronize()
            self._active = profile
        for name, shape in shapes.items():
            if not self._context.set_input_shape(name, shape):
                raise ShapeError(f"the engine refuses {shape_text(shape)}: {self._problem()}", self._fix())

    def _actual_shape(self, name: str) -> tuple[int, ...]:
        """Return an output's shape for the inputs' shapes that are set."""
        shape = tuple(int(length) for length in self._context.get_tensor_shape(name))
        if any(length < 0 for length in shape):
            raise ModelError(f"the shape of output {name!r} depends on values, which is not supported")
        return shape

    def _profile_of(self, shape: tuple[int, ...]) -> int:
        """Return the profile that takes a batch in the fewest parts; of equal ones that which fills it up the least."""
        choices = []
        for index, profile in enumerate(self.profiles):
            if shape[0] and profile.holds((profile.min[0], *shape[1:])):
                parts = -(-shape[0] // profile.max[0])
                last = shape[0] - (parts - 1) * profile.max[0]
                choices.append((parts, max(0, profile.min[0] - last), index))
        if not choices:
            raise profile_error(shape, self.profiles, self._rebuild)
        return min(choices)[2]

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Remember what goes wrong while the block runs."""
        self._problems.clear()

        def remember(severity: Severity, message: str) -> None:
            if severity == "error":
                self._problems.append(one_line(message))

        with self._library.logging_to(remember):
            yield

    def _problem(self) -> str:
        """Return the first thing that went wrong, which the others follow from."""
        return self._problems[0] if self._problems else "no reason was given"

    def _fix(self) -> str:
        """Return how to build the engine again."""
        return f"Build it again with: {self._rebuild}"


def profile_error(shape: tuple[int, ...], profiles: Sequence[ShapeProfile], rebuild: str) -> ShapeError:
    """Return the error for an input outside every profile."""
    known = "; ".join(f"profile {index}: {profile.text}" for index, profile in enumerate(profiles, start=1))
    has_channels = len(shape) == 4 and any(profile.max[1] == shape[1] for profile in profiles)
    return ShapeError(
        f"the engine's input has no profile for {shape_text(shape)} ({known})",
        f"Build it again for a larger --max-shape or a further --profile: {rebuild}"
        if has_channels and min(shape) > 0
        else "",
    )


def _filled(part: Array, least: int) -> Array:
    """Return an array with at least so many entries, of which the last is repeated."""
    missing = least - len(part)
    return np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing > 0 else part


def _view(buffer: Buffer, shape: tuple[int, ...]) -> Array:
    """Return the beginning of a host buffer as an array of the tensor's type."""
    count = int(np.prod(shape))
    # Whole numbers are those of classes alone, which whoever decodes them knows.
    return cast("Array", buffer.host[: count * ITEM_SIZE].view(buffer.dtype).reshape(shape))
