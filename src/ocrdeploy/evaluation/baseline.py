"""The result of an earlier `evaluate`, which a later one is compared with."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar

import msgspec

from ocrdeploy.errors import InputError

from .rows import EvaluationRow

T = TypeVar("T")


class _Row(msgspec.Struct):
    """What counts of a row in the JSON of `evaluate`."""

    model: str
    backend: str
    dataset: str
    metrics: dict[str, float]
    architecture: str = ""
    precision: str = ""
    mean: bool = False


class _Document(msgspec.Struct):
    """The JSON of `evaluate`, as far as it counts."""

    schema: int
    command: str
    rows: list[_Row]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Scores of an earlier evaluation.

    Attributes:
        path: The file that `evaluate --json` wrote.
    """

    path: Path
    _rows: tuple[_Row, ...]

    def metrics_of(self, row: EvaluationRow) -> dict[str, float]:
        """Return the scores of the same model, backend, precision and data set; none where there are none.

        A model is the same where its file's name is; where none has it, where architecture is and nothing else fits.
        """
        place = row.backend, row.precision, row.dataset, row.mean
        beside = [each for each in self._rows if (each.backend, each.precision, each.dataset, each.mean) == place]
        name = PurePath(row.model).name
        named = [each for each in beside if PurePath(each.model).name == name]
        alike = named or [each for each in beside if each.architecture == row.architecture.removesuffix("*")]
        return alike[0].metrics if len(alike) == 1 else {}


def read_baseline(path: Path) -> Baseline:
    """Read what `evaluate --json` wrote.

    Raises:
        InputError: The file is missing, or is something else.
    """
    document = read_report(path, "evaluate", _Document)
    return Baseline(path, tuple(document.rows))


class Report(msgspec.Struct):
    """What each JSON document of a command has."""

    schema: int
    command: str


def read_report(path: Path, command: str, kind: type[T]) -> T:
    """Read the JSON that a command wrote.

    Args:
        path: The file.
        command: The command.
        kind: What the document is read as.

    Raises:
        InputError: The file is missing, or is something else.
    """
    fix = f"Give --baseline what ocrdeploy {command} --json FILE wrote."
    try:
        data = path.read_bytes()
        if msgspec.json.decode(data, type=Report).command == command:
            return msgspec.json.decode(data, type=kind)
    except OSError as error:
        raise InputError(f"baseline {path} cannot be read: {error.strerror}", fix) from error
    except msgspec.DecodeError as error:
        raise InputError(f"baseline {path} is no result of {command}: {error}", fix) from error
    raise InputError(f"baseline {path} is the result of another command than {command}", fix)
