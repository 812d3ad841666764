"""Annotation files of one entry a line."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from ocrdeploy.artifacts import what_it_is
from ocrdeploy.errors import AnnotationError

from .samples import BrokenSample

T = TypeVar("T")

_HEAD = 512
_GIVE = "Give a file."


def count_lines(path: Path, look: Callable[[int, str], None] = lambda _number, _text: None) -> int:
    """Return the number of lines that are not blank.

    Args:
        path: The file.
        look: Called with the number and text of each of them; bytes that are no UTF-8 are lone surrogates.

    Raises:
        AnnotationError: There is no such file, it cannot be read, or all its lines are blank.
    """
    n_lines = 0
    for number, text in numbered_lines(path):
        look(number, text)
        n_lines += 1
    if n_lines == 0:
        raise AnnotationError(f"{path}: expected an annotation a line, got an empty file")
    return n_lines


def first_line(path: Path) -> str:
    """Return the first line that is not blank, or an empty string; bytes that are no UTF-8 become lone surrogates.

    Raises:
        AnnotationError: There is no such file, or it cannot be read.
    """
    return next((text for _, text in numbered_lines(path)), "")


def parse_lines(path: Path, parse: Callable[[str, str], T]) -> Iterator[T | BrokenSample]:
    """Parse the lines that are not blank, one by one.

    The file is UTF-8, with or without a byte-order mark, with any kind of line end. MMOCR takes a byte-order mark
    for a part of the first line, and stops at blank lines when it reads a file from a disk, but not otherwise; here
    neither matters.

    Args:
        path: The file.
        parse: Given a line without its end, and where it is written for messages, returns what it says or raises
            AnnotationError.

    Yields:
        What `parse` returns, or its error.

    Raises:
        AnnotationError: There is no such file, or it cannot be read.
    """
    for number, text in numbered_lines(path):
        origin = f"{path}, line {number}"
        try:
            _require_utf8(text, origin)
            yield parse(text, origin)
        except AnnotationError as error:
            yield BrokenSample(error)


def unreadable(path: Path, error: OSError) -> AnnotationError:
    """Return what to tell a user of an annotation file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return AnnotationError(f"{path}: there is no such annotation file")
    return AnnotationError(f"{path}: the annotation file cannot be read: {error.strerror or error}")


def check_regular(path: Path) -> None:
    """Refuse what has no end, or can be read only once, where a file of annotations is read several times.

    Raises:
        AnnotationError: It is a device or a pipe, cannot be looked at, or holds something that is known to be no text.
    """
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise AnnotationError(f"{path}: an annotation file was expected, and this is a device or a pipe", _GIVE)
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise AnnotationError(f"{path!r}: the annotation file cannot be read: {error}") from error
    if found := what_it_is(head):
        raise AnnotationError(f"{path}: an annotation file was expected, and this is {found}")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, without their ends, with their numbers from 1.

    Raises:
        AnnotationError: There is no such file, it cannot be read, or it is no text.
    """
    check_regular(path)
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.rstrip("\n")
    except OSError as error:
        raise unreadable(path, error) from error


def _require_utf8(text: str, origin: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        # What is no UTF-8 was read as lone surrogates, so that the number of the line is known.
        raise AnnotationError(f"{origin}: expected UTF-8, got another encoding", "Save the file as UTF-8.") from error
