"""Annotations in an LMDB folder, in the two layouts that MMOCR's tools have written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ocrdeploy.errors import AnnotationError
from ocrdeploy.model_spec import LineJsonParser

from .lmdb_store import LmdbReader, open_lmdb
from .parsing import parse_json, parse_line, take_keys
from .samples import BrokenSample

_KEYS_OF_PARTS = {2: ("filename", "text"), 4: ("filename", "height", "width", "annotations")}


@dataclass(frozen=True, slots=True)
class LmdbRecords:
    """The entries of an LMDB; they are read anew each time they are gone through.

    The layout of MMOCR's `recog2lmdb` has the keys `num-samples` and `label-000000001` on; a label is a line of JSON,
    or the text alone if the image is in the LMDB too, under `image-000000001`. The older layout of `txt2lmdb` has
    `total_number` and `0` on; an entry is a line of JSON, or filename and text with a blank between them.

    From both ends of an older entry MMOCR strips the characters `/` and `n`, where it means the line end, and it
    splits JSON at its blanks if there are one or three; here JSON is read as JSON, and nothing is lost at the ends.

    Source: `LmdbAnnFileBackend` in `mmocr.datasets.utils.backend`, MMOCR v0.6.3.

    Attributes:
        folder: The LMDB.
        parser: Which keys of an entry are taken.
        n_entries: Their number.
        holds_images: Whether the images are in the LMDB too.
        is_old: Whether it is of the older layout.
    """

    folder: Path
    parser: LineJsonParser
    n_entries: int
    holds_images: bool
    is_old: bool

    def __len__(self) -> int:
        return self.n_entries

    def __iter__(self) -> Iterator[tuple[Mapping[str, object], str] | BrokenSample]:
        try:
            with open_lmdb(self.folder) as reader:
                for index in range(self.n_entries):
                    yield self._read(reader, index)
        except OSError as error:
            raise _unreadable(self.folder, error) from error

    def _read(self, reader: LmdbReader, index: int) -> tuple[Mapping[str, object], str] | BrokenSample:
        key = str(index) if self.is_old else f"label-{index + 1:09d}"
        origin = f"{self.folder}, key {key}"
        try:
            line = _read_text(reader, key, origin)
            if self.holds_images:
                fields = {"filename": f"image-{index + 1:09d}", "text": line}
                return take_keys(self.parser, fields, origin), origin
            return self._parse_old(line, origin) if self.is_old else parse_line(self.parser, line, origin), origin
        except AnnotationError as error:
            return BrokenSample(error)

    def _parse_old(self, line: str, origin: str) -> dict[str, object]:
        line = line.strip("\r\n")
        parts = line.split(" ")
        keys = _KEYS_OF_PARTS.get(len(parts))
        if line.startswith("{") or keys is None:
            return parse_line(self.parser, line, origin)
        return take_keys(self.parser, dict(zip(keys, parts, strict=True)), origin)


def open_lmdb_records(folder: Path, parser: LineJsonParser) -> LmdbRecords:
    """Open annotations in an LMDB folder.

    Raises:
        AnnotationError: It is no LMDB, not of a layout of MMOCR's, or empty.
    """
    try:
        with open_lmdb(folder) as reader:
            is_old = reader.get("num-samples") is None
            n_entries = _read_count(reader, "total_number" if is_old else "num-samples", folder)
            holds_images = not is_old and reader.get(f"image-{1:09d}") is not None
    except OSError as error:
        raise _unreadable(folder, error) from error
    if n_entries < 1:
        raise AnnotationError(f"{folder}: expected annotations, got an LMDB of {n_entries} entries")
    return LmdbRecords(folder, parser, n_entries, holds_images, is_old)


def _read_count(reader: LmdbReader, key: str, folder: Path) -> int:
    value = reader.get(key)
    if value is None:
        raise AnnotationError(
            f"{folder}: expected an LMDB with the key num-samples or total_number, got one without",
            "Make it with MMOCR's tools/data/utils/recog2lmdb.py.",
        )
    count = parse_json(value.decode(errors="replace"), f"{folder}, key {key}")
    if not isinstance(count, int):
        raise AnnotationError(f"{folder}, key {key}: expected a whole number, got {count!r}")
    return count


def _read_text(reader: LmdbReader, key: str, origin: str) -> str:
    value = reader.get(key)
    if value is None:
        raise AnnotationError(f"{origin}: there is no such key in the LMDB")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{origin}: expected UTF-8, got another encoding") from error


def _unreadable(folder: Path, error: OSError) -> AnnotationError:
    if not folder.exists():
        return AnnotationError(f"{folder}: there is no such LMDB folder")
    return AnnotationError(f"{folder}: expected an LMDB folder, but it cannot be read: {error}")
