"""Thresholds that a benchmark has to keep, and its comparison with an earlier one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import msgspec

from ocrdeploy.checks import Check
from ocrdeploy.errors import InputError, UsageError
from ocrdeploy.evaluation.baseline import read_report
from ocrdeploy.evaluation.bounds import Bound, parse_bound

from .measuring import STAGES
from .rows import BenchmarkRow

RATES = ("images_per_second", "network_images_per_second")
COSTS = (
    "size_mib",
    "peak_rss_mib",
    *(f"{stage}:{name}" for stage in STAGES for name in ("p50", "p90", "p99", "mean")),
)
MAX_SLOWDOWN = 0.05
"""Part of the images a second that may be lost against a baseline: two runs on one machine differ by less, mostly."""


class _Row(msgspec.Struct):
    """What counts of a row in the JSON of `benchmark`."""

    model: str
    backend: str
    batch: int
    images_per_second: float
    precision: str = ""
    device: str = ""
    cpu: str = ""
    shape: list[int] = []
    rounds_images_per_second: list[float] = []


class _Document(msgspec.Struct):
    """The JSON of `benchmark`, as far as it counts."""

    schema: int
    command: str
    rows: list[_Row]


@dataclass(frozen=True, slots=True)
class SpeedBaseline:
    """Speeds of an earlier benchmark.

    Attributes:
        path: The file that `benchmark --json` wrote.
    """

    path: Path
    _rows: tuple[_Row, ...]

    def failure(self, row: BenchmarkRow, max_slowdown: float) -> str | None:
        """Return what to say of a row that is slower than it was; None where it is not.

        It is slower where its median lost more than is allowed, and its fastest round is slower than the slowest of
        the earlier ones: what is within the spread of the rounds says nothing.
        """
        measured = row.measured
        place = row.backend, row.precision, row.device, measured.batch
        fitting = [
            each
            for each in self._rows
            if (each.backend, each.precision, each.device, each.batch) == place
            and PurePath(each.model).name == PurePath(row.model).name
        ]
        if not fitting:
            return f"{self.path} has no speed of {row.place}"
        before = fitting[0]
        if (before.cpu, before.shape) != (row.cpu, list(measured.shape)):
            return f"{self.path} was measured on {before.cpu} with the shape {before.shape}, which {row.place} is not"
        lost = 1 - measured.images_per_second / before.images_per_second
        slowest = min(before.rounds_images_per_second, default=before.images_per_second)
        fastest = max(measured.rounds_images_per_second)
        if lost <= max_slowdown or fastest >= slowest:
            return None
        return (
            f"images_per_second of {row.place} is {measured.images_per_second:.2f}, {lost:.1%} under the "
            f"{before.images_per_second:.2f} of {self.path}, and {max_slowdown:.1%} is allowed; its fastest round "
            f"({fastest:.2f}) is slower than the slowest before ({slowest:.2f})"
        )


@dataclass(frozen=True, slots=True)
class SpeedGates:
    """What a benchmark has to keep.

    Attributes:
        bounds: Least and most values of each row.
        baseline: An earlier benchmark, than which no row may be slower.
        max_slowdown: Part of the images a second that may be lost against it.

    Raises:
        UsageError: `max_slowdown` is no part.
    """

    bounds: tuple[Bound, ...] = ()
    baseline: SpeedBaseline | None = None
    max_slowdown: float = MAX_SLOWDOWN

    def __post_init__(self) -> None:
        """Refuse an impossible part."""
        if not 0 <= self.max_slowdown < 1:
            raise UsageError(f"--max-slowdown is a part from 0 to 1, such as 0.05, got {self.max_slowdown:g}")

    def checks(self, rows: Sequence[BenchmarkRow]) -> list[Check]:
        """Return each threshold with what does not keep it."""
        found = [Check(bound.option, tuple(_beyond(bound, rows))) for bound in self.bounds]
        if self.baseline is not None:
            texts = [text for row in rows if (text := self.baseline.failure(row, self.max_slowdown))]
            found.append(Check(f"--baseline {self.baseline.path}", tuple(texts)))
        return found


def read_speed_baseline(path: Path) -> SpeedBaseline:
    """Read what `benchmark --json` wrote.

    Raises:
        InputError: The file is missing, or is something else.
    """
    rows = tuple(read_report(path, "benchmark", _Document).rows)
    if any(row.images_per_second <= 0 for row in rows):
        raise InputError(f"baseline {path}: images_per_second is above 0")
    return SpeedBaseline(path, rows)


def parse_speed_minimum(text: str) -> Bound:
    """Read `--fail-under NAME=VALUE`, such as `images_per_second=20`.

    Raises:
        UsageError: It has another form, there is no such number, or the value is none that it can have.
    """
    return parse_bound("--fail-under", text, (), RATES, "images_per_second=20")


def parse_speed_maximum(text: str) -> Bound:
    """Read `--fail-over NAME=VALUE`, such as `inference:p90=50`.

    Raises:
        UsageError: It has another form, there is no such number, or the value is none that it can have.
    """
    return parse_bound("--fail-over", text, (), COSTS, "inference:p90=50")


def _beyond(bound: Bound, rows: Sequence[BenchmarkRow]) -> Iterator[str]:
    """Yield the rows whose number does not keep a bound."""
    for row in rows:
        value = row.numbers().get(bound.name)
        if value is None:
            yield f"{bound.name} of {row.place} is not known"
        elif text := bound.failure(row.place, value):
            yield text
