"""How far two arrays are apart, and whether that is within tolerance."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.steps import Preprocessed

from .tolerances import Tolerance

PREPROCESSING_TOLERANCE = 1e-5
"""Largest difference of two prepared images that are the same.

One grey level of 255 is 0.004 and more after every normalisation in use, and the last bit of float32 some 1e-7.
"""

Array = NDArray[np.float32]
Classes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class WorstValue:
    """Where two outputs differ most.

    Attributes:
        input: Which input it was, counted from 0 in the order of comparing.
        label: What that input was.
        index: Place in the output: n, c, y, x, or n, step, class.
        reference: The reference's value there.
        candidate: The candidate's value there.
    """

    input: int
    label: str
    index: tuple[int, ...]
    reference: float
    candidate: float


@dataclass(slots=True)
class TensorDifference:
    """The difference of one output over several inputs.

    Attributes:
        name: The output's name.
        tolerance: What is allowed.
        shapes: The output's shape for each input.
        max_abs: Largest absolute difference.
        p99_abs: 99th percentile of the absolute difference, of the input where it is largest.
        largest: The reference's largest magnitude; of classes, its largest probability.
        cosine: Cosine of the angle between both outputs, of the input where it is smallest; of classes always 1.
        worst: Where the difference is largest; None as long as there is none.
        unequal: How many classes differ; None for an output that is none of classes.
        uncertain: How many of them neither side gives more than half of the probability.
        same_shapes: Whether both outputs have one shape for every input.
    """

    name: str
    tolerance: Tolerance
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    max_abs: float = 0.0
    p99_abs: float = 0.0
    largest: float = 0.0
    cosine: float = 1.0
    worst: WorstValue | None = None
    same_shapes: bool = True
    unequal: int | None = None
    uncertain: int = 0
    _total: float = 0.0
    _count: int = 0

    def add(self, reference: Array, candidate: Array, label: str = "") -> float:
        """Take one more input's output of both sides into account.

        Args:
            reference: The reference's output.
            candidate: The candidate's output.
            label: What the input was, for `worst`.

        Returns:
            The largest absolute difference for this input; infinite where the shapes differ.
        """
        self.shapes.append(reference.shape)
        self.largest = max(self.largest, float(np.abs(reference).max(initial=0)))
        if reference.shape != candidate.shape:
            self.same_shapes = False
            return np.inf
        self.cosine = min(self.cosine, cosine(reference, candidate))
        return self._take(np.abs(reference - candidate), reference, candidate, label)

    def add_classes(
        self, reference: Classes, candidate: Classes, reference_scores: Array, candidate_scores: Array, label: str = ""
    ) -> float:
        """Take one more input's classes of both sides into account.

        How far two numbers of classes are apart means nothing, and where two classes are equally probable the last bit
        decides between them. But what one side gives its class bounds what it gives the other's: with probability p for
        its most probable class, no other has more than min(p, 1 - p). So where two classes differ, their difference is
        the least by which both sides' probabilities of one of the two are apart, whatever the other classes have. It is
        measured, as its tolerance is, on the scale of the probabilities. It may be 0 only where neither side is certain
        of its class, which `uncertain` counts.

        Args:
            reference: The reference's classes.
            candidate: The candidate's classes.
            reference_scores: The probability of each of the reference's classes, 0 to 1, in an array of the same shape.
            candidate_scores: Likewise the candidate's.
            label: What the input was, for `worst`.

        Returns:
            The largest difference for this input; infinite where the shapes differ.
        """
        self.shapes.append(reference.shape)
        self.largest = max(self.largest, float(reference_scores.max(initial=0)))
        self.unequal = self.unequal or 0
        if reference.shape != candidate.shape:
            self.same_shapes = False
            return np.inf
        differs = reference != candidate
        self.unequal += int(np.count_nonzero(differs))
        larger = np.maximum(reference_scores, candidate_scores)
        self.uncertain += int(np.count_nonzero(differs & (larger <= np.float32(0.5))))
        apart = np.maximum(
            reference_scores - _most_of_others(candidate_scores), candidate_scores - _most_of_others(reference_scores)
        )
        return self._take(np.where(differs, np.maximum(apart, 0), np.float32(0)), reference, candidate, label)

    def _take(self, difference: Array, reference: Array | Classes, candidate: Array | Classes, label: str) -> float:
        """Take the differences of one more input into account; returns the largest."""
        worst = float(difference.max(initial=0))
        if worst > self.max_abs:
            self.max_abs = worst
            index = np.unravel_index(int(difference.argmax()), difference.shape)
            self.worst = WorstValue(
                len(self.shapes) - 1,
                label,
                tuple(int(each) for each in index),
                float(reference[index]),
                float(candidate[index]),
            )
        self.p99_abs = max(self.p99_abs, float(np.percentile(difference, 99)) if difference.size else 0.0)
        self._total += float(difference.sum(dtype=np.float64))
        self._count += difference.size
        return worst

    @property
    def mean_abs(self) -> float:
        """Mean absolute difference over all inputs."""
        return self._total / self._count if self._count else 0.0

    @property
    def max_rel(self) -> float:
        """Largest absolute difference, as a part of the reference's largest magnitude; 0 where both are 0."""
        return self.max_abs / self.largest if self.largest else float(self.max_abs > 0)

    @property
    def allowed(self) -> float:
        """The largest absolute difference that passes."""
        return self.tolerance.allowed(self.largest)

    @property
    def passed(self) -> bool:
        """Whether shapes agree and the largest difference is within tolerance."""
        return self.same_shapes and self.max_abs <= self.allowed


@dataclass(slots=True)
class PreprocessingDifference:
    """The difference of two pipelines over several images.

    Attributes:
        images: How many images were compared.
        sizes_tried: How many images of other sizes were compared in this stage alone.
        max_abs: Largest absolute difference of the tensors; infinite where their sizes differ.
        sizes: Size (height, width) to which the reference and the candidate resized the first image whose sizes
            differ; None where none do.
    """

    images: int = 0
    sizes_tried: int = 0
    max_abs: float = 0.0
    sizes: tuple[tuple[int, int], tuple[int, int]] | None = None

    def add(self, reference: Preprocessed, candidate: Preprocessed) -> None:
        """Compare what both made of one image."""
        self.images += 1
        self._compare(reference, candidate)

    def add_size(self, reference: Preprocessed, candidate: Preprocessed) -> None:
        """Compare what both made of an image that is there for its size."""
        self.sizes_tried += 1
        self._compare(reference, candidate)

    @property
    def passed(self) -> bool:
        """Whether all tensors are equal up to rounding."""
        return self.max_abs <= PREPROCESSING_TOLERANCE

    def _compare(self, reference: Preprocessed, candidate: Preprocessed) -> None:
        """Take one image into account."""
        if reference.tensor.shape == candidate.tensor.shape and reference.resized_shape == candidate.resized_shape:
            difference = np.abs(reference.tensor - candidate.tensor)
            self.max_abs = max(self.max_abs, float(difference.max(initial=0)))
            return
        self.max_abs = np.inf
        if self.sizes is None:
            self.sizes = reference.resized_shape, candidate.resized_shape


def _most_of_others(scores: Array) -> Array:
    """Return the most that any other class can have beside the most probable one."""
    most: Array = np.minimum(scores, np.float32(1) - scores)
    return most


def cosine(reference: Array, candidate: Array) -> float:
    """Return the cosine of the angle between two arrays of one shape, -1 to 1.

    Two arrays of zeros, or none at all, point the same way; an array of zeros and another are at right angles.
    """
    first, second = (array.ravel().astype(np.float64) for array in (reference, candidate))
    lengths = float(np.sqrt(np.dot(first, first) * np.dot(second, second)))
    if lengths == 0:
        return float(not first.any() and not second.any())
    return float(np.clip(np.dot(first, second) / lengths, -1, 1))
