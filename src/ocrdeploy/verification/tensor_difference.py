"""How far two arrays are apart, and whether that is within tolerance."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.steps import Preprocessed

from .tolerances import Tolerance

PREPROCESSING_TOLERANCE = 2e-5
"""Largest difference of two prepared images that are the same, as a part of the largest magnitude in the reference's.

Whatever the normalisation, the 255 grey levels go up to about twice that magnitude, so this is some 1/400 of a grey
level. The last bit of float32 is a hundredth of it; pipelines that compute in float32 throughout are up to 1/1000 of a
grey level from MMOCR's.
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
        judged: Whether more than that fails; else the difference is told only.
        shapes: The output's shape for each input.
        max_abs: Largest absolute difference; infinite where one side's value is NaN, or an infinity of its own.
        p99_abs: 99th percentile of the absolute differences that are finite, of the input where it is largest.
        largest: The reference's largest finite magnitude; of classes, its largest probability.
        cosine: Cosine of the angle between both outputs' finite values, of the input where it is smallest; of classes
            always 1.
        worst: Where the difference is largest; None as long as there is none.
        unequal: How many classes differ; None for an output that is none of classes.
        uncertain: How many of them neither side gives more than half of the probability.
        same_shapes: Whether both outputs have one shape for every input.
    """

    name: str
    tolerance: Tolerance
    judged: bool = True
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

    def add(self, reference: Array, candidate: Array, label: str = "", *, nan_equals_nan: bool = False) -> float:
        """Take one more input's output of both sides into account.

        Args:
            reference: The reference's output.
            candidate: The candidate's output.
            label: What the input was, for `worst`.
            nan_equals_nan: Whether NaN on both sides is no difference.

        Returns:
            The largest absolute difference for this input; infinite where the shapes differ.
        """
        self.shapes.append(reference.shape)
        self.largest = max(self.largest, largest_magnitude(reference))
        if reference.shape != candidate.shape:
            self.same_shapes = False
            return np.inf
        self.cosine = min(self.cosine, cosine(reference, candidate))
        difference = absolute_difference(reference, candidate, nan_equals_nan=nan_equals_nan)
        return self._take(difference, reference, candidate, label)

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
        apart = np.where(np.isnan(apart), np.float32(np.inf), np.maximum(apart, 0))
        return self._take(np.where(differs, apart, np.float32(0)), reference, candidate, label)

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
        # Between two infinities nothing can be interpolated.
        finite = difference if np.isfinite(worst) else difference[np.isfinite(difference)]
        self.p99_abs = max(self.p99_abs, float(np.percentile(finite, 99)) if finite.size else 0.0)
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
    def passed(self) -> bool | None:
        """Whether shapes agree and the largest difference is within tolerance; None where that is told only.

        Other shapes fail in every number format.
        """
        return (self.max_abs <= self.allowed if self.judged else None) if self.same_shapes else False


@dataclass(slots=True)
class PreprocessingDifference:
    """The difference of two pipelines over several images.

    Attributes:
        images: How many images were compared.
        sizes_tried: How many images of other sizes were compared in this stage alone.
        max_abs: Largest absolute difference of the tensors; infinite where their sizes differ, or one holds NaN.
        largest: Largest finite magnitude in the reference's tensors.
        sizes: Size (height, width) to which the reference and the candidate resized the first image whose sizes
            differ; None where none do.
    """

    images: int = 0
    sizes_tried: int = 0
    max_abs: float = 0.0
    largest: float = 0.0
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
    def allowed(self) -> float:
        """The largest absolute difference that passes."""
        return PREPROCESSING_TOLERANCE * self.largest

    @property
    def passed(self) -> bool:
        """Whether all tensors are equal up to rounding."""
        return self.max_abs <= self.allowed

    def _compare(self, reference: Preprocessed, candidate: Preprocessed) -> None:
        """Take one image into account."""
        self.largest = max(self.largest, largest_magnitude(reference.tensor))
        if reference.tensor.shape == candidate.tensor.shape and reference.resized_shape == candidate.resized_shape:
            difference = absolute_difference(reference.tensor, candidate.tensor)
            self.max_abs = max(self.max_abs, float(difference.max(initial=0)))
            return
        self.max_abs = np.inf
        if self.sizes is None:
            self.sizes = reference.resized_shape, candidate.resized_shape


def _most_of_others(scores: Array) -> Array:
    """Return the most that any other class can have beside the most probable one."""
    most: Array = np.minimum(scores, np.float32(1) - scores)
    return most


def largest_magnitude(array: Array) -> float:
    """Return the largest finite magnitude of an array; 0 where there is none."""
    magnitude = np.abs(array)
    largest = float(magnitude.max(initial=0))
    return largest if np.isfinite(largest) else float(magnitude.max(initial=0, where=np.isfinite(magnitude)))


def absolute_difference(reference: Array, candidate: Array, *, nan_equals_nan: bool = False) -> Array:
    """Return how far two arrays of one shape are apart, value by value, never NaN.

    The same infinity on both sides is no difference. Two other infinities, or infinity and a number, are infinitely far
    apart, and so is NaN from whatever it is compared with.

    Args:
        reference: An array.
        candidate: Another.
        nan_equals_nan: Whether NaN on both sides is no difference, as inside a network that masks it later.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        difference: Array = np.abs(reference - candidate)
    if np.isfinite(difference).all():
        return difference
    difference[~np.isfinite(difference)] = np.inf
    difference[reference == candidate] = 0
    if nan_equals_nan:
        difference[np.isnan(reference) & np.isnan(candidate)] = 0
    return difference


def cosine(reference: Array, candidate: Array) -> float:
    """Return the cosine of the angle between two arrays of one shape, -1 to 1; of what is finite on both sides.

    Two arrays of zeros, or none at all, point the same way; an array of zeros and another are at right angles.
    """
    first, second = (array.ravel().astype(np.float64) for array in (reference, candidate))
    finite = np.isfinite(first) & np.isfinite(second)
    if not finite.all():
        first, second = first[finite], second[finite]
    lengths = float(np.sqrt(np.dot(first, first) * np.dot(second, second)))
    if lengths == 0:
        return float(not first.any() and not second.any())
    return float(np.clip(np.dot(first, second) / lengths, -1, 1))
