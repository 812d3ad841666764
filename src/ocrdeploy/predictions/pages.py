"""What readers say of images, as lines of JSON: what `read` writes, and what `evaluate` scores."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from ocrdeploy.errors import InputError
from ocrdeploy.results import MIN_POLYGON_POINTS, Detection, SceneText

FIX = "Give a file that read --json wrote, or one of its form."


class _Word(msgspec.Struct):
    polygon: list[float]
    text: str
    score: float = 0.0
    detection_score: float | None = None


class _Line(msgspec.Struct):
    image: str
    words: list[_Word] | None = None
    error: str | None = None
    detector: str = ""
    recogniser: str = ""


_DECODER = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True, eq=False)
class ReadPage:
    """What a reader said of one image.

    Attributes:
        image: The image's name or path.
        detector: What found the words; empty where the line does not say.
        recogniser: What read them.
        texts: What was read, in the order of the line; None where the image failed.
        detections: The same words as a detector's result.
        error: Why the image failed; empty where it did not.
        origin: Where the line is, for messages.
    """

    image: str
    detector: str
    recogniser: str
    texts: tuple[SceneText, ...] | None
    detections: tuple[Detection, ...]
    error: str
    origin: str


def holds_pages(path: Path) -> bool:
    """Tell whether a file of predictions is of a reader: its first line has words, or fails with a recogniser."""
    try:
        with path.open("rb") as file:
            line = _DECODER.decode(file.readline())
    except (OSError, msgspec.DecodeError, UnicodeError):
        return False
    return line.words is not None or bool(line.recogniser)


def read_pages(path: Path) -> Iterator[ReadPage]:
    """Yield the lines of a file.

    Raises:
        InputError: The file cannot be read, or a line is none of a reader.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield parse_page(line, f"{path}, line {number}")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", FIX) from error


def parse_page(data: bytes, origin: str) -> ReadPage:
    """Return what a line says.

    Args:
        data: A JSON object in UTF-8.
        origin: Where it is, for messages.

    Raises:
        InputError: It is none of a reader.
    """
    try:
        line = _DECODER.decode(data)
        words = line.words if line.words is not None else _no_words(line)
        polygons = [_polygon(word.polygon) for word in words]
        detections = tuple(
            Detection(polygon, word.score if word.detection_score is None else word.detection_score)
            for polygon, word in zip(polygons, words, strict=True)
        )
    except (msgspec.DecodeError, UnicodeError, ValueError) as error:
        raise InputError(f"{origin}: expected what was read in an image as JSON: {error}", FIX) from error
    texts = tuple(SceneText(polygon, word.text) for polygon, word in zip(polygons, words, strict=True))
    return ReadPage(
        line.image,
        line.detector,
        line.recogniser,
        None if line.error is not None else texts,
        detections,
        line.error or "",
        origin,
    )


def _no_words(line: _Line) -> list[_Word]:
    """Return the words of an image that failed: none.

    Raises:
        ValueError: It did not fail.
    """
    if line.error is None:
        raise ValueError("it has neither words nor an error")
    return []


def _polygon(numbers: list[float]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Return corners x1, y1, x2, y2, ... as K×2."""
    if len(numbers) % 2 or len(numbers) < 2 * MIN_POLYGON_POINTS:
        raise ValueError(f"a polygon has an even number of coordinates, at least six, got {len(numbers)}")
    return np.array(numbers, np.float64).reshape(-1, 2)
