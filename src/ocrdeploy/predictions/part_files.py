"""The file of a run that is not yet over: what it holds outlives whatever ends the program."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ocrdeploy.errors import InputError, OutputError, UsageError
from ocrdeploy.results import Result

from .records import Prediction, parse_prediction, prediction_document

HEADER_KEY = "predictions_of"
SKIPPED = b'{"skipped": '
"""How a line begins that stands for an image which could not be read: it is left out of the finished file."""
FAILED = b'{"failed": '
"""How a line begins that stands for a model which failed: all that it had written is taken back."""
BLOCK_BYTES = 1 << 16

Signature = Mapping[str, Any]
"""What decides which lines are written: model, backend, data set and so on, as what JSON can hold."""


class PartFile:
    """The file `FILE.part`: a line with the run's signature, then a line an image of each data set.

    Each line is handed to the operating system at once, so that whatever ends the program leaves whole lines, and at
    most half of one at the end.

    Args:
        file: Opened for reading and writing, binary.
        path: Its name, for messages.
        signature: Of this run.
        resume: Whether to go on from what the file holds.

    Attributes:
        n_results: How many results it holds.

    Raises:
        UsageError: The file is of a run of something else.
    """

    def __init__(self, file: BinaryIO, path: Path, signature: Signature, *, resume: bool) -> None:
        self._file = file
        self._path = path
        self.n_results = 0
        self._line = 1
        self._appending = not (resume and self._has_signature(signature))
        if self._appending:
            file.seek(0)
            file.truncate()
            self._append(encode_line({HEADER_KEY: signature}))
        self._mark = self._place()

    def begin(self, model: str, backend: str) -> str | None:
        """Begin with a model: what it is going to write counts when it has gone through all its data sets.

        Returns:
            Why it failed in the earlier run that is gone on from; None where it did not, and is to be run.
        """
        self._mark = self._place()
        if self._appending:
            return None
        line = self._file.readline()
        if line.startswith(FAILED):
            document = json.loads(line)
            if (document["model"], document["backend"]) == (model, backend):
                self._line += 1
                return str(document["failed"])
        self._file.seek(self._mark[0])
        return None

    def fail(self, model: str, backend: str, reason: str) -> None:
        """Take back what a model has written since it began, and note that it failed."""
        position, self._line, self.n_results = self._mark
        self._append_from(position)
        self._append_line({"failed": reason, "model": model, "backend": backend})

    def _place(self) -> tuple[int, int, int]:
        """Return where the file is, in bytes and lines, and how many results come before."""
        return self._file.tell(), self._line, self.n_results

    def earlier(self, model: str, backend: str, window: int, n_items: int) -> Iterator[Prediction]:
        """Yield what an earlier run wrote for the data set that is gone through next.

        Only whole windows count, because images of one window run together: so the images after them are batched as
        they would have been, and a run that went on gives what one without interruption gives. The rest is cut off.

        Args:
            model: The model that goes through it.
            backend: What runs the model.
            window: How many images make a window.
            n_items: How many images the data set has, those that cannot be read included.

        Raises:
            InputError: A line is broken, or of another model or backend.
        """
        left = n_items
        while not self._appending and left:
            start, first_line = self._file.tell(), self._line
            block = self._read_window(window, left)
            left -= len(block)
            if left and len(block) < window:
                self._line = first_line
                self._append_from(start)
                return
            for item in block:
                if (item.model, item.backend) != (model, backend):
                    raise InputError(
                        f"{item.origin}: a result of {item.model} on {item.backend}, and this is {model} on {backend}",
                        "Leave out --resume to start anew.",
                    )
            self.n_results += sum(item.result is not None for item in block)
            yield from block

    def write(self, image: str, model: str, backend: str, result: Result) -> None:
        """Write an image's result."""
        self._append_line(prediction_document(image, model, backend, result))
        self.n_results += 1

    def skip(self, image: str, model: str, backend: str, reason: str) -> None:
        """Note that an image was left out."""
        self._append_line({"skipped": reason, "image": image, "model": model, "backend": backend})

    def results(self) -> Iterator[bytes]:
        """Yield the lines of the finished file.

        Raises:
            InputError: The data sets are at their end, and an earlier run wrote more.
        """
        if not self._appending and self._file.readline():
            raise InputError(
                f"{self._path} holds more results than the data set has images", "Leave out --resume to start anew."
            )
        self._file.seek(0)
        self._file.readline()
        for line in self._file:
            if not line.startswith((SKIPPED, FAILED)):
                yield line

    def _has_signature(self, signature: Signature) -> bool:
        """Tell whether the file begins with a signature, and leave the file at the line after it.

        Raises:
            UsageError: It is that of another run.
        """
        _drop_half_line(self._file)
        self._file.seek(0)
        line = self._file.readline()
        if not line:
            return False
        try:
            found = json.loads(line)[HEADER_KEY]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{self._path} is not of an interrupted run", "Remove it, or name another file."
            ) from error
        # As JSON, in which tuples are lists.
        wanted = json.loads(json.dumps(signature))
        for key in dict.fromkeys([*wanted, *found]):
            if wanted.get(key) != found.get(key):
                raise UsageError(
                    f"{self._path} is of a run with {key} {_short(found.get(key))}, this one has "
                    f"{_short(wanted.get(key))}",
                    "Leave out --resume to start anew.",
                )
        return True

    def _read_window(self, window: int, left: int) -> list[Prediction]:
        """Return the lines of the next window, fewer where the file or the data set ends."""
        block: list[Prediction] = []
        while len(block) < min(window, left) and (line := self._file.readline()):
            self._line += 1
            block.append(parse_prediction(line, f"{self._path}, line {self._line}"))
        return block

    def _append_line(self, document: Mapping[str, Any]) -> None:
        """Write a line, behind all that counts."""
        if not self._appending:
            self._append_from(self._file.tell())
        self._append(encode_line(document))

    def _append_from(self, position: int) -> None:
        """Cut off what is behind a position, and write from there on."""
        self._file.seek(position)
        self._file.truncate()
        self._appending = True

    def _append(self, line: bytes) -> None:
        """Write a line and hand it on."""
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}") from error
        self._line += 1


def encode_line(document: Mapping[str, Any]) -> bytes:
    """Return a JSON document as one line; names with bytes that are no UTF-8 keep them escaped."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def _drop_half_line(file: BinaryIO) -> None:
    """Cut off what is behind the last line end."""
    end = file.seek(0, 2)
    while end:
        start = max(0, end - BLOCK_BYTES)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            file.truncate(start + found + 1)
            return
        end = start
    file.truncate(0)


def _short(value: object) -> str:
    """Return a value for a message."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."
