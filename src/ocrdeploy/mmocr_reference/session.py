"""A conversation with MMOCR's interpreter: lines of JSON through its standard streams, arrays through files."""

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ocrdeploy.dialects.outline import Dialect
from ocrdeploy.errors import (
    CheckError,
    CheckpointError,
    ConfigError,
    ImageError,
    MachineError,
    MissingPackageError,
    OcrDeployError,
)

from .interpreter import GENERATIONS, setup_command

START_SECONDS = 300.0
"""Importing PyTorch and MMOCR takes seconds; from a cold or shared disk, minutes."""
REQUEST_SECONDS = 900.0
"""The slowest request, a large image through a ResNet-152 on one slow core, takes minutes."""
CLOSE_SECONDS = 5.0
MAX_CHATTER = 1000
"""Lines that an interpreter may print before the worker begins; they are not looked at."""
WORKER = "import sys; sys.path.insert(0, sys.argv[1]); from worker.main import main; del sys.path[0]; main()"
"""Runs the package `worker` of the folder that follows, whose other modules stay out of reach."""
SHOWN_LENGTH = 200
ONNX_REQUIREMENTS = "onnx==1.17.0 'protobuf<6'"
"""The last version that is known to go with NumPy 1.23."""


class MmocrSession:
    """MMOCR's interpreter, started once and kept running; a context manager that ends it.

    Several threads may send requests: they are answered one after another. A request that is interrupted, as by Ctrl-C,
    ends the interpreter, since its answer would be taken for that of the next one.

    Args:
        python: The interpreter.
        generation: Which MMOCR it is to hold.
        start_seconds: How long it may take to import MMOCR.
        request_seconds: How long it may take to answer a request.

    Attributes:
        python: As given.
        versions: The versions of MMOCR and what it stands on, by name.

    Raises:
        MissingPackageError: The interpreter does not hold MMOCR.
        MachineError: It does not run, does not answer, or holds the MMOCR of another generation.
    """

    def __init__(
        self,
        python: Path,
        generation: Dialect = "mmocr0",
        *,
        start_seconds: float = START_SECONDS,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self.python = python
        self._generation = generation
        self._request_seconds = request_seconds
        self._file_numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._is_waiting = False
        self._interrupted = ""
        self._stack = contextlib.ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ocrdeploy-mmocr-")))
        self._errors = self._folder / "errors.txt"
        try:
            folder = resources.files("ocrdeploy") / "mmocr_reference"
            self._process = self._start(self._stack.enter_context(resources.as_file(folder)))
            self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
            self._reader = threading.Thread(target=_read_lines, args=(self._process.stdout, self._lines), daemon=True)
            self._reader.start()
            self._stack.callback(self._end)
            self.versions = self._await_ready(start_seconds)
            self._check_generation()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the interpreter and remove the files that were exchanged."""
        self._stack.close()

    def new_file(self, suffix: str = ".npy") -> Path:
        """Return the name of a file that is not there yet; it is removed with the session at the latest."""
        return self._folder / f"{next(self._file_numbers)}{suffix}"

    def request(self, command: Mapping[str, Any]) -> Any:
        """Send one request and return the result; `worker/main.py` lists what can be asked for.

        Raises:
            ConfigError: MMOCR cannot make a model of the config.
            CheckpointError: The checkpoint is broken or does not fit.
            ImageError: MMOCR cannot prepare the image.
            CheckError: MMOCR failed in another way, died, answered with something else than a line of JSON, or was
                ended because an earlier request was interrupted.
            MachineError: It did not answer in time.
        """
        name = command["command"]
        text = json.dumps(command) + "\n"
        with self._lock:
            if self._interrupted:
                raise CheckError(
                    f"MMOCR ({self.python}) was ended, because the request {self._interrupted!r} was interrupted",
                    "Open the model again.",
                )
            try:
                line = self._ask(text, name)
            except OcrDeployError:
                raise
            except BaseException:
                self._interrupted = name
                self._is_waiting = True
                self._end()
                raise
        return self._result(line, name)

    def _ask(self, text: str, name: str) -> str:
        """Send a line, and return the one that answers it."""
        try:
            self._send(text)
        except (OSError, ValueError) as error:
            raise self._died(name) from error
        return self._next_line(self._request_seconds, name)

    def _start(self, folder: Path) -> subprocess.Popen[str]:
        """Start the interpreter in a group of its own, so that Ctrl-C reaches it through us alone."""
        try:
            with self._errors.open("w", encoding="utf-8") as errors:
                return subprocess.Popen(  # noqa: S603  (the interpreter that the user named)
                    # -I: neither this folder's modules nor PYTHONPATH, which is ours, are among the interpreter's.
                    [str(self.python), "-I", "-u", "-c", WORKER, str(folder)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    encoding="utf-8",
                    errors="replace",
                    start_new_session=True,
                )
        except OSError as error:
            raise MachineError(f"the interpreter {self.python} cannot be started: {error.strerror}") from error

    def _await_ready(self, seconds: float) -> dict[str, str]:
        """Return the versions that the first line of the script tells; what the interpreter prints before is left."""
        for _ in range(MAX_CHATTER):
            try:
                document = json.loads(self._next_line(seconds, "start"))
            except ValueError:
                continue
            match document:
                case {"ready": dict(versions)}:
                    return {str(name): str(version) for name, version in versions.items()}
                case {"error": {"message": str(message)}}:
                    raise self._lacks(message)
        raise MachineError(f"{self.python} does not run MMOCR: it prints without end", "Name a Python interpreter.")

    def _check_generation(self) -> None:
        """Refuse an interpreter that holds the MMOCR of the other generation."""
        version = self.versions.get("mmocr", "")
        if version.startswith("0.") != (self._generation == "mmocr0"):
            wanted = GENERATIONS[self._generation]
            raise MachineError(
                f"MMOCR {wanted} is needed, and {self.python} holds MMOCR {version}",
                f"Name an interpreter with MMOCR {wanted}; {setup_command(self._generation)} builds one.",
            )

    def _lacks(self, message: str) -> MissingPackageError:
        """Return the error of an interpreter without MMOCR, which says what it lacks."""
        purpose = f"run the real MMOCR, and {self.python} lacks it or its operators ({message[:SHOWN_LENGTH]})"
        command = setup_command(self._generation)
        return MissingPackageError("mmocr", purpose, f"{command}, and name its interpreter with --mmocr-python")

    def _send(self, line: str) -> None:
        """Write a line to the interpreter's standard input."""
        stream = self._process.stdin
        if stream is not None:
            stream.write(line)
            stream.flush()

    def _next_line(self, seconds: float, name: str) -> str:
        """Wait for the next line of the interpreter's output."""
        self._is_waiting = True
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self._end()
            raise MachineError(
                f"MMOCR ({self.python}) did not answer the request {name!r} within {seconds:g} s, and was ended"
            ) from None
        self._is_waiting = False
        if line is None:
            raise self._died(name)
        return line

    def _result(self, line: str, name: str) -> Any:
        """Return the result that a line of output holds."""
        try:
            document = json.loads(line)
        except ValueError:
            document = None
        match document:
            case {"result": result}:
                return result
            case {"error": {"kind": "onnx"}}:
                install = f"{self.python} -m pip install {ONNX_REQUIREMENTS}"
                raise MissingPackageError("onnx", f"export MMOCR's networks in {self.python}", install)
            case {"error": {"kind": str(kind), "message": str(message)}}:
                raise _error_of(kind, message, name)
        text = line.strip()[:SHOWN_LENGTH]
        raise CheckError(f"MMOCR ({self.python}) answered the request {name!r} with no line of JSON, but {text!r}")

    def _died(self, name: str) -> OcrDeployError:
        """Return the error of an interpreter that has ended, with the last that it printed."""
        self._end()
        lines = self._errors.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")[:SHOWN_LENGTH]
        code = self._process.returncode
        message = f"MMOCR ({self.python}) ended with code {code} in the request {name!r}: {last}"
        return MachineError(message) if name == "start" else CheckError(message)

    def _end(self) -> None:
        """End the interpreter: by the end of its input, or by force if it is at work."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        if self._process.returncode is None and not self._is_waiting:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSE_SECONDS)
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        # It ends with the stream, unless a process of the interpreter's own holds that open.
        self._reader.join(CLOSE_SECONDS)


def _read_lines(stream: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    """Put the lines of a stream into a queue, and None when it ends or holds more than anybody reads."""
    with stream:
        for line in stream:
            lines.put(line)
            if lines.qsize() > MAX_CHATTER:
                break
    lines.put(None)


def _error_of(kind: str, message: str, name: str) -> OcrDeployError:
    """Return the error that stands for one which the script reports."""
    match kind:
        case "config":
            return ConfigError(f"MMOCR cannot use the config: {message}")
        case "checkpoint":
            return CheckpointError(f"MMOCR cannot use the checkpoint: {message}")
        case "operator":
            return ConfigError(f"MMOCR's network cannot be exported: {message}")
        case "image":
            return ImageError(f"MMOCR cannot prepare the image: {message}")
    return CheckError(f"MMOCR failed in the request {name!r}: {message}")
