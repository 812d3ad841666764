"""TensorRT in its two flavours: finding them, loading them. The only module that imports TensorRT or Polygraphy.

`tensorrt` builds an engine on the GPU that runs it. `tensorrt-rtx`, TensorRT for RTX, builds ahead of time for GPU
architectures that are named, also on a machine without a GPU. Their Python interfaces are the same but for that.
"""

import ctypes
import functools
import importlib
import importlib.util
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ocrdeploy.errors import MachineError, MissingPackageError, ModelError, UsageError
from ocrdeploy.model_spec import TensorRTFlavour

FLAVOURS: tuple[TensorRTFlavour, ...] = ("tensorrt", "tensorrt-rtx")
PURPOSE = "build and run engines"

ARCHITECTURE = re.compile(r"(?:sm_?|compute_)?(\d{1,2})\.?(\d)")
ARCHITECTURE_NAME = re.compile(r"sm\d{2,3}")

Severity = Literal["error", "warning", "info", "verbose"]
LogSink = Callable[[Severity, str], None]
"""Takes one message of TensorRT's log; it may be called from any thread and must not fail."""

POLYGRAPHY_MODULE = "polygraphy.backend.trt"
SILENT_POLYGRAPHY = 51
"""A severity above Polygraphy's highest: its failures are exceptions, and its words are not ours."""


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """A TensorRT that is loaded.

    Attributes:
        flavour: Which one.
        trt: Its module.
        logger: Its logger. TensorRT keeps the first that a process shows it, so there is one for all.
    """

    flavour: TensorRTFlavour
    trt: Any
    logger: Any

    @property
    def version(self) -> str:
        """The library's version."""
        return str(self.trt.__version__)

    @property
    def name(self) -> str:
        """Flavour and version, in words."""
        return f"{title(self.flavour)} {self.version}"

    @contextmanager
    def logging_to(self, sink: LogSink) -> Iterator[None]:
        """Send what the library logs for the calling thread to a function while the block runs.

        Several threads may each have a function of their own. Messages of threads that TensorRT starts itself go to all
        of them, since nothing tells whose work they belong to.
        """
        entry = (threading.get_ident(), sink)
        with self.logger.lock:
            self.logger.sinks = (*self.logger.sinks, entry)
        try:
            yield
        finally:
            with self.logger.lock:
                self.logger.sinks = tuple(each for each in self.logger.sinks if each is not entry)

    @property
    def architectures(self) -> tuple[str, ...] | None:
        """The GPU architectures that the library builds for and runs on, such as `sm86`; None where it does not say."""
        if self.flavour == "tensorrt":
            return None
        names = (each.lower() for each in self.trt.ComputeCapability.__members__)
        return tuple(each for each in names if ARCHITECTURE_NAME.fullmatch(each))

    def runs_on(self, architecture: str) -> bool:
        """Return whether the library runs on a GPU of an architecture, as far as it says; see `architectures`."""
        return self.architectures is None or architecture in self.architectures


def title(flavour: TensorRTFlavour) -> str:
    """Return a flavour's name in words."""
    match flavour:
        case "tensorrt":
            return "TensorRT"
        case "tensorrt-rtx":
            return "TensorRT for RTX"


def parse_flavour(name: str) -> TensorRTFlavour:
    """Return the flavour that a user means.

    Raises:
        UsageError: There is no such flavour.
    """
    match name.strip().lower():
        case "tensorrt" | "trt":
            return "tensorrt"
        case "tensorrt-rtx" | "tensorrt_rtx" | "rtx":
            return "tensorrt-rtx"
    raise UsageError(f"--runtime is tensorrt or tensorrt-rtx, got {name!r}")


def is_installed(flavour: TensorRTFlavour) -> bool:
    """Return whether a flavour's package is there; it is not loaded."""
    return importlib.util.find_spec(_module_name(flavour)) is not None


def default_flavour() -> TensorRTFlavour:
    """Return the flavour that is installed; TensorRT before TensorRT for RTX.

    Raises:
        MissingPackageError: Neither is.
    """
    for flavour in FLAVOURS:
        if is_installed(flavour):
            return flavour
    install = "pip install 'ocrdeploy[tensorrt]', or without a GPU: pip install 'ocrdeploy[tensorrt-rtx]'"
    raise MissingPackageError("TensorRT", PURPOSE, install)


@functools.cache
def load_library(flavour: TensorRTFlavour) -> Library:
    """Load a flavour.

    Raises:
        MissingPackageError: It is not installed.
        MachineError: It is installed and does not load.
    """
    if not is_installed(flavour):
        raise MissingPackageError(title(flavour), PURPOSE, f"pip install 'ocrdeploy[{flavour}]'")
    try:
        module = importlib.import_module(_module_name(flavour))
    except Exception as error:  # a broken installation can make an import raise anything
        fix = f"Install it again with: pip install --force-reinstall 'ocrdeploy[{flavour}]'"
        raise MachineError(f"{title(flavour)} is installed, but does not load: {one_line(str(error))}", fix) from error
    return Library(flavour, module, make_logger(module))


@contextmanager
def polygraphy_for(flavour: TensorRTFlavour) -> Iterator[Any]:
    """Give Polygraphy's TensorRT part for a flavour, and keep Polygraphy silent while the block runs.

    Raises:
        MissingPackageError: Polygraphy is not installed.
        UsageError: This process has used it with the other flavour, which it cannot change.
    """
    try:
        from polygraphy import config
        from polygraphy.logger import G_LOGGER
    except ImportError as error:
        raise MissingPackageError("polygraphy", "build engines", "pip install polygraphy") from error
    uses_rtx = flavour == "tensorrt-rtx"
    if POLYGRAPHY_MODULE in sys.modules and uses_rtx != config.USE_TENSORRT_RTX:
        raise UsageError("one process builds engines with one flavour of TensorRT", "Start another one.")
    config.USE_TENSORRT_RTX = uses_rtx
    with G_LOGGER.verbosity(SILENT_POLYGRAPHY):
        yield importlib.import_module(POLYGRAPHY_MODULE)


def load_plugins(paths: Sequence[Path]) -> None:
    """Load libraries with plugins, which register themselves with TensorRT.

    Args:
        paths: Shared libraries. Loading one runs its code.

    Raises:
        ModelError: One is not there, or is no library for this machine.
    """
    for path in paths:
        if not path.is_file():
            raise ModelError(f"plugin library {path} does not exist")
        try:
            # Global, because plugins are often split over libraries that need each other's symbols.
            ctypes.CDLL(str(path.resolve()), mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise ModelError(f"plugin library {path} cannot be loaded: {error}") from error


def make_logger(trt: Any) -> Any:
    """Return a logger for a flavour's module that gives messages to those of its `sinks` that they are for."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        """Hands messages on: those of a thread that has sinks to its latest, those of others to the latest of each."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.lock = threading.Lock()
            self.sinks: tuple[tuple[int, LogSink], ...] = ()

        def log(self, severity: Any, message: str) -> None:
            """Hand a message on; called by TensorRT."""
            latest = dict(self.sinks)
            own = latest.get(threading.get_ident())
            for sink in latest.values() if own is None else (own,):
                sink(_severity(severity.name), message)

    return Logger()


def parse_architecture(text: str) -> str:
    """Return the GPU architecture that a user means by `8.6`, `86`, `sm_86` or `sm86`, as `sm86`.

    What is none of these is returned in small letters, so that whoever knows the architectures can refuse it.
    """
    match = ARCHITECTURE.fullmatch(text.strip().lower())
    return f"sm{match[1]}{match[2]}" if match else text.strip().lower()


def _severity(name: str) -> Severity:
    """Return our word for one of TensorRT's severities."""
    match name:
        case "INTERNAL_ERROR" | "ERROR":
            return "error"
        case "WARNING":
            return "warning"
        case "INFO":
            return "info"
    return "verbose"


def _module_name(flavour: TensorRTFlavour) -> str:
    """Return the name that a flavour is imported by."""
    return flavour.replace("-", "_")


def one_line(text: str) -> str:
    """Return a message without line breaks and repeated spaces."""
    return " ".join(text.split())
