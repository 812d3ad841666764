"""OpenVINO on the CPU: it reads the ONNX file, and computes in float32 unless it is asked for less.

This is the only module that imports openvino. By default OpenVINO takes bfloat16 where the CPU has it, and where it is
asked for a format that the CPU does not compute it takes another one, without a word. So float32 is asked for here, and
what the compiled model says that it computes is read back and believed, never the request.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, local
from typing import Any, Literal

import numpy as np

from ocrdeploy.errors import CheckError, DeviceError, MissingPackageError, ModelError, UsageError
from ocrdeploy.hardware import CPU, Device, core_count
from ocrdeploy.model_spec import Dimension, shape_text
from ocrdeploy.onnx_file import GraphTensor, network_inputs, read_onnx_facts

from .protocol import Array, BackendName, Batch

TELEMETRY = "openvino_telemetry"


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Hide the package that reports to OpenVINO's maker, which is loaded with it and leaves a folder at home.

    OpenVINO goes on without it, as where it is not installed. Whoever has imported it before keeps it.
    """
    if TELEMETRY in sys.modules:
        yield
        return
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[TELEMETRY]


try:
    with _without_telemetry():
        import openvino
except ImportError as error:
    raise MissingPackageError("openvino", "run models in OpenVINO", 'pip install "ocrdeploy[openvino]"') from error

AskedPrecision = Literal["auto", "fp32", "fp16", "bf16"]
ASKED_PRECISIONS: tuple[AskedPrecision, ...] = ("auto", "fp32", "fp16", "bf16")
TYPES = {"fp32": openvino.Type.f32, "fp16": openvino.Type.f16, "bf16": openvino.Type.bf16}
DEVICE = "CPU"


def parse_precision(name: str) -> AskedPrecision:
    """Return the format that a user asks for.

    Raises:
        UsageError: There is no such format.
    """
    found = next((each for each in ASKED_PRECISIONS if each == name.strip().lower()), None)
    if found is None:
        raise UsageError(f"a precision is one of {', '.join(ASKED_PRECISIONS)}, got {name!r}")
    return found


def cpu_formats() -> tuple[str, ...]:
    """Return the formats that OpenVINO computes on this CPU."""
    capabilities = openvino.Core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name in TYPES if name.upper() in capabilities)


class OpenVINOBackend:
    """An ONNX model in OpenVINO.

    Args:
        path: The model file.
        device: The CPU, or None for it.
        threads: Number of cores for one run, and for all runs that are beside each other; None takes those that this
            process may use.
        precision: What is computed: `fp32`, `fp16` or `bf16`; `auto` takes what OpenVINO chooses.
        cache: Folder in which compiled models are kept, so that the next start need not compile; None does without.

    Attributes:
        inputs: Its inputs, the images first.
        output_names: The outputs that are computed.
        precision: What the compiled model says that it computes.

    Raises:
        ModelError: OpenVINO cannot read the file, or the model's inputs are not float32, one of them of four
            dimensions.
        DeviceError: A GPU was named, or this CPU does not compute the format.
        MissingPackageError: OpenVINO is not installed.
    """

    name: BackendName = "openvino"
    device: Device = CPU
    tf32: bool = False

    def __init__(
        self,
        path: Path,
        device: Device | None = None,
        threads: int | None = None,
        precision: AskedPrecision = "fp32",
        cache: Path | None = None,
    ) -> None:
        if device is not None and device.is_cuda:
            raise DeviceError(f"OpenVINO does not run on {device}", "Use --device cpu, or another backend.")
        self.path = path
        self.threads = threads or core_count()
        self._asked = precision
        self._cache = cache
        self._core = openvino.Core()
        self._model = _read(self._core, path)
        self._lock = Lock()
        # Compiled models by how many runs they take beside each other.
        self._compiled: dict[int, Any] = {1: self._compile(1)}
        self.precision = _computed(self._compiled[1])
        if precision not in ("auto", self.precision):
            raise DeviceError(
                f"OpenVINO was asked to compute {path} in {precision} and computes it in {self.precision} on this CPU",
                f"Use --precision {self.precision} or auto.",
            )
        self._request = self._compiled[1].create_infer_request()
        self.inputs = network_inputs([_tensor(each) for each in self._model.inputs], path)
        # A tensor may have several names in OpenVINO; the graph's own is among them.
        self.output_names: list[str] = [output.name for output in read_onnx_facts(path).outputs]

    def choose_outputs(self, names: Sequence[str]) -> None:
        """Give these outputs alone; a graph may have others that nobody reads."""
        self.output_names = [name for name in self.output_names if name in names]

    def run(self, batch: Batch) -> dict[str, Array]:
        """Compute all outputs of a batch; see `Backend.run`."""
        with self._lock:
            return self._infer(self._request, batch)

    def parallel_run(self, workers: int) -> Callable[[Batch], dict[str, Array]] | None:
        """Return a function for runs beside each other; see `ParallelBackend.parallel_run`."""
        if workers == 1:
            return self.run
        with self._lock:
            if workers not in self._compiled:
                self._compiled[workers] = self._compile(workers)
            compiled = self._compiled[workers]
        requests = local()

        def run(batch: Batch) -> dict[str, Array]:
            if not hasattr(requests, "own"):
                requests.own = compiled.create_infer_request()
            return self._infer(requests.own, batch)

        return run

    def close(self) -> None:
        """Release the compiled models."""
        self._compiled.clear()
        self._request = None

    def _compile(self, streams: int) -> Any:
        """Return the model compiled for so many runs beside each other.

        Raises:
            ModelError: OpenVINO cannot compile it.
        """
        options: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": max(self.threads, streams),
            "NUM_STREAMS": streams,
            "PERFORMANCE_HINT": "LATENCY",
        }
        if self._asked != "auto":
            options["INFERENCE_PRECISION_HINT"] = TYPES[self._asked]
        if self._cache is not None:
            options["CACHE_DIR"] = str(self._cache)
        try:
            return self._core.compile_model(self._model, DEVICE, options)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot compile {self.path}: {_short(error)}") from error

    def _infer(self, request: Any, batch: Batch) -> dict[str, Array]:
        """Compute a batch in a request."""
        try:
            # Arrays that are given to `infer` itself are taken whatever their shape. These are kept until it is done.
            arrays = {name: np.ascontiguousarray(array) for name, array in batch.items()}
            for name, array in arrays.items():
                request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
            request.infer()
        except RuntimeError as error:
            shapes = " and ".join(shape_text(array.shape) for array in batch.values())
            raise CheckError(f"OpenVINO cannot run {self.path} on an input of {shapes}: {_short(error)}") from error
        # The request's own memory is written to by its next run.
        return {name: np.array(request.get_tensor(name).data) for name in self.output_names}


def _read(core: Any, path: Path) -> Any:
    """Return the model of a file.

    Raises:
        ModelError: It cannot be read, or has operators that OpenVINO does not know.
    """
    try:
        return core.read_model(str(path))
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO cannot read {path}: {_short(error)}", "Run it in ONNX Runtime: --backend onnxruntime."
        ) from error


def _computed(compiled: Any) -> str:
    """Return the format that a compiled model says it computes."""
    found = compiled.get_property("INFERENCE_PRECISION_HINT")
    return next((name for name, kind in TYPES.items() if kind == found), "fp32")


def _tensor(found: Any) -> GraphTensor:
    """Return name, shape and type of an input."""
    shape: list[Dimension] = [
        f"dim_{index}" if length.is_dynamic else length.get_length()
        for index, length in enumerate(found.get_partial_shape())
    ]
    kind = "float32" if found.get_element_type() == openvino.Type.f32 else str(found.get_element_type())
    return GraphTensor(found.get_any_name(), tuple(shape), kind)


def _short(error: Exception) -> str:
    """Return the last line of OpenVINO's message, which says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[-1].split()) if lines else type(error).__name__
