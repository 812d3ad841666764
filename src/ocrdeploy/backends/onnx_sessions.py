"""Sessions of ONNX Runtime: their settings, and the optimised models that they are opened from.

This is the only module that imports onnxruntime. The settings were chosen by measurement on two cores without a GPU,
with DBNet and PANet (16 channels, 736×1312 and 640×864) and CRNN (full size, 32×100); times are in relation to those
of the settings here.

- All graph optimisations: with the extended ones alone, which leave out NCHWc layouts, detectors took 1.75 and 1.97
  times as long and CRNN 1.18 times.
- The arena stays: without it detectors took 1.5 to 1.6 times as long, because every feature map is mapped anew.
- No memory pattern on the CPU: it plans all memory for each input shape that it meets, and images come in many. On 24
  shapes of a DBNet memory grew to 294 MiB with it and to 202 MiB without, and the time is the same (0.95 to 1.00).
- Threads of a run spin while they wait, as is the default: without it PANet took 1.09 and CRNN 1.26 times as long on
  two threads. Runs beside each other have one thread each, which never waits.

A model that is kept optimised opens in 0.3 times the time (PSENet r50: 47 ms for 141 ms) and gives the same bits; its
hash, without which a model that was replaced would go on being run, takes 80 ms for these 114 MB. So it pays where
several sessions are opened, or where a provider optimises for longer than the CPU's.
"""

import contextlib
import hashlib
import io
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import numpy as np

from ocrdeploy.artifacts import atomic_write, check_file, sha256_of
from ocrdeploy.errors import ModelError, OutputError, warn
from ocrdeploy.hardware import Device

from .onnx_installation import missing_runtime
from .protocol import Array

# From 1.29 on it reports to its maker unless it is told not to before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
try:
    import onnxruntime as ort
    from onnxruntime import InferenceSession as Session
except ImportError as error:  # also where two builds were installed and one was removed
    raise missing_runtime() from error

__all__ = [
    "CPU_PROVIDER",
    "CUDA_PROVIDER",
    "NO_CUDA",
    "Session",
    "SessionSource",
    "available_providers",
    "cuda_problem",
    "run_bound",
    "try_provider",
]

CUDA_PROVIDER = "CUDAExecutionProvider"
CPU_PROVIDER = "CPUExecutionProvider"
NO_CUDA = "this ONNX Runtime is built without CUDA"
LOG_NOTHING, LOG_WARNINGS = 4, 2
DEFORM_CONV_HINT = "ONNX Runtime has DeformConv from 1.25 on; export the model with --opset 17 for older ones."
"""ONNX Runtime's severity levels. What fails is raised as well, and our message has its text; its warnings about its
own optimisations tell a user nothing. The second is what it starts with."""

LEVEL = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
CACHE_VERSION = "1"
"""Changes with the settings that an optimised model depends on."""
KEY_LENGTH = 32
NAME_BYTES = 100
"""How much of a model's name goes into that of its optimised twin. File systems count bytes."""
PART_BYTES = 1 << 20
EXTERNAL_KEY = b"\x08location"
"""The key under which ONNX names the file of a tensor that lies elsewhere, with its length before it."""
CPU_FACTS = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True, eq=False)
class SessionSource:
    """What sessions are opened from.

    Attributes:
        path: The model.
        custom_ops: Libraries with operators that it needs.
        cache: Folder in which ONNX Runtime's optimised models are kept; None does without. One that cannot be written
            to is done without, with a warning.
        tf32: Whether a GPU may compute with TF32.
        for_reading: Whether it is for photos of all sizes and PP-OCR's networks. Then numbers that are too small for
            float32's usual form count as zero, which makes these networks 1 to 3 times as fast on Intel and changes no
            result (it holds for the threads of the process if this is its first session); and a GPU does not search
            for the best algorithm anew for each new shape.
    """

    path: Path
    custom_ops: tuple[Path, ...] = ()
    cache: Path | None = None
    tf32: bool = False
    for_reading: bool = False
    _contents: list["_Content"] = field(default_factory=list, init=False)

    def open(self, device: Device, threads: int) -> Session:
        """Open a session whose first provider is the device's, on a number of threads.

        Raises:
            ModelError: ONNX Runtime cannot run the file, or load a library.
            OutputError: The cache is no folder.
        """
        check_file(self.path, "model", ModelError)
        if self.cache is not None and not self.cache.is_dir():
            raise OutputError(f"the folder for optimised models {self.cache} does not exist", "Make it first.")
        if self.cache is None or self._content.may_have_external_weights:
            return self._open(self.path, device, threads)
        stem = os.fsencode(self.path.stem)[:NAME_BYTES].decode("utf-8", "ignore")
        kept = self.cache / f"{stem}.{self._key(device)}.onnx"
        if kept.is_file():
            try:
                return self._open(kept, device, threads, ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
            except ModelError:
                # Whatever has happened to it, the model itself is still there, and takes its place below.
                pass
        try:
            with atomic_write(kept) as temporary:
                session = self._open(self.path, device, threads, save=temporary)
                self._check_unchanged()
                return session
        except (OutputError, ModelError) as error:
            session = self._open(self.path, device, threads)
            # The model is sound, so it was the folder, full or not to be written to, or the file is another by now.
            warn(f"the optimised model is not kept in {self.cache}: {error.message}")
            return session

    def _check_unchanged(self) -> None:
        """Raise ModelError where the file is not the one any more whose hash is known."""
        if _read_content(self.path) != self._content:
            raise ModelError(f"{self.path} was replaced while it was opened")

    @property
    def _content(self) -> "_Content":
        """What is told by the model's bytes, which are read once."""
        if not self._contents:
            self._contents.append(_read_content(self.path))
        return self._contents[0]

    def _open(
        self,
        path: Path,
        device: Device,
        threads: int,
        level: ort.GraphOptimizationLevel = LEVEL,
        save: Path | None = None,
    ) -> Session:
        """Open a file at a level of optimisation, and write what the optimisations made of it if asked to."""
        options = ort.SessionOptions()
        options.log_severity_level = LOG_NOTHING
        options.intra_op_num_threads = threads
        options.graph_optimization_level = level
        options.enable_cpu_mem_arena = True
        options.enable_mem_pattern = device.is_cuda
        if self.for_reading:
            options.add_session_config_entry("session.set_denormal_as_zero", "1")
        if save is not None:
            options.optimized_model_filepath = str(save)
        for library in self.custom_ops:
            _register(options, library)
        providers: list[str | tuple[str, dict[str, str]]] = [CPU_PROVIDER]
        if device.index is not None:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
                ort.preload_dlls()  # finds CUDA and cuDNN where pip put them
            providers.insert(
                0, (CUDA_PROVIDER, cuda_options(device.index, tf32=self.tf32, for_reading=self.for_reading))
            )
        try:
            with _silence():
                return Session(str(path), sess_options=options, providers=providers, enable_fallback=0)
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            text = " ".join(str(error).split())
            hint = DEFORM_CONV_HINT if "implementation for DeformConv" in text else ""
            raise ModelError(f"{self.path} cannot be opened by ONNX Runtime: {text}", hint) from error

    def _key(self, device: Device) -> str:
        """Return what tells an optimised model from those of other models, versions, devices and processors."""
        facts = [
            CACHE_VERSION,
            ort.__version__,
            CUDA_PROVIDER if device.is_cuda else CPU_PROVIDER,
            str(self.tf32),
            str(LEVEL),
            # Layouts depend on the instructions that the processor has.
            _processor(),
            self._content.sha256,
            *(sha256_of(library) for library in self.custom_ops if library.is_file()),
        ]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:KEY_LENGTH]


def cuda_options(index: int, *, tf32: bool, for_reading: bool = False) -> dict[str, str]:
    """Return the options of the CUDA provider on a device; by itself it computes with TF32."""
    options = {"device_id": str(index), "use_tf32": str(int(tf32))}
    return options | ({"cudnn_conv_algo_search": "DEFAULT"} if for_reading else {})


_silence_lock = Lock()
_silent: list[bool] = []


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what ONNX Runtime would write to standard error while a session opens.

    Beside errors, which are raised as well, that is a warning at each opening on CUDA from 1.30 on: "No registered
    plugin EP device found for 'CUDAExecutionProvider'", which says that the provider is taken from where it always was.
    """
    with _silence_lock:
        _silent.append(True)
        ort.set_default_logger_severity(LOG_NOTHING)
    try:
        yield
    finally:
        with _silence_lock:
            _silent.pop()
            if not _silent:
                ort.set_default_logger_severity(LOG_WARNINGS)


def cuda_problem() -> str:
    """Return why ONNX Runtime's CUDA provider cannot be used here, such as the library that is missing.

    The provider is loaded in a process of its own: loaded by another than ONNX Runtime it would be of no use to it.
    """
    if CUDA_PROVIDER not in available_providers():
        return NO_CUDA
    name = "onnxruntime_providers_cuda.dll" if sys.platform == "win32" else "libonnxruntime_providers_cuda.so"
    library = Path(ort.__file__).parent / "capi" / name
    program = (
        "import contextlib, ctypes, io, sys, onnxruntime\n"
        "with contextlib.redirect_stdout(io.StringIO()): onnxruntime.preload_dlls()\n"
        "try: ctypes.CDLL(sys.argv[1])\n"
        "except OSError as error: print(error)\n"
    )
    command = [sys.executable, "-c", program, str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (our own program)
    return done.stdout.strip() or "its CUDA provider did not start"


def try_provider(device: Device) -> str:
    """Run a small model on a device, and return what is wrong where it does not run there; else nothing."""
    from ocrdeploy.graphs.small_model import write_small_model

    if device.is_cuda and CUDA_PROVIDER not in available_providers():
        return NO_CUDA  # ONNX Runtime would warn of it, with a line of its source
    with TemporaryDirectory() as folder:
        path = Path(folder) / "small.onnx"
        write_small_model(path)
        try:
            session = SessionSource(path).open(device, 1)
            if device.is_cuda and CUDA_PROVIDER not in session.get_providers():
                return cuda_problem()
            session.run(None, {"x": np.ones(1, np.float32)})
        except Exception as error:  # noqa: BLE001  (ONNX Runtime's exceptions have no common base of their own)
            return " ".join(str(error).split())
    return ""


def available_providers() -> tuple[str, ...]:
    """Return the execution providers that this ONNX Runtime was built with."""
    return tuple(ort.get_available_providers())


def run_bound(session: Session, batch: Mapping[str, Array], output_names: Sequence[str], device: Device) -> list[Array]:
    """Run a session on a GPU with its inputs copied there once and its outputs written to the CPU's memory.

    Without binding, ONNX Runtime gives each output a place of its own choice and copies it afterwards.
    """
    binding = session.io_binding()
    for name, array in batch.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, "cuda", device.index or 0))
    for name in output_names:
        binding.bind_output(name, "cpu")
    session.run_with_iobinding(binding)
    outputs: list[Array] = binding.copy_outputs_to_cpu()
    return outputs


@dataclass(frozen=True, slots=True)
class _Content:
    """What a model's bytes tell.

    Attributes:
        sha256: Their hash.
        may_have_external_weights: Whether weights may lie in other files, of which the hash tells nothing. They are
            named under the key `location`; where the word is there for another reason, nothing is kept.
    """

    sha256: str
    may_have_external_weights: bool


def _read_content(path: Path) -> _Content:
    """Read a model's bytes, a part at a time."""
    digest, found, end = hashlib.sha256(), False, b""
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            digest.update(part)
            found = found or EXTERNAL_KEY in end + part
            end = part[-len(EXTERNAL_KEY) :]
    return _Content(digest.hexdigest(), found)


def _processor() -> str:
    """Return the kind of this machine's processor, and the instructions that it has."""
    try:
        lines = CPU_FACTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    facts = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))}
    return "\n".join([platform.machine(), *sorted(facts)])


def _register(options: ort.SessionOptions, library: Path) -> None:
    """Load a library of operators."""
    if not library.is_file():
        raise ModelError(f"operator library {library} does not exist")
    try:
        options.register_custom_ops_library(str(library.resolve()))
    except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
        text = " ".join(str(error).split())
        raise ModelError(f"operator library {library} cannot be loaded by ONNX Runtime: {text}") from error
