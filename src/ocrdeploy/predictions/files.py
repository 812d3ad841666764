"""Writing predictions so that a run that was cut off can go on."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ocrdeploy.artifacts import atomic_write, check_writable
from ocrdeploy.errors import OutputError
from ocrdeploy.standard_output import write_standard_output

from .part_files import PartFile, Signature, Stored, encode_line

PART_SUFFIX = ".part"


class PredictionSink(Protocol):
    """Where predictions go; also where those of an earlier run come from. See `PartFile`."""

    def begin(self, run: int, /) -> None:
        """Begin with a model, given its place among all."""
        ...

    def give_up(self) -> None:
        """Take back what the model has written since it began, where that is possible."""
        ...

    def begin_data_set(self) -> None:
        """Begin with the model's next data set."""
        ...

    def earlier(self, image: int, /) -> Stored | None:
        """Return what an earlier run wrote for an image of the data set; images are asked for in order."""
        ...

    def write(self, image: int, state: str, document: Mapping[str, Any], /) -> None:
        """Write the line of an image."""
        ...


class LineSink:
    """Writes lines to standard output, or nowhere; knows of no earlier run."""

    def __init__(self, write: Callable[[str], None] | None) -> None:
        self._write = write

    def begin(self, _run: int, /) -> None:
        """Do nothing."""

    def give_up(self) -> None:
        """Leave what was written: whoever reads the stream has it."""

    def begin_data_set(self) -> None:
        """Do nothing."""

    def earlier(self, _image: int, /) -> None:
        """Return nothing."""

    def write(self, _image: int, _state: str, document: Mapping[str, Any], /) -> None:
        """Write the line of an image."""
        if self._write is not None:
            self._write(encode_line(document).decode())


@contextmanager
def open_prediction_sink(file: str | None, signature: Signature, *, resume: bool) -> Iterator[PredictionSink]:
    """Open where predictions go.

    A file appears under its own name when the block ends without an error, and whole. Until then its lines are in
    `FILE.part`, which stays where the block is left by an error or the program is ended.

    Args:
        file: A file's name, `-` for standard output, None for nowhere.
        signature: What decides which lines are written.
        resume: Go on from what an earlier run of the same signature left, if anything.

    Raises:
        OutputError: The file cannot be written, or another run is writing it.
        UsageError: `FILE.part` is of something else or of another run, or holds results and `resume` is off.
        InputError: It is broken.
    """
    if file is None or file == "-":
        yield LineSink(None if file is None else write_standard_output)
        return
    path = Path(file)
    part_path = path.with_name(path.name + PART_SUFFIX)
    check_writable(path)
    is_new = not part_path.exists()
    with _open_part(part_path) as stream:
        part: PartFile | None = None
        try:
            part = PartFile(stream, part_path, signature, resume=resume)
            yield part
        except BaseException:
            if is_new and (part is None or part.n_results == 0):
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
