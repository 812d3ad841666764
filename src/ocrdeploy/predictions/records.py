"""Predictions as lines of JSON: what `predict` and `evaluate` write, and what `evaluate` reads again."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ocrdeploy.errors import InputError
from ocrdeploy.results import MIN_POLYGON_POINTS, Detection, Recognition, Result

HALF_SURROGATE = re.compile(rb"\\ud[89a-f]", re.IGNORECASE)
"""How a byte that is no UTF-8 is written in a name."""
MAX_COORDINATE = 1e7
SLACK = 1e-6
"""A mean of probabilities may be above 1 by as much as it is rounded."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
FIX = "Give a file that evaluate --predictions wrote."


@dataclass(frozen=True, slots=True)
class Prediction:
    """One line.

    Attributes:
        image: The image's name, as the data set writes it.
        model: The model that was run.
        backend: What ran it.
        result: What it said; None where there is none.
        error: Why there is none; empty where there is one.
        origin: Where the line is, for messages.
    """

    image: str
    model: str
    backend: str
    result: Result | None
    origin: str
    error: str = ""


class _Line(msgspec.Struct):
    """A line as it is written; keys that are not known are passed over."""

    image: str
    model: str
    backend: str
    polygons: list[list[float]] | None = None
    scores: list[float] | None = None
    text: str | None = None
    char_scores: list[float] | None = None
    error: str | None = None


_DECODER = msgspec.json.Decoder(_Line)


def prediction_document(image: str, model: str, backend: str, result: Result) -> dict[str, Any]:
    """Return one image's result as what JSON can hold; coordinates are pixels of the original image."""
    document: dict[str, Any] = {"image": image, "model": model, "backend": backend}
    if isinstance(result, Recognition):
        return document | {"text": result.text, "char_scores": list(result.char_scores)}
    return document | {
        "polygons": [item.polygon.ravel().tolist() for item in result],
        "scores": [item.score for item in result],
    }


def failure_document(image: str, model: str, backend: str, error: str) -> dict[str, Any]:
    """Return the line of an image that has no result, and why."""
    return {"image": image, "model": model, "backend": backend, "error": error}


def parse_prediction(line: bytes, origin: str) -> Prediction:
    """Read one line.

    Args:
        line: A JSON object in UTF-8.
        origin: Where it is written, for messages: a file and a line's number.

    Raises:
        InputError: It is no JSON, or no prediction.
    """
    try:
        fields = _decode(line)
        result = None if fields.error is not None else _result(fields)
    except (msgspec.DecodeError, UnicodeError, ValueError) as error:
        raise InputError(f"{origin}: expected a prediction as JSON: {error}", FIX) from error
    return Prediction(fields.image, fields.model, fields.backend, result, origin, fields.error or "")


def _decode(line: bytes) -> _Line:
    """Return the fields of a line; JSON has bytes of a name that are no UTF-8 as half surrogates."""
    try:
        return _DECODER.decode(line)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if HALF_SURROGATE.search(line) is None:
            raise
        return msgspec.convert(json.loads(line), _Line)


def _result(fields: _Line) -> Result:
    """Return the result of a line.

    Raises:
        ValueError: It holds none, or one that contradicts itself.
    """
    if fields.polygons is not None and fields.scores is not None:
        pairs = zip(fields.polygons, fields.scores, strict=True)
        return [_detection(polygon, score) for polygon, score in pairs]
    if fields.text is not None and fields.char_scores is not None:
        return Recognition(fields.text, tuple(fields.char_scores))
    raise ValueError("neither polygons and scores nor text and char_scores are there")


def _detection(polygon: list[float], score: float) -> Detection:
    """Return a text instance from its corners x1, y1, x2, y2, ... and its score."""
    if len(polygon) % 2 or len(polygon) < 2 * MIN_POLYGON_POINTS:
        raise ValueError(f"a polygon has an even number of coordinates, at least six, got {len(polygon)}")
    if max(map(abs, polygon)) > MAX_COORDINATE or not -SLACK <= score <= 1 + SLACK:
        raise ValueError(f"coordinates up to {MAX_COORDINATE:g} and scores from 0 to 1 were expected")
    return Detection(np.array(polygon, np.float64).reshape(-1, 2), score)


class PredictionReader:
    """Goes through a file of predictions, line by line, and can look one line ahead.

    Args:
        path: The file, for messages.
        lines: Its lines.
    """

    def __init__(self, path: Path, lines: Iterator[bytes]) -> None:
        self.path = path
        self.count = 0
        self._lines = lines
        self._next: Prediction | None = None

    def peek(self) -> Prediction | None:
        """Return the next prediction, or None at the end.

        Raises:
            InputError: The line is no prediction.
        """
        if self._next is None:
            line = next(self._lines, None)
            if line is None or (self.count and not line.strip() and self._only_blanks_follow()):
                return None
            self.count += 1
            if self.count == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            self._next = parse_prediction(line, f"{self.path}, line {self.count}")
        return self._next

    def first_result(self) -> Prediction | None:
        """Return the next line that has a result, without going on; None where there is none.

        Raises:
            InputError: A line before it, or it, is no prediction.
        """
        found = self.peek()
        passed: list[bytes] = []
        number = self.count
        while found is not None and found.result is None:
            line = next(self._lines, None)
            if line is None:
                found = None
                break
            passed.append(line)
            number += 1
            if line.strip():
                found = parse_prediction(line, f"{self.path}, line {number}")
        self._lines = chain(passed, self._lines)
        return found

    def _only_blanks_follow(self) -> bool:
        """Tell whether there is no further line that is not blank, after one that is: those at the end are none."""
        following = next((line for line in self._lines if line.strip()), None)
        if following is not None:
            self._lines = chain([following], self._lines)
        return following is None

    def drop(self) -> None:
        """Go on to the line after the one that was looked at."""
        self._next = None


@contextmanager
def open_predictions(path: Path) -> Iterator[PredictionReader]:
    """Open a file of predictions, which is read line by line.

    Raises:
        InputError: The file is missing, cannot be read, or holds no line; or it is a pipe with a name, which nobody may
            write to. What a shell opens, as `<(...)`, is read.
    """
    try:
        if path.is_fifo() and path.resolve().exists():
            raise InputError(f"{path}: predictions were expected, and this is a pipe", FIX)
        with path.open("rb") as file:
            reader = PredictionReader(path, iter(file))
            if reader.peek() is None:
                raise InputError(f"{path}: expected predictions, got an empty file", FIX)
            yield reader
    except OSError as error:
        raise InputError(f"{path}: the predictions cannot be read: {error.strerror or error}", FIX) from error
