"""How far apart two models may be: by number format, and as the user says."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ocrdeploy.errors import UsageError

ALL_OUTPUTS = ""
"""Stands for every output that has no tolerance of its own."""
SAME_IOU = 0.95
"""Least overlap of a pair of polygons that is the same result, in float32.

One pixel that a difference of 1e-7 lifts over the threshold moves the outline of a small instance by a few percent.
"""
SCORE_TOLERANCE = 1e-3
"""Largest difference between the scores of the same instance or character, in float32."""
MAX_DIFFERING = 0.02
"""The part of the results that may differ in formats whose tensors are not judged."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an output may be from the reference: `atol + rtol * largest`, its largest magnitude."""

    atol: float = 1e-4
    rtol: float = 1e-4

    def allowed(self, largest: float) -> float:
        """Return the largest difference that passes, for a reference whose largest magnitude is `largest`."""
        return self.atol + self.rtol * largest


@dataclass(frozen=True, slots=True)
class ResultTolerance:
    """How far the results of one image may be from the reference's.

    Attributes:
        score: Largest difference between the scores of the same instance or character; None where it is told only.
        overlap: Least overlap of two polygons that are the same instance in the same place; None where it is told only.
        differing: The part of the instances or texts that may be missing, extra or read otherwise.
    """

    score: float | None = SCORE_TOLERANCE
    overlap: float | None = SAME_IOU
    differing: float = 0.0


@dataclass(frozen=True, slots=True)
class PrecisionRule:
    """What two correct implementations of one network may differ by, in a number format.

    Attributes:
        word: The format, as backends and reports write it.
        title: The format in words.
        tensors: How far the outputs may be apart.
        judges_tensors: Whether outputs that are further apart fail; else they are told, and results alone are judged.
        results: How far the results may be apart.
    """

    word: str
    title: str
    tensors: Tolerance
    judges_tensors: bool
    results: ResultTolerance


PRECISION_RULES = (
    # Some hundred times the rounding errors that runtimes show on text detectors and CRNN, and far below what moves a
    # box; scores: ten times what networks show.
    PrecisionRule("fp32", "float32", Tolerance(), True, ResultTolerance()),
    # Products are rounded to 11 significant bits, sums are not. Measured on an H100 and an H200, against the CPU:
    # DBNet 7e-4 of at most 1, PANet 3.5e-3, an official DBNet 3.3e-3; and of the boxes one moved by a pixel.
    PrecisionRule("tf32", "float32 with TF32", Tolerance(5e-3, 5e-3), True, ResultTolerance(2e-2, 0.9)),
    # 11 significant bits, one part in 2048, at every layer: the errors of some thirty layers add up to 4 to 7 parts in
    # 10,000 of the output's largest magnitude, and ten times that is allowed. Scores: three times what PSENet shows,
    # whose scores go through the steepest sigmoids.
    PrecisionRule("fp16", "float16", Tolerance(5e-3, 5e-3), True, ResultTolerance(2e-2)),
    # 8 significant bits, so eight times as much for a node. What such an error makes of an output says little.
    PrecisionRule("bf16", "bfloat16", Tolerance(4e-2, 4e-2), False, ResultTolerance(None, None, MAX_DIFFERING)),
    # A step is one part in 127 of a tensor's range.
    PrecisionRule("int8", "8-bit integers", Tolerance(1e-1, 1e-1), False, ResultTolerance(None, None, MAX_DIFFERING)),
)
"""The number formats, from the finest to the coarsest."""


def rule_of(precision: str, *, tf32: bool = False) -> PrecisionRule:
    """Return what is allowed in a number format.

    Args:
        precision: A backend's `precision`: `fp32`, `fp16`, `bf16` or `int8`.
        tf32: Whether float32 products may be computed in TF32.

    Raises:
        UsageError: The format is not known.
    """
    words = {precision, "tf32"} if tf32 else {precision}
    found = [rule for rule in PRECISION_RULES if rule.word in words]
    if len(found) < len(words):
        known = ", ".join(rule.word for rule in PRECISION_RULES)
        raise UsageError(f"a precision is one of {known}, got {precision!r}")
    return found[-1]


def coarser(first: PrecisionRule, second: PrecisionRule) -> PrecisionRule:
    """Return the rule of the coarser of two formats: no more can be asked of two sides."""
    return max(first, second, key=PRECISION_RULES.index)


@dataclass(frozen=True, slots=True)
class ToleranceRules:
    """Tolerances that a user set in place of those that follow from the number format.

    Attributes:
        atol: Absolute tolerance by output's name; `ALL_OUTPUTS` for those without one.
        rtol: Tolerance relative to the output's largest magnitude, likewise.
        max_differing: The part of the results that may differ, where a number format is judged by them alone.

    Raises:
        UsageError: The part is not between 0 and 1.
    """

    atol: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    rtol: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    max_differing: float | None = None

    def __post_init__(self) -> None:
        """Refuse a part that is none."""
        if self.max_differing is not None and not 0 <= self.max_differing <= 1:
            raise UsageError(f"--max-differing takes a number from 0 to 1, got {self.max_differing:g}")

    def of(self, output: str, rule: PrecisionRule) -> Tolerance:
        """Return the tolerance of an output, where the number formats of both sides allow what a rule says."""
        return Tolerance(
            self.atol.get(output, self.atol.get(ALL_OUTPUTS, rule.tensors.atol)),
            self.rtol.get(output, self.rtol.get(ALL_OUTPUTS, rule.tensors.rtol)),
        )

    def of_results(self, rule: PrecisionRule) -> ResultTolerance:
        """Return the tolerance of the results, likewise."""
        if self.max_differing is None or rule.judges_tensors:
            return rule.results
        return replace(rule.results, differing=self.max_differing)

    def check(self, compared: Iterable[tuple[Iterable[str], PrecisionRule]]) -> None:
        """Refuse tolerances that no comparison would look at.

        Args:
            compared: Of each comparison the outputs that are compared, and what its number formats allow.

        Raises:
            UsageError: A tolerance is for an output that is not compared, or of a kind that no comparison is judged by.
        """
        pairs = [(set(outputs), rule) for outputs, rule in compared]
        known = {name for outputs, _ in pairs for name in outputs}
        words = ", ".join(dict.fromkeys(rule.word for _, rule in pairs))
        judged = [rule.judges_tensors for _, rule in pairs]
        for option, values in (("--atol", self.atol), ("--rtol", self.rtol)):
            for name in values:
                if name != ALL_OUTPUTS and name not in known:
                    raise UsageError(
                        f"{option} {name}=...: no output {name!r} is compared; compared are {', '.join(sorted(known))}"
                    )
            if values and not any(judged):
                raise UsageError(
                    f"{option} is for number formats that are judged by tensors, and {words} is judged by results",
                    "Use --max-differing.",
                )
        if self.max_differing is not None and all(judged):
            raise UsageError(
                f"--max-differing is for bf16 and int8, and this is {words}, which is judged by tensors",
                "Use --atol and --rtol.",
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
        name, separator, number = value.rpartition("=")
        try:
            tolerance = float(number)
        except ValueError:
            tolerance = math.nan
        if not (math.isfinite(tolerance) and tolerance >= 0) or (separator and not name.strip()):
            raise UsageError(f"{option} takes a number of at least 0, or OUTPUT=NUMBER, got {value!r}")
        tolerances[name.strip()] = tolerance
    return tolerances
