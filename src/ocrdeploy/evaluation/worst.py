"""The worst images of a data set: where a model missed, invented or misread text."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from ocrdeploy.datasets import DetectionTruth, ImageSource, Sample
from ocrdeploy.metrics.hmean import hmean
from ocrdeploy.metrics.matching import Matches
from ocrdeploy.results import Detection, Recognition, Result

Polygon = NDArray[np.float64]
Matcher = Callable[[Sequence[Detection], DetectionTruth], Matches]


@dataclass(frozen=True, slots=True, eq=False)
class Mistakes:
    """What is wrong with the result of one image.

    Attributes:
        name: The image, as the data set names it.
        image: Where it is.
        score: The image's own hmean, or 1 less the normalised edit distance of its text; 0 to 1.
        missing: Labelled instances that were not found: shape (K, 2) each, pixels of the original image.
        extra: Instances that were found and are none, in the same form.
        found: Instances that were found and are right, in the same form.
        read: What was read, for a word; None for an image with text instances.
        truth: What stands there, for a word.
    """

    name: str
    image: ImageSource
    score: float
    missing: tuple[Polygon, ...] = ()
    extra: tuple[Polygon, ...] = ()
    found: tuple[Polygon, ...] = ()
    read: Recognition | None = None
    truth: str = ""

    def __str__(self) -> str:
        """Return it as a line of a report."""
        if self.read is not None:
            return f"{self.name}: read {self.read.text!r}, labelled {self.truth!r}"
        return f"{self.name}: hmean {self.score:.4f}, {len(self.missing)} missing, {len(self.extra)} extra"

    def document(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        if self.read is not None:
            return {"image": self.name, "score": self.score, "text": self.read.text, "truth": self.truth}
        polygons = {"missing": self.missing, "extra": self.extra}
        lists = {key: [polygon.ravel().tolist() for polygon in group] for key, group in polygons.items()}
        return {"image": self.name, "score": self.score, **lists}


class WorstImages:
    """Keeps the images with the lowest scores, of which one without a mistake is none.

    Args:
        count: How many to keep.
        match: Pairs the truths and detections of one image, as the metric does.
    """

    def __init__(self, count: int, match: Matcher) -> None:
        self._count = count
        self._match = match
        self._kept: list[tuple[tuple[float, int, int], Mistakes]] = []
        self._seen = 0

    def look(self, sample: Sample, result: Result) -> None:
        """Look at one image."""
        self._seen += 1
        if not self._count:
            return
        mistakes = _mistakes(sample, result, self._match)
        if mistakes.score == 1:
            return
        # The heap's first is the best of those that are kept; of equals the later goes.
        badness = (-mistakes.score, len(mistakes.missing) + len(mistakes.extra), -self._seen)
        heapq.heappush(self._kept, (badness, mistakes))
        if len(self._kept) > self._count:
            heapq.heappop(self._kept)

    def images(self) -> tuple[Mistakes, ...]:
        """Return what was kept, the worst first."""
        return tuple(mistakes for _, mistakes in sorted(self._kept, key=lambda each: each[0], reverse=True))


def _mistakes(sample: Sample, result: Result, match: Matcher) -> Mistakes:
    """Return what is wrong with one result."""
    match result, sample.truth:
        case Recognition() as read, str(truth):
            score = 1 - Levenshtein.normalized_distance(read.text, truth)
            return Mistakes(sample.name, sample.image, score, read=read, truth=truth)
        case list(), DetectionTruth() as truth:
            matches = match(result, truth)
            right = {prediction for _, prediction in matches.pairs}
            named = {index for index, _ in matches.pairs}
            counted = np.flatnonzero(matches.counted).tolist()
            return Mistakes(
                sample.name,
                sample.image,
                hmean(len(right), len(right), len(truth.polygons), len(counted)).hmean,
                missing=tuple(each for index, each in enumerate(truth.polygons) if index not in named),
                extra=tuple(result[index].polygon for index in counted if index not in right),
                found=tuple(result[index].polygon for index in sorted(right)),
            )
    return Mistakes(sample.name, sample.image, 1.0)
