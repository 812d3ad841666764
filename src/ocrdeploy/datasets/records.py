"""The entries of line-by-line annotations, from a text file or an LMDB folder."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ocrdeploy.errors import AnnotationError, ConfigError
from ocrdeploy.model_spec import AnnFileLoader, LineJsonParser

from .lmdb_records import LmdbRecords, open_lmdb_records
from .parsing import Parser, parse_line
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
            return TextRecords(path, parser, count_lines(path))
        case "lmdb", LineJsonParser() as parser:
            return open_lmdb_records(path, parser)
        case _:
            raise ConfigError(
                "annotations in an LMDB are read by LineJsonParser only, got LineStrParser",
                "Write LineJsonParser in the loader of the data set.",
            )
