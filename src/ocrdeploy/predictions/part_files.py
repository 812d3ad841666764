"""The file of a run that is not yet over: what it holds outlives whatever ends the program."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ocrdeploy.errors import InputError, OutputError, UsageError

from .records import Prediction, parse_prediction

HEADER_KEY = "predictions_of"
HEADER_START = b'{"predictions_of": '
BLOCK_BYTES = 1 << 16
FIX = "Go on with --resume, or remove the file to begin anew."

Signature = Mapping[str, Any]
"""What decides which lines are written: model, backend, data set and so on, as what JSON can hold."""
Position = tuple[int, ...]
"""Places of a model in the run, of a data set of its and of an image in it, from 0."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A line of an earlier run, and what the image's file was like then."""

    prediction: Prediction
    state: str


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the file: where its image stands, the state of the image's file, and what the finished file gets."""

    position: Position
    state: str
    content: bytes
    number: int


class PartFile:
    """The file `FILE.part`: a line with the run's signature, then a line an image, in the order in which they were run.

    Each line is handed to the operating system at once, so that whatever ends the program leaves whole lines, and at
    most half of one at the end. Nothing that was written is changed: a run that goes on writes what it runs again
    behind the rest, and the last line of an image counts. So the file is made of sorted stretches, one a run, which are
    merged while they are read, and memory does not grow with the number of images.

    Args:
        file: Opened for reading and writing, binary.
        path: Its name, for messages.
        signature: Of this run.
        resume: Whether to go on from what the file holds.

    Attributes:
        n_results: How many results it holds.

    Raises:
        UsageError: The file is of something else or of another run, or holds results and is not to be continued.
        InputError: A line of it is broken.
    """

    def __init__(self, file: BinaryIO, path: Path, signature: Signature, *, resume: bool) -> None:
        self._file = file
        self._path = path
        self.n_results = 0
        self._stretches: list[tuple[int, int]] = []
        self._done: set[int] = set()
        self._run = self._data_set = -1
        if self._has_header() and self._holds_results(signature, resume=resume):
            self._scan()
        else:
            file.seek(0)
            file.truncate()
            self._append(encode_line({HEADER_KEY: signature}))
        self._left = self._merged()
        self._next = next(self._left, None)

    def begin(self, run: int) -> None:
        """Begin with a model.

        Args:
            run: Its place among all. Of those that are never begun with, no result counts.
        """
        self._check_all_taken()
        self._run, self._data_set = run, -1
        self._done.add(run)
        while self._next is not None and self._next.position[0] < run:
            self._next = next(self._left, None)

    def give_up(self) -> None:
        """Take back what the model has written since it began."""
        self._done.discard(self._run)
        self._run = -1

    def begin_data_set(self) -> None:
        """Begin with the model's next data set."""
        self._check_all_taken()
        self._data_set += 1

    def earlier(self, image: int) -> Stored | None:
        """Return what an earlier run wrote for an image of the data set; images are asked for in order.

        Raises:
            InputError: The line is broken.
        """
        line = self._next
        if line is None or line.position != (self._run, self._data_set, image):
            return None
        self._next = next(self._left, None)
        return Stored(parse_prediction(line.content, f"{self._path}, line {line.number}"), line.state)

    def write(self, image: int, state: str, document: Mapping[str, Any]) -> None:
        """Write the line of an image.

        Args:
            image: Its place in the data set.
            state: What its file was like before it was read.
            document: What the finished file gets.
        """
        position = self._run, self._data_set, image
        self._append(_line_bytes(position, state, encode_line(document)))
        self.n_results += 1

    def results(self) -> Iterator[bytes]:
        """Yield the lines of the finished file.

        Raises:
            InputError: The data sets are at their end, and an earlier run wrote more.
        """
        self._check_all_taken()
        self._stretches.clear()
        self._scan()
        for line in self._merged():
            if line.position[0] in self._done:
                yield line.content

    def _check_all_taken(self) -> None:
        """Refuse results of the data set that is left which are of no image."""
        place = (self._run, self._data_set)
        if self._next is not None and self._next.position[:2] == place:
            raise InputError(
                f"{self._path} holds more results than the data set has images", "Remove it to begin anew."
            )

    def _has_header(self) -> bool:
        """Tell whether the file begins with a whole signature, and leave the file behind its line.

        Raises:
            UsageError: It begins with something else.
        """
        self._file.seek(0)
        start = self._file.read(len(HEADER_START))
        if not HEADER_START.startswith(start):
            raise UsageError(f"{self._path} is not of an interrupted run", "Remove it, or name another file.")
        _drop_half_line(self._file)
        self._file.seek(0)
        return bool(self._file.read(1))

    def _holds_results(self, signature: Signature, *, resume: bool) -> bool:
        """Tell whether there is anything to go on from.

        Raises:
            UsageError: It is of another run, or is not to be continued.
        """
        self._file.seek(0)
        header = self._file.readline()
        if not resume:
            if self._file.readline():
                raise UsageError(f"{self._path} holds results of an interrupted run, which would be lost", FIX)
            return False
        try:
            found = json.loads(header)[HEADER_KEY]
            different = [key for key in {**found, **signature} if found.get(key) != _as_json(signature.get(key))]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(f"{self._path} is broken in its first line", "Remove it to begin anew.") from error
        for key in different:
            one, other = _short(found.get(key)), _short(_as_json(signature.get(key)))
            what = "another model, config or checkpoint" if key == "files" else f"{key} {one}, this one has {other}"
            raise UsageError(f"{self._path} is of a run with {what}", "Remove it to begin anew.")
        return True

    def _scan(self) -> None:
        """Find the stretches that are sorted."""
        self._file.seek(0)
        self._file.readline()
        offset, number = self._file.tell(), 2
        last: Position = ()
        self.n_results = 0
        while line := self._file.readline():
            found = self._parse(line, number)
            if found.position <= last or not self._stretches:
                self._stretches.append((offset, number))
            last = found.position
            self.n_results += 1
            offset, number = offset + len(line), number + 1

    def _merged(self) -> Iterator[_Line]:
        """Yield the line of each image that counts, in the order of the images."""
        cursors = list(self._stretches)
        ends = [*(start for start, _ in cursors[1:]), self._file.seek(0, 2)][: len(cursors)]
        heads = [self._read(*cursor, end) for cursor, end in zip(cursors, ends, strict=True)]
        while any(head is not None for head in heads):
            position = min(head[0].position for head in heads if head is not None)
            chosen: _Line | None = None
            for place, head in enumerate(heads):
                if head is not None and head[0].position == position:
                    chosen = head[0]
                    heads[place] = self._read(head[1], head[0].number + 1, ends[place])
            if chosen is not None:
                yield chosen

    def _read(self, offset: int, number: int, end: int) -> tuple[_Line, int] | None:
        """Return the line at a place, and where the next one begins; None at the end."""
        if offset >= end:
            return None
        self._file.seek(offset)
        line = self._file.readline()
        return self._parse(line, number), offset + len(line)

    def _parse(self, line: bytes, number: int) -> _Line:
        """Return the parts of a line.

        Raises:
            InputError: It is none that this class writes.
        """
        before, tab, content = line.partition(b"\t")
        try:
            *position, state = json.loads(before)
            fits = len(position) == 3 and all(type(each) is int and each >= 0 for each in position)
        except (ValueError, TypeError, RecursionError):
            fits = False
        if not fits or not tab or not isinstance(state, str):
            raise InputError(f"{self._path}, line {number}: expected a line of an interrupted run", FIX)
        return _Line(tuple(position), state, content, number)

    def _append(self, line: bytes) -> None:
        """Write a line behind all others and hand it on."""
        try:
            self._file.seek(0, 2)
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}") from error


def encode_line(document: Mapping[str, Any]) -> bytes:
    """Return a JSON document as one line; names with bytes that are no UTF-8 keep them escaped."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def _line_bytes(position: Position, state: str, content: bytes) -> bytes:
    """Return a line of the part file."""
    return json.dumps([*position, state]).encode() + b"\t" + content


def _as_json(value: object) -> Any:
    """Return a value as JSON gives it back, in which tuples are lists."""
    return json.loads(json.dumps(value))


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
