"""Label files of other projects: docTR's of words and of text detection, PaddleOCR's of text detection."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import AnnotationError

from .parsing import parse_json
from .samples import BrokenSample, DetectionTruth, Item, Sample
from .segmentation import make_truth, to_polygon
from .sources import ImageRoot
from .text_lines import count_lines, parse_lines

PADDLE_IGNORED = ("###", "*")
"""Texts that PaddleOCR ignores."""

T = TypeVar("T")
_Points = list[tuple[float, float]]


class _PaddleText(msgspec.Struct):
    points: _Points
    transcription: str = ""


class _DoctrPage(msgspec.Struct):
    polygons: list[_Points] | dict[str, list[_Points]]


@dataclass(frozen=True, slots=True, eq=False)
class NamedSamples:
    """The images of a file that is one JSON object, in its order.

    Attributes:
        path: The file.
        root: Where the images are.
        entries: What the file says of each image, by name.
        make_truth: Given that and where it is written, returns the truth or raises AnnotationError.
    """

    path: Path
    root: ImageRoot
    entries: dict[str, object]
    make_truth: Callable[[object, str], DetectionTruth | str]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Item]:
        for name, value in self.entries.items():
            origin = f"{self.path}, image {name!r}"
            try:
                yield Sample(name, self.root.find(name), self.make_truth(value, origin), origin)
            except AnnotationError as error:
                yield BrokenSample(error)


@dataclass(frozen=True, slots=True)
class PaddleSamples:
    """The images of PaddleOCR's labels of text detection, a line an image; read anew each time.

    A line is the image's name, a TAB and a JSON list of objects with `points` and `transcription`; the texts `###` and
    `*` are ignored, as PaddleOCR does.

    Attributes:
        path: The file.
        root: Where the images are.
        n_lines: Number of images.
    """

    path: Path
    root: ImageRoot
    n_lines: int

    def __len__(self) -> int:
        return self.n_lines

    def __iter__(self) -> Iterator[Item]:
        return parse_lines(self.path, self._parse)

    def _parse(self, text: str, origin: str) -> Sample:
        name, separator, labels = text.partition("\t")
        if not separator:
            raise AnnotationError(f"{origin}: expected an image, a TAB and a list of texts, got {text.strip()!r}")
        texts = _convert(parse_json(labels, origin), list[_PaddleText], origin)
        truth = make_truth((_polygon(each.points, origin), each.transcription in PADDLE_IGNORED) for each in texts)
        return Sample(name.strip(), self.root.find(name.strip()), truth, origin)


def read_paddle_labels(path: Path, root: ImageRoot) -> PaddleSamples:
    """Open PaddleOCR's labels of text detection.

    Raises:
        AnnotationError: The file is missing, cannot be read or is empty.
    """
    return PaddleSamples(path, root, count_lines(path))


def read_doctr_words(path: Path, root: ImageRoot, document: dict[str, object]) -> NamedSamples:
    """Return the words of docTR's `labels.json`, a text an image's name."""
    return NamedSamples(path, root, document, _word)


def read_doctr_pages(path: Path, root: ImageRoot, document: dict[str, object]) -> NamedSamples:
    """Return the images of docTR's labels of text detection, an object with `polygons` an image's name.

    The polygons are a list, or lists by class, which all count; none is ignored.
    """
    return NamedSamples(path, root, document, _page)


def _word(value: object, origin: str) -> str:
    return _convert(value, str, origin)


def _page(value: object, origin: str) -> DetectionTruth:
    polygons = _convert(value, _DoctrPage, origin).polygons
    groups = polygons.values() if isinstance(polygons, dict) else [polygons]
    return make_truth((_polygon(points, origin), False) for group in groups for points in group)


def _polygon(points: _Points, origin: str) -> NDArray[np.float64]:
    return to_polygon([number for point in points for number in point], origin)


def _convert(value: object, kind: type[T], origin: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise AnnotationError(f"{origin}: {error}") from error
