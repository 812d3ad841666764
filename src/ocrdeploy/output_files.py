"""The files that a command writes: none of them may be a file that it depends on, or another one that it writes.

A command tells all that it writes first, then all that it reads, as soon as each is known and before it does any work.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ocrdeploy.artifacts import METADATA_KEY, check_folder, check_writable
from ocrdeploy.datasets import ImageFile, Item, LmdbImage, Sample, Samples, read_dataset
from ocrdeploy.datasets.folders import folders_below, list_folder
from ocrdeploy.dialects.config_file import config_files, named_files
from ocrdeploy.engines.files import sidecar_path
from ocrdeploy.errors import InputError, UsageError
from ocrdeploy.model_spec import Dataset, EngineRecord, ModelSpec, decode_spec
from ocrdeploy.onnx_file import read_onnx_facts
from ocrdeploy.running.sources import ENGINE_SUFFIXES, ONNX_SUFFIXES

STANDARD_OUTPUT = "-"
LABEL_SUFFIXES = ((".mdb",), (".txt",), (".json", ".jsonl", ".tsv", ".csv", ".xml"))
"""Kinds of files that hold labels, in the order in which they are looked for in a folder."""


@dataclass(frozen=True, slots=True)
class _Output:
    """A file that is written, and what says so."""

    option: str
    path: str


@dataclass(frozen=True, slots=True)
class _Series:
    """Files of a folder, of which it is not known yet how many are written."""

    option: str
    folder: str
    holds: Callable[[str], bool]


@dataclass(slots=True, eq=False)
class OutputFiles:
    """What one command writes.

    Files are told apart by what they are, not by their names: symbolic and hard links are followed. Only outputs that
    are there already can be inputs, so inputs cost nothing where all outputs are new.
    """

    _by_place: dict[str, _Output] = field(default_factory=dict)
    _by_number: dict[tuple[int, int], _Output] = field(default_factory=dict)
    _series: list[_Series] = field(default_factory=list)

    def add(self, option: str, file: str | Path | None) -> None:
        """Tell a file that is written.

        Args:
            option: What says so, for messages.
            file: The file; None for none, `-` as a text for standard output.

        Raises:
            UsageError: It is another output as well.
            OutputError: It cannot be written.
        """
        if file is None:
            return
        if file != STANDARD_OUTPUT:
            check_writable(Path(file))
        place = STANDARD_OUTPUT if file == STANDARD_OUTPUT else os.path.realpath(file)
        number = None if file == STANDARD_OUTPUT else _number(file)
        output = _Output(option, str(file))
        if number is not None and number in _stream_numbers():
            raise UsageError(f"{option} writes to {file}, where the program's messages go: give it another file")
        same = [self._by_place.get(place), None if number is None else self._by_number.get(number)]
        taken = [each.option for each in same if each] + [each.option for each in self._series if _belongs(place, each)]
        if taken:
            what = "standard output" if file == STANDARD_OUTPUT else str(file)
            if taken[0] == option:
                raise UsageError(
                    f"{option} would write {what} twice, for models of one name",
                    "Rename one of them, or run each alone.",
                )
            raise UsageError(f"{taken[0]} and {option} both write to {what}: give one of them a file")
        self._by_place[place] = output
        if number is not None:
            self._by_number[number] = output

    def add_series(self, option: str, folder: Path, holds: Callable[[str], bool]) -> None:
        """Tell files of a folder that may be written: those whose name `holds` says yes to.

        Raises:
            UsageError: One is another output as well.
            OutputError: The folder cannot be made or written to.
        """
        check_folder(folder)
        series = _Series(option, os.path.realpath(folder), holds)
        for place, output in self._by_place.items():
            if _belongs(place, series):
                raise UsageError(f"{output.option} and {option} both write to {output.path}: give one of them a file")
        self._series.append(series)
        for path in folder.iterdir() if folder.is_dir() else ():
            number = _number(path) if holds(path.name) else None
            if number is not None:
                self._by_number.setdefault(number, _Output(option, str(path)))

    @property
    def replaces_any(self) -> bool:
        """Whether an output is there already."""
        return bool(self._by_number)

    def protect(self, *inputs: str | Path | None) -> None:
        """Tell files that the command depends on; None stands for none.

        Raises:
            UsageError: An output is one of them.
        """
        for path in inputs if self._by_number else ():
            number = None if path is None else _number(path)
            if number is not None and number in self._by_number:
                output = self._by_number[number].path
                same = os.path.normpath(output) == os.path.normpath(str(path))
                what = f"{output} is read" if same else f"{output} is the same file as {path}, which is read"
                raise UsageError(f"{what}, so it is not written over", "Name another file to write.")

    def protect_config(self, config: Path | None) -> None:
        """Tell a config, its bases, and the files that they name, such as a dictionary."""
        if config is not None and self._by_number:
            self.protect(*config_files(config), *named_files(config))

    def protect_model(self, model: Path | None) -> None:
        """Tell a model: its files, and what it was made from and is judged on, which its spec names."""
        if model is None or not self._by_number:
            return
        parts, spec = _model_parts(model)
        self.protect(model, *parts)
        if spec is None:
            return
        self.protect(*(Path(library.path) for library in spec.custom_ops))
        if spec.source is not None:
            for record in (spec.source.config, spec.source.checkpoint):
                self.protect(Path(record.path), model.parent / Path(record.path).name)
            self.protect_config(Path(spec.source.config.path))
        for dataset in spec.datasets:
            self.protect_dataset(dataset)

    def protect_dataset(self, dataset: Dataset) -> None:
        """Tell the labels and images of a data set, as far as they are here."""
        if self._by_number:
            self.protect_labels(Path(dataset.ann_file))
            try:
                samples = read_dataset(dataset)
            except InputError:
                return  # it is not here, or told by whoever needs it
            self.protect_samples(samples)

    def protect_labels(self, labels: Path | None) -> None:
        """Tell a file of labels, or those of a folder."""
        if labels is not None and self._by_number:
            self.protect(*_label_files(labels))

    def protect_samples(self, samples: Samples) -> None:
        """Tell the images of a data set that is open."""
        if self._by_number:
            for path in _image_files(samples):
                self.protect(path)


def _number(path: str | Path) -> tuple[int, int] | None:
    """Return what tells a file from all others, whatever it is called; None where there is none."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _stream_numbers() -> set[tuple[int, int]]:
    """Return the regular files that standard output and errors go to, if any: a log that would be replaced."""
    found = set()
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                found.add((status.st_dev, status.st_ino))
    return found


def _belongs(place: str, series: _Series) -> bool:
    """Tell whether a file is one of a series."""
    folder, name = os.path.split(place)
    return folder == series.folder and series.holds(name)


def _model_parts(model: Path) -> tuple[list[Path], ModelSpec | None]:
    """Return the files beside a model's own that belong to it, and its spec; what is broken is told by the opening."""
    suffix = model.suffix.lower()
    with contextlib.suppress(InputError, OSError, msgspec.DecodeError, UnicodeError, RecursionError):
        if suffix in ONNX_SUFFIXES:
            facts = read_onnx_facts(model)
            parts = [model.parent / name for name in facts.external]
            spec = facts.metadata.get(METADATA_KEY)
            return parts, None if spec is None else decode_spec(spec, str(model))
        if suffix in ENGINE_SUFFIXES:
            sidecar = sidecar_path(model)
            record = msgspec.json.decode(sidecar.read_bytes(), type=EngineRecord)
            return [sidecar, Path(record.onnx.path)], record.spec
    return [sidecar_path(model)] if suffix in ENGINE_SUFFIXES else [], None


def _image_files(samples: Iterable[Item]) -> Iterator[Path]:
    """Yield the files that hold the images of a data set; of an LMDB its own."""
    folders: set[Path] = set()
    for item in samples:
        match item:
            case Sample(image=ImageFile(path)):
                yield path
            case Sample(image=LmdbImage(folder)) if folder not in folders:
                folders.add(folder)
                yield from _label_files(folder)
            case _:
                continue


def _label_files(labels: Path) -> list[Path]:
    """Return the files that labels are read from: one, or those of a folder and of the two levels below it.

    In a folder text files are the labels, and the other kinds where there are no text files; of an LMDB its own files.
    """
    if not labels.is_dir():
        return [labels]
    files: list[Path] = []
    with contextlib.suppress(InputError):
        files = [path for folder in (labels, *folders_below(labels)) for path in list_folder(folder)]
    for suffixes in LABEL_SUFFIXES:
        if found := [path for path in files if path.suffix.lower() in suffixes]:
            return found
    return []
