"""Writing predictions so that a run that was cut off can go on."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from ocrdeploy.artifacts import atomic_write, check_writable
from ocrdeploy.errors import OutputError
from ocrdeploy.results import Result
from ocrdeploy.standard_output import write_standard_output

from .part_files import PartFile, Signature, encode_line
from .records import Prediction, prediction_document

PART_SUFFIX = ".part"


class PredictionSink(Protocol):
    """Where predictions go; also where those of an earlier run come from."""

    def begin(self, model: str, backend: str) -> str | None:
        """Begin with a model, or return why it failed in an earlier run that is gone on from."""
        ...

    def fail(self, model: str, backend: str, reason: str) -> None:
        """Take back what a model has written since it began, where that is possible."""
        ...

    def earlier(self, model: str, backend: str, window: int, n_items: int) -> Iterator[Prediction]:
        """Yield what an earlier run wrote for the data set that is gone through next."""
        ...

    def write(self, image: str, model: str, backend: str, result: Result) -> None:
        """Write an image's result."""
        ...

    def skip(self, image: str, model: str, backend: str, reason: str) -> None:
        """Note that an image was left out."""
        ...


class LineSink:
    """Writes lines to standard output, or nowhere; knows of no earlier run."""

    def __init__(self, write: Callable[[str], None] | None) -> None:
        self._write = write

    def begin(self, _model: str, _backend: str) -> None:
        """Return nothing: there is no earlier run."""

    def fail(self, _model: str, _backend: str, _reason: str) -> None:
        """Leave what was written: whoever reads the stream has it."""

    def earlier(self, _model: str, _backend: str, _window: int, _n_items: int) -> Iterator[Prediction]:
        """Yield nothing."""
        return iter(())

    def write(self, image: str, model: str, backend: str, result: Result) -> None:
        """Write an image's result."""
        if self._write is not None:
            self._write(encode_line(prediction_document(image, model, backend, result)).decode())

    def skip(self, _image: str, _model: str, _backend: str, _reason: str) -> None:
        """Write nothing."""


@contextmanager
def open_prediction_sink(file: str | None, signature: Signature, *, resume: bool) -> Iterator[PredictionSink]:
    """Open where predictions go.

    A file appears under its own name when the block ends without an error, and whole: with nothing of models that
    failed while others went on. Until then its lines are in `FILE.part`, which stays where the block is left by an
    error or the program is ended.

    Args:
        file: A file's name, `-` for standard output, None for nowhere.
        signature: What decides which lines are written.
        resume: Go on from what an earlier run of the same signature left; where there is nothing, start anew.

    Raises:
        OutputError: The file cannot be written, or another run is writing it.
        UsageError: What is to be gone on from is of another run.
        InputError: It is broken.
    """
    if file is None or file == "-":
        yield LineSink(None if file is None else write_standard_output)
        return
    path = Path(file)
    part_path = path.with_name(path.name + PART_SUFFIX)
    check_writable(path)
    with _open_part(part_path) as stream:
        part: PartFile | None = None
        try:
            part = PartFile(stream, part_path, signature, resume=resume)
            yield part
        except BaseException:
            if not resume and (part is None or part.n_results == 0):
                part_path.unlink(missing_ok=True)
            raise
        with atomic_write(path) as temporary, temporary.open("wb") as finished:
            finished.writelines(part.results())
    part_path.unlink(missing_ok=True)


@contextmanager
def _open_part(path: Path) -> Iterator[BinaryIO]:
    """Open the file for reading and writing, for this process alone, without touching what is in it.

    Raises:
        OutputError: It cannot be opened, or another process has it.
    """
    check_writable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("r+b" if path.exists() else "w+b")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    try:
        _lock(stream, path)
        yield stream
    finally:
        # Lines are handed on one by one: what a full disk has not taken was told then, and would be told again here.
        with suppress(OSError):
            stream.close()


def _lock(stream: BinaryIO, path: Path) -> None:
    """Keep other processes from writing the file.

    Raises:
        OutputError: One of them does.
    """
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(f"{path} is being written by another run", "Name another file, or wait.") from error
        except OSError:  # a share without locks, where runs cannot know of each other
            return
