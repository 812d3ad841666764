import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.steps import Preprocessed
from ocrdeploy.verification.tensor_difference import (
    PREPROCESSING_TOLERANCE,
    PreprocessingDifference,
    TensorDifference,
    absolute_difference,
    cosine,
    largest_magnitude,
)
from ocrdeploy.verification.tolerances import Tolerance


def prepared(tensor: NDArray[np.float32], resized: tuple[int, int] | None = None) -> Preprocessed:
    height, width = tensor.shape[1:]
    return Preprocessed(tensor, None, None, (height, width), resized or (height, width))


def test_a_tensor_passes_within_atol_plus_rtol_times_the_largest_value() -> None:
    reference = np.array([[10.0, -20.0]], np.float32)
    within, beyond = TensorDifference("x", Tolerance(1e-3, 1e-3)), TensorDifference("x", Tolerance(1e-3, 1e-3))
    within.add(reference, reference + np.float32(0.02))
    beyond.add(reference, reference + np.float32(0.03))
    assert within.largest == 20
    assert within.passed
    assert not beyond.passed


def test_tensors_of_other_shapes_are_a_difference() -> None:
    difference = TensorDifference("x", Tolerance())
    assert difference.add(np.zeros((1, 3), np.float32), np.zeros((1, 4), np.float32)) == np.inf
    assert not difference.passed


def test_the_numbers_are_over_all_inputs_and_the_worst_place_is_named() -> None:
    difference = TensorDifference("x", Tolerance())
    first = np.zeros((1, 1, 2, 5), np.float32)
    second = np.full((2, 1, 2, 5), 4.0, np.float32)
    changed = second.copy()
    changed[1, 0, 1, 3] = 3.5
    assert difference.add(first, first, "one") == 0
    assert difference.worst is None
    assert difference.add(second, changed, "two") == 0.5
    worst = difference.worst
    assert worst is not None
    assert (worst.input, worst.label, worst.index) == (1, "two", (1, 0, 1, 3))
    assert (worst.reference, worst.candidate) == (4.0, 3.5)
    assert difference.shapes == [(1, 1, 2, 5), (2, 1, 2, 5)]
    assert (difference.max_abs, difference.max_rel) == (0.5, 0.125)
    assert difference.mean_abs == pytest.approx(0.5 / 30)
    assert difference.p99_abs == pytest.approx(np.percentile(np.abs(second - changed), 99))
    assert difference.cosine == pytest.approx(
        np.dot(second.ravel(), changed.ravel()) / (4 * 20**0.5) / np.linalg.norm(changed)
    )


CLASSES = np.array([[3, 0, 7]], np.int32)
SCORES = np.array([[0.9, 0.5, 0.4]], np.float32)


@pytest.mark.parametrize(
    ("place", "score", "expected"),
    [(0, 0.9, 0.8), (0, 0.2, 0.7), (1, 0.5001, 0.0001), (1, 0.7, 0.2), (2, 0.4, 0.0), (2, 0.1, 0.3), (2, 0.8, 0.4)],
)
def test_other_classes_differ_by_the_least_that_their_probabilities_are_apart(
    place: int, score: float, expected: float
) -> None:
    classes, scores = CLASSES.copy(), SCORES.copy()
    classes[0, place], scores[0, place] = 9, score
    difference = TensorDifference("indices", Tolerance(1e-4, 1e-4))
    assert difference.add_classes(CLASSES, classes, SCORES, scores, "word") == pytest.approx(expected, abs=1e-6)
    assert difference.unequal == 1
    assert difference.uncertain == (max(score, float(SCORES[0, place])) <= 0.5)
    assert difference.largest == pytest.approx(0.9)
    assert difference.passed == (expected < 1e-3 / 5)
    if expected:
        assert difference.worst is not None
        assert (difference.worst.index, difference.worst.candidate) == ((0, place), 9)


def test_equal_classes_do_not_differ_whatever_their_scores() -> None:
    difference = TensorDifference("indices", Tolerance(0, 0))
    assert difference.add_classes(CLASSES, CLASSES, SCORES, SCORES * np.float32(0.5)) == 0
    assert difference.passed
    assert (difference.unequal, difference.max_abs) == (0, 0)
    empty = np.zeros((1, 0), np.int32), np.zeros((1, 0), np.float32)
    assert difference.add_classes(empty[0], empty[0], empty[1], empty[1]) == 0


def test_classes_of_other_shapes_are_a_difference() -> None:
    difference = TensorDifference("indices", Tolerance())
    assert difference.add_classes(CLASSES, CLASSES[:, :2], SCORES, SCORES[:, :2]) == np.inf
    assert not difference.passed


def test_no_difference_is_none_in_every_number() -> None:
    difference = TensorDifference("x", Tolerance(0, 0))
    difference.add(np.ones((1, 2), np.float32), np.ones((1, 2), np.float32))
    assert (difference.max_abs, difference.mean_abs, difference.p99_abs, difference.cosine) == (0, 0, 0, 1)
    assert difference.passed


def test_an_output_without_numbers_agrees_with_itself() -> None:
    difference = TensorDifference("x", Tolerance())
    difference.add(np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32))
    assert difference.passed
    assert (difference.mean_abs, difference.max_rel) == (0, 0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [([1, 2], [2, 4], 1), ([1, 0], [0, 3], 0), ([1, 1], [-1, -1], -1), ([0, 0], [0, 0], 1), ([0, 0], [0, 1], 0)],
)
def test_cosine(first: list[float], second: list[float], expected: float) -> None:
    assert cosine(np.array(first, np.float32), np.array(second, np.float32)) == pytest.approx(expected)


def test_pipelines_agree_up_to_rounding() -> None:
    tensor = np.ones((3, 4, 5), np.float32)
    difference = PreprocessingDifference()
    difference.add(prepared(tensor), prepared(tensor + np.float32(PREPROCESSING_TOLERANCE / 2)))
    assert difference.passed
    difference.add(prepared(tensor), prepared(tensor + np.float32(0.004)))
    assert not difference.passed
    assert difference.images == 2


@pytest.mark.parametrize(
    "other",
    [prepared(np.ones((3, 4, 6), np.float32)), prepared(np.ones((3, 4, 5), np.float32), (4, 4))],
    ids=["padded", "resized"],
)
def test_sizes_that_differ_are_a_difference_also_within_equal_padding(other: Preprocessed) -> None:
    difference = PreprocessingDifference()
    difference.add(prepared(np.ones((3, 4, 5), np.float32)), other)
    assert not difference.passed
    assert difference.max_abs == np.inf
    assert difference.sizes == ((4, 5), other.resized_shape)


NAN, INF = np.float32(np.nan), np.float32(np.inf)


@pytest.mark.parametrize("values", [[NAN, NAN], [NAN, INF], [0, NAN], [INF, 0], [5, -INF]])
def test_nan_and_infinity_are_the_largest_difference(values: list[np.float32]) -> None:
    reference, candidate = np.zeros((1, 1, 2), np.float32), np.array([[values]], np.float32)
    for first, second in ((reference, candidate), (candidate, reference)):
        tensors, pipelines = TensorDifference("x", Tolerance()), PreprocessingDifference()
        assert tensors.add(first, second) == np.inf
        assert tensors.worst is not None
        pipelines.add(prepared(first), prepared(second))
        for difference in (tensors, pipelines):
            assert difference.max_abs == np.inf
            assert not difference.passed


def test_nan_on_both_sides_is_no_agreement_and_the_same_infinity_is() -> None:
    nan, inf = np.full((1, 1, 2), NAN), np.array([[[-INF, 1]]])
    difference = PreprocessingDifference()
    difference.add(prepared(inf), prepared(inf))
    assert difference.passed
    difference.add(prepared(nan), prepared(nan))
    assert not difference.passed
    assert absolute_difference(nan, nan, nan_equals_nan=True).max() == 0
    assert largest_magnitude(inf) == 1
    assert largest_magnitude(nan) == 0


def test_classes_whose_probability_is_nan_are_apart() -> None:
    difference = TensorDifference("indices", Tolerance())
    assert difference.add_classes(CLASSES, CLASSES + np.int32(1), SCORES, SCORES * NAN) == np.inf


@pytest.mark.parametrize(("std", "passes"), [(1.0, True), (57.0, True), (127.5, True)])
def test_pipelines_may_differ_by_a_part_of_a_grey_level(std: float, passes: bool) -> None:
    tensor = np.linspace(-150, 105, 48, dtype=np.float32).reshape(3, 4, 4)
    for part, passed in ((1e-3, passes), (1e-2, False)):
        difference = PreprocessingDifference()
        difference.add(prepared(tensor / np.float32(std)), prepared((tensor + np.float32(part)) / np.float32(std)))
        assert difference.passed == passed
