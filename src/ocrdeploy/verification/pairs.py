"""One comparison of two models: run, and kept for what reports of it show."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ocrdeploy.backends import Batch
from ocrdeploy.errors import NonFiniteError
from ocrdeploy.predictor import ImageInput

from .bisecting import Bisection, bisect, check_bisectable
from .comparison import Case, Comparison, Side, facts_of
from .document import comparison_document
from .non_finite import first_non_finite
from .output_difference import compared_outputs
from .report.gallery import Gallery
from .report.page import Failure, Section, record_of
from .tolerances import ToleranceRules
from .verifying import count_inputs, verify


class Progress(Protocol):
    """Something that is told how far work is."""

    def advance(self) -> None:
        """Count one more."""
        ...

    def update(self, done: int, total: int | None) -> None:
        """Set how much is done, and of how much."""
        ...


class Watcher(Protocol):
    """Who is told of a verification while it runs."""

    def line(self, text: str, /) -> None:
        """Take a line of what is said beside the results."""
        ...

    def progress(self, description: str, total: int | None, /) -> AbstractContextManager[Progress]:
        """Give what long work tells how far it is."""
        ...


@dataclass(frozen=True, slots=True)
class PairOptions:
    """What is done with each pair.

    Attributes:
        rules: The tolerances.
        seed: Of noise and drawn images.
        bisects: Whether to look for the node where the networks part.
        pictures: Whether to keep pictures for a page.
    """

    rules: ToleranceRules = field(default_factory=ToleranceRules)
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
        options: What is done with it.
        error: Why the two could not be compared to the end; None where they could.
        bisection: Where the networks part; None where it was not looked for.
        first_case: The first image that was compared.
    """

    reference: Side
    candidate: Side
    reference_name: str
    candidate_name: str
    reference_file: Path | None = None
    candidate_file: Path | None = None
    options: PairOptions = field(default_factory=PairOptions)
    error: NonFiniteError | None = None
    bisection: Bisection | None = None
    first_case: Case | None = None
    _comparison: Comparison | None = None
    _gallery: Gallery = field(init=False)
    _seconds: float = 0.0

    def __post_init__(self) -> None:
        """Begin without pictures."""
        names = self.reference_name, self.candidate_name
        self._gallery = Gallery(self.reference, self.candidate, names, self.options.rules)

    @property
    def comparison(self) -> Comparison:
        """What was found; there once `compare` is done."""
        if self._comparison is None:
            raise RuntimeError("nothing was compared yet")
        return self._comparison

    @property
    def passed(self) -> bool:
        """Whether the two agree."""
        return self.error is None and self.comparison.passed

    @property
    def title(self) -> str:
        """What is compared with what."""
        candidate, reference = facts_of(self.candidate).text, facts_of(self.reference).text
        return f"{self.candidate_name} ({candidate}) against {self.reference_name} ({reference})"

    def compare(self, images: Sequence[ImageInput], watcher: Watcher) -> None:
        """Compare the two.

        An output that is not finite is a comparison that fails, and `error` tells it; with `bisects` it names the node
        that NaN or infinity comes from.

        Raises:
            InputError: No image can be read, or a side cannot be bisected.
        """
        if self.options.bisects:
            check_bisectable(self.reference, self.candidate)
        started = time.perf_counter()
        try:
            with watcher.progress("comparing", count_inputs(self.reference, self.candidate, images)) as bar:
                self._comparison = self._verify(images, bar.advance)
        except NonFiniteError as error:
            self.error = error
        else:
            if self.options.bisects:
                self._bisect(watcher)
        self._seconds = time.perf_counter() - started

    def document(self) -> dict[str, Any]:
        """Return what was found as what JSON can hold."""
        if self.error is None:
            return comparison_document(self.comparison, self.bisection)
        return {
            "reference": self.reference.backend.name,
            "candidate": self.candidate.backend.name,
            "precision": self.candidate.backend.precision,
            "passed": False,
            "error": str(self.error),
        }

    def section(self) -> Section | Failure:
        """Return what was found as a part of the page."""
        records = (
            record_of(self.reference, self.reference_name, self.reference_file),
            record_of(self.candidate, self.candidate_name, self.candidate_file),
        )
        if self.error is not None:
            return Failure(*records, str(self.error))
        return Section(*records, self.comparison, self.bisection, self._gallery, self._seconds)

    def _verify(self, images: Sequence[ImageInput], on_input: Callable[[], None]) -> Comparison:
        """Compare the two on all inputs."""
        return verify(
            self.reference,
            self.candidate,
            images,
            self.options.rules,
            on_input,
            self._keep,
            seed=self.options.seed,
            explain=_name_source if self.options.bisects else lambda _side, _batch: "",
        )

    def _keep(self, case: Case) -> None:
        """Keep what the reports show of an image."""
        self.first_case = self.first_case or case
        if self.options.pictures:
            self._gallery.add(case)

    def _bisect(self, watcher: Watcher) -> None:
        """Find the first node that differs."""
        reference, candidate = check_bisectable(self.reference, self.candidate)
        name = compared_outputs(reference.spec, candidate.spec)[0]
        tolerance = self.options.rules.of(name, self.comparison.rule)
        with watcher.progress("node by node", None) as bar:
            self.bisection = bisect(reference, candidate, self.comparison.worst_input, tolerance, bar.update)


def _name_source(side: Side, batch: Batch) -> str:
    """Return which node of a network NaN or infinity comes from."""
    predictor, _ = check_bisectable(side, side)
    found = first_non_finite(predictor, batch)
    if found is None:
        return "every node alone gives finite values"
    return f"the first node that gives one is {found.node} ({found.operator})"
