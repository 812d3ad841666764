"""How far apart two models may be: by number format, and as the user says."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ocrdeploy.errors import UsageError

ALL_OUTPUTS = ""
"""Stands for every output that has no tolerance of its own."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an output may be from the reference: `atol + rtol * largest`, its largest magnitude."""

    atol: float = 1e-4
    rtol: float = 1e-4

    def allowed(self, largest: float) -> float:
        """Return the largest difference that passes, for a reference whose largest magnitude is `largest`."""
        return self.atol + self.rtol * largest


def tolerance_of_precision(precision: str) -> Tolerance:
    """Return what two correct implementations of one network may differ by, in a number format.

    float32: 1e-4 is some hundred times the rounding errors that runtimes show on text detectors and CRNN, and far below
    what moves a box. float16 rounds to 11 significant bits, one part in 2048, at every layer, and TF32 does so inside
    convolutions; the errors of some thirty layers add up to 4 to 7 parts in 10,000 of the output's largest magnitude,
    and ten times that is allowed. bfloat16 has 8 bits, so eight times as much again.

    Args:
        precision: A backend's `precision`: `fp32`, `tf32`, `fp16`, `bf16`; any other name counts as `fp32`.
    """
    match precision.lower():
        case "fp16" | "float16" | "half" | "mixed" | "tf32":
            return Tolerance(5e-3, 5e-3)
        case "bf16" | "bfloat16":
            return Tolerance(4e-2, 4e-2)
    return Tolerance()


def score_tolerance_of_precision(precision: str) -> float:
    """Return how far the scores of one instance or character may be apart, in a number format.

    float32: ten times what networks show. The lower formats: three times what PSENet shows in float16, whose scores go
    through the steepest sigmoids.

    Args:
        precision: As for `tolerance_of_precision`.
    """
    match precision.lower():
        case "fp16" | "float16" | "half" | "mixed" | "tf32":
            return 2e-2
        case "bf16" | "bfloat16":
            return 1e-1
    return 1e-3


@dataclass(frozen=True, slots=True)
class ToleranceRules:
    """Tolerances that a user set in place of those that follow from the number format.

    Attributes:
        atol: Absolute tolerance by output's name; `ALL_OUTPUTS` for those without one.
        rtol: Tolerance relative to the output's largest magnitude, likewise.
    """

    atol: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    rtol: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, output: str, precision: str) -> Tolerance:
        """Return the tolerance of an output of a candidate that computes in a number format."""
        default = tolerance_of_precision(precision)
        return Tolerance(
            self.atol.get(output, self.atol.get(ALL_OUTPUTS, default.atol)),
            self.rtol.get(output, self.rtol.get(ALL_OUTPUTS, default.rtol)),
        )

    def check_names(self, outputs: Iterable[str]) -> None:
        """Refuse a tolerance for an output that is not compared.

        Raises:
            UsageError: Names it, and the outputs that are compared.
        """
        known = set(outputs)
        for option, values in (("--atol", self.atol), ("--rtol", self.rtol)):
            for name in values:
                if name != ALL_OUTPUTS and name not in known:
                    raise UsageError(
                        f"{option} {name}=...: no output {name!r} is compared; compared are {', '.join(sorted(known))}"
                    )


def parse_tolerances(values: Sequence[str], option: str) -> dict[str, float]:
    """Read what a user wrote for an option: `1e-4` for all outputs, or `prob_map=1e-3` for one.

    Args:
        values: What was written, in order; a later value of the same output counts.
        option: The option, for error messages.

    Raises:
        UsageError: A value is no number of at least zero.
    """
    tolerances: dict[str, float] = {}
    for value in values:
        name, _, number = value.rpartition("=")
        try:
            tolerance = float(number)
        except ValueError:
            tolerance = math.nan
        if not (math.isfinite(tolerance) and tolerance >= 0):
            raise UsageError(f"{option} takes a number of at least 0, or OUTPUT=NUMBER, got {value!r}")
        tolerances[name.strip()] = tolerance
    return tolerances
