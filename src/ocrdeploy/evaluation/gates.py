"""Thresholds that an evaluation has to keep."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocrdeploy.errors import UsageError
from ocrdeploy.model_spec import DETECTION_METRICS, RECOGNITION_METRICS

from .rows import Arrangement, EvaluationRow
from .scores import metric_number, metric_numbers

ROUNDING = 1e-9
"""Differences of decimal fractions are not exact: 0.795 - 0.790 is a little more than 0.005."""
SIDE_NUMBERS = ("recall", "precision", "char_recall", "char_precision")
"""What a drop is not judged by: at another score threshold recall falls and precision rises; hmean may be better."""


@dataclass(frozen=True, slots=True)
class Minimum:
    """The least that a number may be."""

    metric: str
    least: float


@dataclass(frozen=True, slots=True)
class Gates:
    """What an evaluation has to keep.

    Attributes:
        minima: Least values; where there are several data sets, their mean has to keep them.
        max_drop: How far a score may be under that of the first model on the same data set; None does not compare.

    Raises:
        UsageError: `max_drop` is no number from 0 to 1.
    """

    minima: tuple[Minimum, ...] = ()
    max_drop: float | None = None

    def __post_init__(self) -> None:
        """Refuse an impossible drop."""
        if self.max_drop is not None and not 0 <= self.max_drop <= 1:
            raise UsageError(f"--max-drop is a number from 0 to 1, got {self.max_drop}")

    def __bool__(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.minima) or self.max_drop is not None

    def failures(self, arrangement: Arrangement) -> list[str]:
        """Return what is not kept, and by how much; backends that could not run neither pass nor fail."""
        found = list(_unlabelled(arrangement)) if self else []
        found += [text for minimum in self.minima for text in _under(minimum, arrangement)]
        if self.max_drop is not None:
            found += [text for rows in _by_data(arrangement) for text in _dropped(rows, arrangement, self.max_drop)]
        return found


def parse_minimum(text: str) -> Minimum:
    """Read `NAME=VALUE`, such as `hmean-iou:hmean=0.79`.

    Raises:
        UsageError: It has another form, the value is no number from 0 to 1, or there is no such number.
    """
    given, separator, value = text.rpartition("=")
    name = metric_number(given)
    known = metric_numbers(DETECTION_METRICS) + metric_numbers(RECOGNITION_METRICS)
    if not separator:
        raise UsageError(f"--fail-under has the form NAME=VALUE, such as hmean-iou:hmean=0.79, got {text!r}")
    if name not in known:
        raise UsageError(f"--fail-under {text}: there is no {given!r}; there are {', '.join(known)}")
    try:
        least = float(value)
    except ValueError:
        least = math.nan
    if not 0 <= least <= 1:
        raise UsageError(f"--fail-under {text}: a number from 0 to 1 was expected, got {value!r}")
    return Minimum(name, least)


def check_drop_has_reference(gates: Gates, n_runs: int) -> None:
    """Refuse --max-drop where there is one column only.

    Raises:
        UsageError: There is nothing to compare with.
    """
    if gates.max_drop is not None and n_runs < 2:
        raise UsageError(
            "--max-drop compares with the first column, and there is only one", "Give several backends or models."
        )


def _unlabelled(arrangement: Arrangement) -> Iterator[str]:
    """Yield the rows whose numbers say nothing."""
    for row in _rows(arrangement):
        if row.metrics is not None and not row.labels and not row.mean:
            yield f"nothing is labelled for {_place(row, arrangement)}, so its numbers say nothing"


def _under(minimum: Minimum, arrangement: Arrangement) -> Iterator[str]:
    """Yield the rows whose number is too small."""
    rows = [row for row in _rows(arrangement) if row.metrics is not None]
    with_mean = {row.run for row in rows if row.mean}
    judged = [row for row in rows if row.mean or row.run not in with_mean]
    values = [(row, row.metrics[minimum.metric]) for row in judged if row.metrics and minimum.metric in row.metrics]
    if rows and not values:
        known = ", ".join(dict.fromkeys(key for row in rows for key in row.metrics or {}))
        yield f"{minimum.metric} was not measured, only {known}"
    for row, value in values:
        missing = minimum.least - value
        if missing > ROUNDING:
            place = _place(row, arrangement)
            yield f"{minimum.metric} of {place} is {value:.4f}, {_distance(missing)} under {minimum.least:g}"


def _dropped(rows: Sequence[EvaluationRow], arrangement: Arrangement, max_drop: float) -> Iterator[str]:
    """Yield the numbers on one data set that are too far under those of the first model."""
    first, *others = rows
    if not others:
        yield f"{_place(first, arrangement)} has nothing beside it that it could be compared with"
    if first.metrics is None:
        return
    reference = _name(first, arrangement, beside=others)
    for row in others:
        judged = [name for name in row.metrics or {} if name.rpartition(":")[2] not in SIDE_NUMBERS]
        shared = [name for name in judged if name in first.metrics]
        if row.metrics is not None and not shared:
            yield f"{_place(row, arrangement)} has no number in common with {reference}"
        for name in shared:
            value = (row.metrics or {})[name]
            drop = first.metrics[name] - value
            if drop > max_drop + ROUNDING:
                yield (
                    f"{name} of {_place(row, arrangement)} is {value:.4f}, {_distance(drop)} under the "
                    f"{first.metrics[name]:.4f} of {reference}, and {max_drop:g} is allowed"
                )


def _rows(arrangement: Arrangement) -> list[EvaluationRow]:
    """Return all rows."""
    return [row for group in arrangement.groups for row in group.cells.values()]


def _by_data(arrangement: Arrangement) -> list[list[EvaluationRow]]:
    """Return the rows on each data set, whatever the model, in the order of the columns."""
    found: dict[object, list[tuple[int, EvaluationRow]]] = {}
    for group in arrangement.groups:
        for column, row in group.cells.items():
            found.setdefault((row.data_sets or row.dataset, row.mean), []).append((column, row))
    return [[row for _, row in sorted(rows, key=lambda each: each[0])] for rows in found.values()]


def _name(row: EvaluationRow, arrangement: Arrangement, beside: Sequence[EvaluationRow]) -> str:
    """Return what a row is called beside others: its column, and the model where another one is meant."""
    title = arrangement.title_of(row)
    return (
        title if all(other.model == row.model for other in beside) or row.model in title else f"{row.model} on {title}"
    )


def _place(row: EvaluationRow, arrangement: Arrangement) -> str:
    """Return where a number stands."""
    return f"{row.model} on {arrangement.title_of(row)} ({row.dataset})"


def _distance(value: float) -> str:
    """Return a difference with as many digits as the scores have, or with two that count if that would be nothing."""
    return f"{value:.4f}" if value >= 5e-5 else f"{value:.1e}"
