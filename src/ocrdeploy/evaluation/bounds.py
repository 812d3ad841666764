"""Bounds of numbers, as `--fail-under NAME=VALUE` and `--fail-over NAME=VALUE` name them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ocrdeploy.errors import UsageError

ROUNDING = 1e-9
"""Differences of decimal fractions are not exact: 0.795 - 0.790 is a little more than 0.005."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The least or the most that a number may be.

    Attributes:
        name: The number's name.
        value: The bound.
        is_least: Whether the number may not be smaller; else it may not be larger.
    """

    name: str
    value: float
    is_least: bool = True

    @property
    def option(self) -> str:
        """How it is given on a command line."""
        return f"--fail-{'under' if self.is_least else 'over'} {self.name}={self.value:g}"

    def failure(self, place: str, value: float) -> str | None:
        """Return what to say of a number that does not keep the bound; None where it does."""
        missing = self.value - value if self.is_least else value - self.value
        if missing <= ROUNDING:
            return None
        side = "under" if self.is_least else "over"
        return f"{self.name} of {place} is {_rounded(value)}, {distance(missing)} {side} {self.value:g}"


def parse_bound(option: str, text: str, fractions: Sequence[str], others: Sequence[str], example: str) -> Bound:
    """Read `NAME=VALUE`.

    Args:
        option: `--fail-under` or `--fail-over`.
        text: What was given.
        fractions: Names of numbers from 0 to 1.
        others: Names of numbers from 0 on.
        example: What it may look like.

    Raises:
        UsageError: It has another form, there is no such number, or the value is none that it can have.
    """
    name, separator, value = text.rpartition("=")
    if not separator:
        raise UsageError(f"{option} has the form NAME=VALUE, such as {example}, got {text!r}")
    if name not in fractions and name not in others:
        raise UsageError(f"{option} {text}: there is no {name!r}; there are {', '.join((*fractions, *others))}")
    try:
        bound = float(value)
    except ValueError:
        bound = math.nan
    most = 1.0 if name in fractions else math.inf
    if not 0 <= bound <= most or math.isinf(bound):
        range_ = "from 0 to 1" if name in fractions else "from 0 on"
        raise UsageError(f"{option} {text}: a number {range_} was expected, got {value!r}")
    return Bound(name, bound, is_least=option == "--fail-under")


def distance(value: float) -> str:
    """Return a difference with as many digits as scores have, or with two that count if that would be nothing."""
    if value >= 1:
        return f"{value:.2f}"
    return f"{value:.4f}" if value >= 5e-5 else f"{value:.1e}"


def _rounded(value: float) -> str:
    return f"{value:.4f}" if value <= 1 else f"{value:.2f}"
