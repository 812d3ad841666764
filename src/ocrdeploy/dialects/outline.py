"""What a config says, in neutral words: what only one generation of configs has is read already."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from ocrdeploy.decoders import Decoder
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import Dataset, EvaluationSettings, FileRecord, Task
from ocrdeploy.steps import Step, size_multiple

from .section import Section

Dialect = Literal["mmocr0", "mmocr1"]
"""Which generation of MMOCR a config is of."""

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class Outline:
    """What a config says of a model beside its network, which may be any that MMOCR has.

    Attributes:
        architecture: MMOCR's name of the network.
        task: Text detection or recognition.
        preprocessing: Steps of the test pipeline.
        postprocessing: The decoder with its thresholds.
        datasets: The data sets of `data.test`.
        evaluation: The metric.
        record: The config file and its hash.
        bases: The files that the config is based on, and their hashes.
        dialect: Whose words the config has.
    """

    architecture: str
    task: Task
    preprocessing: tuple[Step, ...]
    postprocessing: Decoder
    datasets: tuple[Dataset, ...]
    evaluation: EvaluationSettings
    record: FileRecord
    bases: tuple[FileRecord, ...]
    dialect: Dialect


@dataclass(frozen=True, slots=True)
class WordClasses:
    """The classes of a recogniser with attention, which its network has to know.

    Attributes:
        num_classes: Number of classes.
        start_idx: The class that the first step is given; None where the dictionary has none.
        end_idx: The class that ends a word, likewise.
        padding_idx: The class behind the end, likewise.
        scores_padding: Whether networks score all classes; those of MMOCR 0.x leave out the padding, the last one.
    """

    num_classes: int
    start_idx: int | None
    end_idx: int | None
    padding_idx: int | None
    scores_padding: bool

    @property
    def values(self) -> dict[str, Any]:
        """The keys that a decoder's section gets of them."""
        return {
            "num_classes": self.num_classes,
            "start_idx": self.start_idx,
            "end_idx": self.end_idx,
            "padding_idx": self.padding_idx,
            "scores_padding": self.scores_padding,
        }


class NetworkParts:
    """The sections of a config's `model` that say how its network is built.

    A detector has `backbone`, `neck` and `head`, a recogniser `preprocessor`, `backbone`, `encoder` and `decoder`.
    What they say of training has been left out.

    Args:
        model: The config's `model`; what else it holds has been taken.
        keys: The config's names of parts that are called otherwise here.
        skipped: Keys of any part that have no influence on what a trained model computes.
        given: Parts that have been taken from the model, by their names here.
    """

    def __init__(
        self,
        model: Section,
        keys: Mapping[str, str],
        skipped: tuple[str, ...],
        given: Mapping[str, Section] | None = None,
    ) -> None:
        self._model = model
        self._keys = keys
        self._skipped = skipped
        self._given = dict(given or {})

    def take(self, name: str) -> Section:
        """Return a part.

        Raises:
            ConfigError: The config has no such part.
        """
        part = self._given.pop(name, None) or self._model.section(self._keys.get(name, name))
        part.skip(*self._skipped)
        return part

    def value(self, name: str, kind: Any, default: Any) -> Any:
        """Return a key of the model that is no part, of a kind; the default where the config does not have it."""
        return self._model.take(name, kind, default)

    def take_if_there(self, name: str) -> Section | None:
        """Return a part, or None where the config has none."""
        key = self._keys.get(name, name)
        if name not in self._given and self._model.take_none(key):
            return None
        return self.take(name)

    def expect_none(self, *names: str) -> None:
        """Refuse parts that the network has not.

        Raises:
            ConfigError: The config has one.
        """
        for name in names:
            self._model.expect(self._keys.get(name, name), None)

    def finish(self, make: Callable[..., Settings], *parts: Any) -> Settings:
        """Return the settings of the network, made of its parts.

        Raises:
            ConfigError: The parts do not fit together, or the model has keys that are not known.
        """
        try:
            settings = make(*parts)
        except ValueError as error:
            raise ConfigError(f"{self._model.place} of the config: {error}") from error
        self._model.finish()
        return settings


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What the config's `model` says: MMOCR's name of it, the task, the decoder of its outputs, its network's parts."""

    name: str
    task: Task
    decoder: Decoder
    parts: NetworkParts


def required_section(values: dict[str, Any], key: str) -> Section:
    """Return a section that every config has.

    Raises:
        ConfigError: It is not there.
    """
    if key not in values:
        raise ConfigError(f"the config has no `{key}`")
    return Section(values[key], key)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the config's path before what is wrong with it."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}", error.fix) from error


def check_task(outline: Outline, task: Task | None) -> None:
    """Refuse a model of another task than the one expected; None expects nothing.

    Raises:
        ConfigError: It is of another task.
    """
    if task is not None and task != outline.task:
        raise ConfigError(f"{outline.architecture} is a model for task {outline.task!r}, not {task!r}")


def check_sizes(outline: Outline, multiple: int) -> None:
    """Refuse a pipeline whose images need not be as high and wide as the network takes them."""
    if size_multiple(outline.preprocessing) % multiple:
        raise ConfigError(
            f"the test pipeline does not pad images to multiples of {multiple}, which {outline.architecture} needs",
            f"Add dict(type='Pad', size_divisor={multiple}) after Normalize.",
        )
