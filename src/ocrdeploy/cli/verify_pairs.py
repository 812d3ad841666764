"""One comparison of `verify`: run, printed, and kept for its reports."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import Output
from .verify_output import print_comparison

if TYPE_CHECKING:
    from ocrdeploy.backends import Array
    from ocrdeploy.errors import NonFiniteError
    from ocrdeploy.predictor import ImageInput
    from ocrdeploy.verification.bisecting import Bisection
    from ocrdeploy.verification.comparison import Case, Comparison, Side
    from ocrdeploy.verification.report.gallery import Gallery
    from ocrdeploy.verification.report.page import Failure, Section, SideRecord
    from ocrdeploy.verification.tolerances import ToleranceRules


@dataclass(frozen=True, slots=True)
class PairOptions:
    """What is done with each pair.

    Attributes:
        rules: Tolerances; None for those that follow from the candidate's number format.
        seed: Of noise and drawn images.
        bisects: Whether to look for the node where the networks part.
        pictures: Whether to keep pictures for a page.
    """

    rules: "ToleranceRules | None" = None
    seed: int = 0
    bisects: bool = False
    pictures: bool = False


@dataclass(slots=True, eq=False)
class Pair:
    """A reference and a candidate, and what was found of them.

    Attributes:
        reference: The reference.
        candidate: The candidate.
        reference_name: What the reference is called.
        candidate_name: What the candidate is called.
        reference_file: The reference's file, if it is a model.
        candidate_file: The candidate's file.
        error: Why the two could not be compared to the end; None where they could.
    """

    reference: "Side"
    candidate: "Side"
    reference_name: str
    candidate_name: str
    reference_file: Path | None = None
    candidate_file: Path | None = None
    error: "NonFiniteError | None" = None
    _comparison: "Comparison | None" = None
    _bisection: "Bisection | None" = None
    _gallery: "Gallery | None" = None
    _first: "list[Case]" = field(default_factory=list)
    _seconds: float = 0.0

    @property
    def comparison(self) -> "Comparison":
        """What was found; there once `compare` is done."""
        if self._comparison is None:
            raise RuntimeError("nothing was compared yet")
        return self._comparison

    @property
    def passed(self) -> bool:
        """Whether the two agree."""
        return self.error is None and self.comparison.passed

    def compare(self, images: "Sequence[ImageInput]", options: PairOptions, output: Output) -> None:
        """Compare the two and print what is found.

        Raises:
            InputError: An image cannot be read, or a side cannot be bisected.
            NonFiniteError: An output is not finite; with `bisects` the first node that gives NaN or infinity is named.
        """
        from ocrdeploy.verification.bisecting import check_bisectable
        from ocrdeploy.verification.report.gallery import Gallery
        from ocrdeploy.verification.tolerances import ToleranceRules
        from ocrdeploy.verification.verifying import count_inputs, verify

        if options.bisects:
            check_bisectable(self.reference, self.candidate)
        rules = options.rules or ToleranceRules()
        names = self.reference_name, self.candidate_name
        self._gallery = Gallery(self.reference, self.candidate, names, rules)
        started = time.perf_counter()
        output.line(self._title())
        with output.progress("comparing", total=count_inputs(self.reference, self.candidate, images)) as bar:
            self._comparison = verify(
                self.reference,
                self.candidate,
                images,
                rules,
                bar.advance,
                lambda case: self._keep(case, pictures=options.pictures),
                seed=options.seed,
                explain=_name_source if options.bisects else lambda _side, _batch: "",
            )
        if options.bisects:
            self._bisect(rules, output)
        self._seconds = time.perf_counter() - started
        print_comparison(self._comparison, self._bisection, output)

    def try_compare(self, images: "Sequence[ImageInput]", options: PairOptions, output: Output) -> None:
        """Compare the two; an output that is not finite is a comparison that fails, and `error` tells it.

        Raises:
            InputError: See `compare`.
        """
        from ocrdeploy.errors import NonFiniteError

        try:
            self.compare(images, options, output)
        except NonFiniteError as error:
            self.error = error
            output.line("FAILED: an output is not finite")

    def show(self, path: Path, output: Output) -> None:
        """Write both results on the first image, side by side."""
        from ocrdeploy.images.drawing import draw_result, side_by_side, write_png
        from ocrdeploy.verification.report.pictures import colour_pixels

        if not self._first or self.error is not None:
            return
        case = self._first[0]
        pixels = colour_pixels(case, self.reference.spec)
        names = (
            f"{self.reference_name} ({self.comparison.reference.backend})",
            f"{self.candidate_name} ({self.comparison.candidate.backend})",
        )
        pictures = [draw_result(pixels, result, name) for result, name in zip(case.results, names, strict=True)]
        write_png(path, side_by_side(pictures))
        output.line(f"{path}: both results side by side")

    def document(self) -> dict[str, Any]:
        """Return what was found as what JSON can hold."""
        if self.error is not None:
            return {
                "reference": self.reference.backend.name,
                "candidate": self.candidate.backend.name,
                "precision": self.candidate.backend.precision,
                "passed": False,
                "error": str(self.error),
            }
        from ocrdeploy.verification.document import comparison_document

        return comparison_document(self.comparison, self._bisection)

    def failure(self) -> "Failure":
        """Return a comparison that came to no end as a part of the page."""
        from ocrdeploy.verification.report.page import Failure

        return Failure(*self._records(), str(self.error))

    def section(self) -> "Section":
        """Return what was found as a part of the page."""
        from ocrdeploy.verification.report.gallery import Gallery
        from ocrdeploy.verification.report.page import Section
        from ocrdeploy.verification.tolerances import ToleranceRules

        names = self.reference_name, self.candidate_name
        return Section(
            *self._records(),
            self.comparison,
            self._bisection,
            self._gallery or Gallery(self.reference, self.candidate, names, ToleranceRules()),
            self._seconds,
        )

    def _records(self) -> "tuple[SideRecord, SideRecord]":
        """Return both sides for the record, the reference first."""
        from ocrdeploy.verification.report.page import record_of

        return (
            record_of(self.reference, self.reference_name, self.reference_file),
            record_of(self.candidate, self.candidate_name, self.candidate_file),
        )

    def _keep(self, case: "Case", *, pictures: bool) -> None:
        """Keep what the reports show of an image."""
        if not self._first:
            self._first.append(case)
        if pictures and self._gallery is not None:
            self._gallery.add(case)

    def _bisect(self, rules: "ToleranceRules", output: Output) -> None:
        """Find the first node that differs."""
        from ocrdeploy.verification.bisecting import bisect, check_bisectable
        from ocrdeploy.verification.output_difference import compared_outputs

        reference, candidate = check_bisectable(self.reference, self.candidate)
        name = compared_outputs(reference.spec, candidate.spec)[0]
        tolerance = rules.of(name, self.comparison.rule)
        with output.progress("node by node", total=None) as bar:
            self._bisection = bisect(reference, candidate, self.comparison.worst_input, tolerance, bar.update)

    def _title(self) -> str:
        """Return what is compared with what."""
        from ocrdeploy.verification.comparison import facts_of

        candidate, reference = facts_of(self.candidate).text, facts_of(self.reference).text
        return f"{self.candidate_name} ({candidate}) against {self.reference_name} ({reference})"


def _name_source(side: "Side", batch: "Array") -> str:
    """Return which node of a network is the first to give NaN or infinity."""
    from ocrdeploy.verification.bisecting import check_bisectable
    from ocrdeploy.verification.non_finite import first_non_finite

    predictor, _ = check_bisectable(side, side)
    found = first_non_finite(predictor, batch)
    if found is None:
        return "every node alone gives finite values"
    return f"the first node that gives one is {found.node} ({found.operator})"
