"""The worst images of a comparison, kept as pictures while the others are forgotten."""

from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

from ocrdeploy.results import Recognition, Result
from ocrdeploy.verification.comparison import Case, Side, image_name, rule_of_sides
from ocrdeploy.verification.output_difference import compared_outputs
from ocrdeploy.verification.result_difference import PAIR_IOU, match_detections
from ocrdeploy.verification.tensor_difference import largest_magnitude
from ocrdeploy.verification.tolerances import ToleranceRules

from .pictures import Picture, case_pictures

MAX_CASES = 12
"""So many images are shown, which keeps a report of detections below some 10 MB."""


@dataclass(frozen=True, slots=True)
class PicturedCase:
    """One image in the report.

    Attributes:
        severity: The larger, the worse: unequal results first, then the networks' difference.
        name: Of the image.
        passed: Whether results and outputs agree.
        facts: What is known of it.
        pictures: Of the image, and of the maps.
        results: Both sides'.
    """

    severity: tuple[int, float]
    name: str
    passed: bool
    facts: tuple[str, ...]
    pictures: tuple[Picture, ...]
    results: tuple[Result, Result]


@dataclass(slots=True, eq=False)
class Gallery:
    """Keeps the worst images of a comparison as pictures, never more than are shown.

    Attributes:
        reference: The reference.
        candidate: The candidate.
        names: What they are called.
        rules: The tolerances.
        total: How many images there were.
        cases: The worst of them, the worst first.
    """

    reference: Side
    candidate: Side
    names: tuple[str, str]
    rules: ToleranceRules
    total: int = 0
    cases: list[PicturedCase] = field(default_factory=list)

    def add(self, case: Case) -> None:
        """Take one more image into account."""
        self.total += 1
        name = compared_outputs(self.reference.spec, self.candidate.spec)[0]
        rule = rule_of_sides(self.reference, self.candidate)
        allowed = self.rules.of(name, rule).allowed(largest_magnitude(case.first_outputs[0]))
        results = self.rules.of_results(rule)
        unequal, score_diff, facts = _difference_of_results(*case.results, results.overlap or PAIR_IOU)
        severity = unequal, case.max_abs
        if len(self.cases) == MAX_CASES and severity <= self.cases[-1].severity:
            return
        passed = (
            not unequal
            and (not rule.judges_tensors or case.max_abs <= allowed)
            and (results.score is None or score_diff <= results.score)
        )
        difference = f"network: max {case.max_abs:.2g} of {allowed:.2g} allowed"
        pictures = case_pictures(case, self.reference.spec, self.names, allowed)
        pictured = PicturedCase(severity, image_name(case.image), passed, (facts, difference), pictures, case.results)
        self.cases = sorted([*self.cases, pictured], key=lambda each: each.severity, reverse=True)[:MAX_CASES]


def _difference_of_results(first: Result, second: Result, least_overlap: float) -> tuple[int, float, str]:
    """Return how many instances or characters are unequal, the worst difference of scores, and both in words."""
    if isinstance(first, Recognition) and isinstance(second, Recognition):
        distance = Levenshtein.distance(first.text, second.text)
        if distance or not first.text:
            return distance, 0.0, f"edit distance {distance}"
        worst = max(abs(a - b) for a, b in zip(first.char_scores, second.char_scores, strict=True))
        return 0, worst, f"texts equal, scores within {worst:.2g}"
    if isinstance(first, list) and isinstance(second, list):
        match = match_detections(first, second, least_overlap)
        counts = f"{len(match.pairs)} matched, {len(match.missing)} missing, {len(match.extra)} extra"
        if match.moved:
            counts += f", {len(match.moved)} moved"
        if match.pairs:
            counts += f"; worst IoU {match.worst_iou:.4f}, worst score difference {match.worst_score_diff:.2g}"
        return len(match.missing) + len(match.extra) + len(match.moved), match.worst_score_diff, counts
    raise TypeError("both sides of a comparison have the same task")
