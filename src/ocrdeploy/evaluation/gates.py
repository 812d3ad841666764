"""Thresholds that an evaluation has to keep."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocrdeploy.checks import Check
from ocrdeploy.errors import UsageError
from ocrdeploy.model_spec import DETECTION_METRICS, RECOGNITION_METRICS

from .baseline import Baseline
from .bounds import ROUNDING, Bound, distance, parse_bound
from .reading import read_numbers
from .rows import Arrangement, EvaluationRow
from .scores import metric_number, metric_numbers

SIDE_NUMBERS = ("recall", "precision", "char_recall", "char_precision")
"""What a drop is not judged by: at another score threshold recall falls and precision rises; hmean may be better."""
SPEED_NUMBERS = ("images_per_second",)
SIZE_NUMBERS = ("size_mib", "seconds")


@dataclass(frozen=True, slots=True)
class Gates:
    """What an evaluation has to keep.

    Attributes:
        bounds: Least and most values; where there are several data sets, their mean has to keep them.
        max_drop: How far a score may be under that of the baseline or, without one, of the first model on the same
            data set; None does not compare models, and lets a score drop by one label under the baseline.
        baseline: The rows of an earlier evaluation, which each score is compared with.

    Raises:
        UsageError: `max_drop` is no number from 0 to 1.
    """

    bounds: tuple[Bound, ...] = ()
    max_drop: float | None = None
    baseline: Baseline | None = None

    def __post_init__(self) -> None:
        """Refuse an impossible drop."""
        if self.max_drop is not None and not 0 <= self.max_drop <= 1:
            raise UsageError(f"--max-drop is a number from 0 to 1, got {self.max_drop}")

    def __bool__(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.bounds) or self.max_drop is not None or self.baseline is not None

    def failures(self, arrangement: Arrangement) -> list[str]:
        """Return what is not kept, and by how much; backends that could not run neither pass nor fail."""
        return [text for check in self.checks(arrangement) for text in check.failures]

    def checks(self, arrangement: Arrangement) -> list[Check]:
        """Return each threshold with what does not keep it."""
        if not self:
            return []
        found = [Check("the images are labelled", tuple(_unlabelled(arrangement)))]
        found += [Check(bound.option, tuple(_beyond(bound, arrangement))) for bound in self.bounds]
        if self.baseline is not None:
            rows = [row for row in _rows(arrangement) if row.metrics is not None]
            texts = [text for row in rows for text in self._under_baseline(row, _place(row, arrangement))]
            found.append(Check(f"--baseline {self.baseline.path}", tuple(texts)))
        elif self.max_drop is not None:
            texts = [text for rows in _by_data(arrangement) for text in _dropped(rows, arrangement, self.max_drop)]
            found.append(Check(f"--max-drop {self.max_drop:g}", tuple(texts)))
        return found

    def _under_baseline(self, row: EvaluationRow, place: str) -> Iterator[str]:
        """Yield the numbers of a row that are too far under those of the baseline."""
        if self.baseline is None:
            return
        before = self.baseline.metrics_of(row)
        judged = [name for name in row.metrics or {} if name.rpartition(":")[2] not in SIDE_NUMBERS and name in before]
        if not judged:
            yield f"{self.baseline.path} has no score of {place}"
        allowed = self.max_drop if self.max_drop is not None else 1 / max(1, row.labels)
        for name in judged:
            value = (row.metrics or {})[name]
            drop = before[name] - value
            if drop > allowed + ROUNDING:
                yield (
                    f"{name} of {place} is {value:.4f}, {distance(drop)} under the {before[name]:.4f} of "
                    f"{self.baseline.path}, and {allowed:.2g} is allowed"
                )


def parse_minimum(text: str) -> Bound:
    """Read `--fail-under NAME=VALUE`, such as `hmean-iou:hmean=0.79` or `images_per_second=20`.

    Raises:
        UsageError: It has another form, there is no such number, or the value is none that it can have.
    """
    given, separator, value = text.rpartition("=")
    scores = metric_numbers(DETECTION_METRICS) + metric_numbers(RECOGNITION_METRICS) + read_numbers()
    name = metric_number(given)
    try:
        return parse_bound("--fail-under", f"{name}{separator}{value}", scores, SPEED_NUMBERS, "hmean-iou:hmean=0.79")
    except UsageError as error:
        if not separator:
            raise
        # The name as it was given, which may be MMOCR 1.x's.
        error.message = error.message.replace(f"{name}={value}", text).replace(f"no {name!r}", f"no {given!r}")
        raise


def parse_maximum(text: str) -> Bound:
    """Read `--fail-over NAME=VALUE`, such as `size_mib=20`.

    Raises:
        UsageError: It has another form, there is no such number, or the value is none that it can have.
    """
    return parse_bound("--fail-over", text, (), SIZE_NUMBERS, "size_mib=20")


def check_drop_has_reference(gates: Gates, n_runs: int) -> None:
    """Refuse --max-drop where there is one column only.

    Raises:
        UsageError: There is nothing to compare with.
    """
    if gates.max_drop is not None and gates.baseline is None and n_runs < 2:
        raise UsageError(
            "--max-drop compares with the first column, and there is only one",
            "Give several backends or models, or an earlier result with --baseline.",
        )


def _unlabelled(arrangement: Arrangement) -> Iterator[str]:
    """Yield the rows whose numbers say nothing."""
    for row in _rows(arrangement):
        if row.metrics is not None and not row.labels and not row.mean:
            yield f"nothing is labelled for {_place(row, arrangement)}, so its numbers say nothing"


def _beyond(bound: Bound, arrangement: Arrangement) -> Iterator[str]:
    """Yield the rows whose number does not keep a bound."""
    rows = [row for row in _rows(arrangement) if row.metrics is not None]
    with_mean = {row.run for row in rows if row.mean}
    judged = [row for row in rows if row.mean or row.run not in with_mean]
    values = [(row, value) for row in judged if (value := _number(row, bound.name)) is not None]
    if rows and not values:
        known = ", ".join(dict.fromkeys(key for row in rows for key in row.metrics or {}))
        yield f"{bound.name} was not measured, only {known}"
    for row, value in values:
        if text := bound.failure(_place(row, arrangement), value):
            yield text


def _number(row: EvaluationRow, name: str) -> float | None:
    """Return a number of a row; None where it was not measured."""
    beside = {"images_per_second": row.images_per_second, "size_mib": row.size_mib, "seconds": row.seconds}
    return (row.metrics or {}).get(name, beside.get(name))


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
                    f"{name} of {_place(row, arrangement)} is {value:.4f}, {distance(drop)} under the "
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
