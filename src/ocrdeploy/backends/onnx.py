"""ONNX Runtime, on CUDA or on the CPU."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np

from ocrdeploy.errors import CheckError, DeviceError, ModelError, warn
from ocrdeploy.hardware import CPU, Device, core_count, cuda_device_count
from ocrdeploy.model_spec import Dimension, shape_text
from ocrdeploy.onnx_file import GraphTensor, network_inputs, read_onnx_facts

from .onnx_installation import GPU_EXTRA, describe_conflict, installed_builds
from .onnx_sessions import (
    CUDA_PROVIDER,
    NO_CUDA,
    Session,
    SessionSource,
    available_providers,
    cuda_problem,
    run_bound,
)
from .protocol import Array, BackendName, Batch, check_tf32, warn_of_cpu

__all__ = ["OnnxRuntimeBackend", "available_providers"]

FLOAT_INPUT = "tensor(float)"


class OnnxRuntimeBackend:
    """An ONNX model in ONNX Runtime.

    Args:
        path: The model file.
        device: Where to run; None takes CUDA where both ONNX Runtime and the machine have it, else the CPU.
        threads: Number of cores for one run, and for all runs that are beside each other; None takes those that this
            process may use.
        custom_ops: Libraries with operators that the model needs.
        optimized_model_cache: Folder in which ONNX Runtime's optimised models are kept, so that the next session of the
            same model need not optimise it; None does without.
        tf32: Let a GPU compute with TF32.
        for_reading: See `SessionSource`.

    Attributes:
        inputs: Its inputs, the images first.
        output_names: The outputs that are computed: all that the graph has, until `choose_outputs`.
        precision: Number format of the network; float32 unless whoever opens the model knows better.

    Raises:
        ModelError: ONNX Runtime cannot run the file, or load a library, or the model's inputs are not float32, one of
            them of four dimensions.
        DeviceError: The device was named and cannot be used.
        OutputError: The folder for optimised models does not exist.
        MissingPackageError: No ONNX Runtime is installed.
        UsageError: TF32 was asked for without a GPU.
    """

    name: BackendName = "onnxruntime"
    precision: str = "fp32"

    def __init__(
        self,
        path: Path,
        device: Device | None = None,
        threads: int | None = None,
        custom_ops: Sequence[Path] = (),
        optimized_model_cache: Path | None = None,
        *,
        tf32: bool = False,
        for_reading: bool = False,
    ) -> None:
        self.path = path
        self.tf32 = tf32
        self._source = SessionSource(path, tuple(custom_ops), optimized_model_cache, tf32, for_reading)
        self.threads = threads or core_count()
        self._file = _identify(path)
        self._lock = Lock()
        session, self.device = self._open_first(device)
        check_tf32(self.device, tf32=tf32)
        # The session for one run at a time; None while only runs beside each other are asked for.
        self._session: Session | None = session
        self._has_run = False
        # Sessions for runs beside each other, by the number of threads of a run.
        self._parallel: dict[int, Session] = {}
        self._run_bytes: dict[tuple[int, ...], int] = {}
        self.metadata: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        self.inputs = _check_inputs(path, session)
        self.output_names: list[str] = [output.name for output in session.get_outputs()]

    @property
    def custom_ops(self) -> tuple[Path, ...]:
        """Libraries with operators that the sessions load."""
        return self._source.custom_ops

    def choose_outputs(self, names: Sequence[str]) -> None:
        """Compute these outputs alone; a graph may have others that nobody reads."""
        self.output_names = [name for name in self.output_names if name in names]

    def run(self, batch: Batch) -> dict[str, Array]:
        """Compute all outputs of a batch; see `Backend.run`."""
        with self._lock:
            self._has_run = True
            if self._session is None:
                self._session = self._open_for_one()
            session = self._session
        return self._run(session, batch)

    def parallel_run(self, workers: int) -> Callable[[Batch], dict[str, Array]] | None:
        """Return a function for runs beside each other; see `ParallelBackend.parallel_run`.

        Threads of one run that wait for each other while another run has their core are what makes a session on all
        cores slow here, so such runs have a session of their own with fewer threads; with one, a run stays in the
        thread that calls it. None on a GPU, and where the file is no longer the one that was opened.
        """
        share = max(1, self.threads // workers)
        if self.device.is_cuda:
            return None
        if share == self.threads:
            return self.run
        with self._lock:
            if share not in self._parallel:
                if _identify(self.path) != self._file:
                    return None
                if not self._has_run:
                    # Nothing was run on all cores yet, and mostly nothing will be: the weights need not be held twice.
                    self._session = None
                self._parallel[share] = self._source.open(CPU, share)
            session = self._parallel[share]
        return partial(self._run, session)

    def run_bytes(self, shape: tuple[int, ...]) -> int:
        """Return about how many bytes a run takes; see `EstimatingBackend`."""
        from ocrdeploy.graphs.run_memory import run_bytes

        if shape not in self._run_bytes:
            self._run_bytes[shape] = run_bytes(self.path, shape)
        return self._run_bytes[shape]

    def close(self) -> None:
        """Release the sessions."""
        self._session = None
        self._parallel.clear()

    def _open_first(self, wanted: Device | None) -> tuple[Session, Device]:
        """Open the first session; where no device is named, on the CPU if a GPU that is there cannot be used.

        Raises:
            DeviceError: A GPU was named and cannot be used.
        """
        warn_of_conflict()
        device = _choose_device(wanted)
        if not device.is_cuda:
            return self._source.open(device, self.threads), CPU
        try:
            session = self._source.open(device, self.threads)
            # ONNX Runtime goes on without a provider that fails to load; what it has tells where it runs.
            if CUDA_PROVIDER in session.get_providers():
                return session, device
            problem = cuda_problem()
        except ModelError as error:
            # What is wrong with the model itself shows on the CPU too.
            session = self._source.open(CPU, self.threads)
            problem = error.message
        if wanted is not None:
            raise DeviceError(
                f"ONNX Runtime cannot use {wanted}: {problem}", f"Install CUDA and cuDNN with: {GPU_EXTRA}"
            )
        warn_of_cpu(problem, f"Install CUDA and cuDNN with: {GPU_EXTRA}")
        return session, CPU

    def _open_for_one(self) -> Session:
        """Open a session on all cores, or return one on fewer where the file is no longer the one that was opened."""
        if self._parallel and _identify(self.path) != self._file:
            return next(iter(self._parallel.values()))
        return self._source.open(self.device, self.threads)

    def _run(self, session: Session, batch: Batch) -> dict[str, Array]:
        """Compute all outputs of a batch in a session."""
        try:
            if self.device.is_cuda:
                contiguous = {name: np.ascontiguousarray(array) for name, array in batch.items()}
                outputs = run_bound(session, contiguous, self.output_names, self.device)
            else:
                outputs = session.run(self.output_names, dict(batch))
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            text = " ".join(str(error).split())
            shapes = " and ".join(shape_text(array.shape) for array in batch.values())
            raise CheckError(f"ONNX Runtime cannot run {self.path} on an input of {shapes}: {text}") from error
        return dict(zip(self.output_names, outputs, strict=True))


def _choose_device(device: Device | None) -> Device:
    """Return the device to open a session on.

    Raises:
        DeviceError: A GPU was named, and ONNX Runtime or the machine has none.
    """
    has_provider = CUDA_PROVIDER in available_providers()
    count = cuda_device_count()
    fix = f"Install the one with it: pip uninstall -y {' '.join(installed_builds())}, then: {GPU_EXTRA}"
    if device is None:
        if count and not has_provider:
            warn_of_cpu(NO_CUDA, fix)
        return Device(0) if has_provider and count else CPU
    if device.index is not None:
        if not has_provider:
            raise DeviceError(f"{device} cannot be used: {NO_CUDA}", fix)
        if device.index >= count:
            raise DeviceError(f"{device} does not exist: this machine shows {count} CUDA devices", "Use --device cpu.")
    return device


def warn_of_conflict() -> None:
    """Warn where several builds of ONNX Runtime are installed over each other."""
    if conflict := describe_conflict(cuda_device_count()):
        warn(conflict)


def _identify(path: Path) -> tuple[tuple[int, ...], ...]:
    """Return what tells a model's files from others that replaced them; nothing of a file that is not there.

    Weights may lie in files beside the model's own.
    """
    try:
        files = [path, *(path.parent / name for name in read_onnx_facts(path).external)]
        status = [file.stat() for file in files]
    except (OSError, ModelError):
        return ()
    return tuple((each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns) for each in status)


def _check_inputs(path: Path, session: Session) -> tuple[GraphTensor, ...]:
    """Return the inputs, the images first."""
    found = [
        GraphTensor(item.name, _dimensions(item.shape), "float32" if item.type == FLOAT_INPUT else item.type)
        for item in session.get_inputs()
    ]
    return network_inputs(found, path)


def _dimensions(shape: list[int | str | None]) -> tuple[Dimension, ...]:
    """Return a shape in which dynamic dimensions without a name have one."""
    return tuple(f"dim_{index}" if length is None else length for index, length in enumerate(shape))
