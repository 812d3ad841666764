"""The entries of line-by-line annotations, from a text file or an LMDB folder."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ocrdeploy.errors import AnnotationError, ConfigError, warn
from ocrdeploy.model_spec import AnnFileLoader, LineJsonParser, LineStrParser

from .lmdb_records import LmdbRecords, open_lmdb_records
from .parsing import Parser, parse_line, split_line
from .samples import BrokenSample, Item, Sample
from .text_lines import count_lines, parse_lines

Fields = Mapping[str, object]


class Records(Protocol):
    """Entries, each as (fields, where it is written) or broken."""

    def __len__(self) -> int:
        """Return their number."""
        ...

    def __iter__(self) -> Iterator[tuple[Fields, str] | BrokenSample]:
        """Go through them."""
        ...


@dataclass(frozen=True, slots=True)
class TextRecords:
    """The lines of a text file; they are read anew each time they are gone through.

    Source: `AnnFileLoader` with file_format `txt` in `mmocr.datasets.utils.loader`, MMOCR v0.6.3.
    """

    path: Path
    parser: Parser
    n_lines: int

    def __len__(self) -> int:
        return self.n_lines

    def __iter__(self) -> Iterator[tuple[Fields, str] | BrokenSample]:
        return parse_lines(self.path, self._parse)

    def _parse(self, text: str, origin: str) -> tuple[Fields, str]:
        return parse_line(self.parser, text, origin), origin


@dataclass(frozen=True, slots=True)
class RecordSamples:
    """Samples made of entries, all of them `repeat` times over.

    Attributes:
        records: The entries.
        repeat: How often to go through them.
        make_sample: Given the fields of an entry and where it is written, returns its sample or raises
            AnnotationError.
    """

    records: Records
    repeat: int
    make_sample: Callable[[Fields, str], Sample]

    def __len__(self) -> int:
        return len(self.records) * self.repeat

    def __iter__(self) -> Iterator[Item]:
        for _ in range(self.repeat):
            for record in self.records:
                yield record if isinstance(record, BrokenSample) else self._sample(*record)

    def _sample(self, fields: Fields, origin: str) -> Item:
        try:
            return self.make_sample(fields, origin)
        except AnnotationError as error:
            return BrokenSample(error)


def open_records(ann_file: str, loader: AnnFileLoader) -> TextRecords | LmdbRecords:
    """Open the annotations that a loader reads.

    Raises:
        AnnotationError: There are none, or they cannot be read.
        ConfigError: The loader asks for what does not exist.
    """
    if loader.repeat < 1:
        raise ConfigError(f"the repeat of a loader is at least 1, got {loader.repeat}")
    path = Path(ann_file)
    match loader.file_format, loader.parser:
        case "txt", parser:
            return TextRecords(path, parser, _open_lines(path, parser))
        case "lmdb", LineJsonParser() as parser:
            return open_lmdb_records(path, parser)
        case _:
            raise ConfigError(
                "annotations in an LMDB are read by LineJsonParser only, got LineStrParser",
                "Write LineJsonParser in the loader of the data set.",
            )


def _open_lines(path: Path, parser: Parser) -> int:
    """Return the number of lines, and warn of texts that the parser cuts.

    Raises:
        AnnotationError: The file cannot be read, is empty, or holds JSON where the parser splits lines.
    """
    if isinstance(parser, LineJsonParser):
        return count_lines(path)
    columns = _Columns(parser)
    n_lines = count_lines(path, columns.look)
    if columns.is_json:
        raise AnnotationError(
            f"{path}, line 1: expected lines of {', '.join(parser.keys)} separated by {parser.separator!r}, got JSON",
            "LineJsonParser reads a JSON object a line, IcdarDataset a COCO-like file.",
        )
    if columns.cut:
        first, number = columns.cut
        warn(
            f"{path}, line {first}: the text is cut at {parser.separator!r}, as LineStrParser does it; so are those of "
            f"{number} of {n_lines} lines. LineJsonParser keeps them whole"
        )
    return n_lines


class _Columns:
    """Looks at the fields of lines for texts that LineStrParser cuts.

    Of another separator than the blank, columns that no key takes are no part of a text if all lines have them.

    Attributes:
        is_json: Whether the first line begins a JSON document.
    """

    def __init__(self, parser: LineStrParser) -> None:
        self.is_json = False
        self._parser = parser
        self._longer: dict[int, tuple[int, int]] = {}
        self._n_lines = 0

    def look(self, number: int, text: str) -> None:
        """Look at one line."""
        if self._n_lines == 0:
            self.is_json = text.lstrip()[:1] == "[" or re.match(r"\s*\{\s*(\"|$)", text) is not None
        self._n_lines += 1
        n_fields = len(split_line(self._parser, text))
        used = {index if index >= 0 else n_fields + index for index in self._parser.keys_idx}
        if n_fields > len(used):
            first, count = self._longer.get(n_fields, (number, 0))
            self._longer[n_fields] = first, count + 1

    @property
    def cut(self) -> tuple[int, int] | None:
        """The number of the first line whose text is cut, and how many there are; None where there is none."""
        if not self._longer:
            return None
        total = sum(count for _, count in self._longer.values())
        if self._parser.separator != " " and len(self._longer) == 1 and total == self._n_lines:
            return None
        return min(first for first, _ in self._longer.values()), total
