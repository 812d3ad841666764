"""Samples: an image, what is known of it, and where that is written."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ocrdeploy.errors import AnnotationError, ImageError
from ocrdeploy.metrics.truth import DetectionTruth

from .lmdb_store import open_lmdb

__all__ = [
    "BrokenSample",
    "DetectionTruth",
    "ImageFile",
    "ImageSource",
    "Item",
    "LmdbImage",
    "Sample",
    "Samples",
    "read_bytes",
    "require_whole",
]


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image in a file of its own."""

    path: Path


@dataclass(frozen=True, slots=True)
class LmdbImage:
    """An encoded image under a key of an LMDB folder, as MMOCR's LoadImageFromLMDB reads it."""

    folder: Path
    key: str


ImageSource = ImageFile | LmdbImage
"""Where the bytes of an image file are."""


def read_bytes(source: ImageSource) -> bytes:
    """Read the bytes of an image file: still encoded, as JPEG for example.

    Raises:
        ImageError: There is no such file or key, or it cannot be read.
    """
    match source:
        case ImageFile(path):
            try:
                return path.read_bytes()
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise ImageError(f"{path}: the image cannot be read: {reason}") from error
        case LmdbImage(folder, key):
            try:
                with open_lmdb(folder) as reader:
                    value = reader.get(key)
            except OSError as error:
                raise ImageError(f"{folder}: the LMDB of images cannot be read: {error}") from error
            if value is None:
                raise ImageError(f"{folder}: the LMDB holds no image {key!r}")
            return value


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image of a data set.

    Attributes:
        name: The image's name as the annotation writes it, such as `test/img_1.jpg`.
        image: Where the image is; it may turn out to be missing or broken when it is read.
        truth: The text instances (detection), the text (recognition), or None where the annotation does not say.
        origin: Where the annotation is written, for messages: a file, and a line or an image's id.
    """

    name: str
    image: ImageSource
    truth: DetectionTruth | str | None
    origin: str


@dataclass(frozen=True, slots=True, eq=False)
class BrokenSample:
    """An annotation that cannot be used, in the place of the sample that it would have been."""

    error: AnnotationError


Item = Sample | BrokenSample


class Samples(Protocol):
    """The samples of a data set, in the annotation file's order; they are read anew each time they are gone through.

    A wrong annotation is a :class:`BrokenSample` in its place, which the reader raises or counts. What makes a whole
    file unusable was raised when the data set was opened.
    """

    def __len__(self) -> int:
        """Return the number of samples, broken ones included."""
        ...

    def __iter__(self) -> Iterator[Item]:
        """Go through the samples."""
        ...


def require_whole(items: Iterable[Item]) -> Iterator[Sample]:
    """Go through samples none of which may be broken.

    Raises:
        AnnotationError: A broken one was reached.
    """
    for item in items:
        match item:
            case BrokenSample(error):
                raise error
            case Sample():
                yield item
