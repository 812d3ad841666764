import numpy as np
import pytest

from ocrdeploy import Detection, Recognition
from ocrdeploy.verification.result_difference import (
    DetectionDifference,
    RecognitionDifference,
    match_detections,
    match_pairs,
)
from ocrdeploy.verification.tolerances import ResultTolerance


def box(x: float, y: float, score: float = 0.9) -> Detection:
    return Detection(np.array([(x, y), (x + 20, y), (x + 20, y + 10), (x, y + 10)], float), score)


def test_a_missing_box_is_a_difference() -> None:
    difference = DetectionDifference()
    difference.add([box(0, 0), box(100, 0)], [box(100, 0)])
    assert (difference.matched, difference.missing, difference.extra) == (1, 1, 0)
    assert not difference.passed
    swapped = DetectionDifference()
    swapped.add([box(100, 0)], [box(0, 0), box(100, 0)])
    assert (swapped.matched, swapped.missing, swapped.extra) == (1, 0, 1)
    assert not swapped.passed


def test_no_boxes_on_both_sides_agree() -> None:
    difference = DetectionDifference()
    difference.add([], [])
    assert difference.passed
    assert difference.images == 1


def test_one_box_is_matched_once_even_if_two_overlap_it() -> None:
    difference = DetectionDifference()
    difference.add([box(0, 0)], [box(0, 0), box(0.1, 0)])
    assert (difference.matched, difference.extra, difference.worst_iou) == (1, 1, 1.0)


def test_it_is_known_which_ones_are_alone() -> None:
    match = match_detections([box(0, 0), box(100, 0), box(200, 0)], [box(300, 0), box(200, 0.1), box(0, 0)])
    assert sorted(match.pairs) == [(0, 2), (2, 1)]
    assert (match.missing, match.extra) == ((1,), (0,))
    assert match.worst_iou == pytest.approx(9.9 / 10.1)


def test_a_box_that_moved_is_a_difference_but_not_a_missing_box() -> None:
    difference = DetectionDifference()
    difference.add([box(0, 0), box(100, 0)], [box(0.2, 0), box(104, 0)])
    assert (difference.matched, difference.moved, difference.missing, difference.extra) == (2, 1, 0, 0)
    assert difference.worst_iou == pytest.approx(16 / 24)
    assert not difference.passed
    assert match_detections([box(0, 0), box(100, 0)], [box(0.2, 0), box(104, 0)]).moved == ((1, 1),)


def test_a_box_that_is_half_elsewhere_is_another_box() -> None:
    match = match_detections([box(0, 0)], [box(8, 0)])
    assert (match.pairs, match.missing, match.extra) == ((), (0,), (0,))


def test_a_sliver_without_area_agrees_with_itself() -> None:
    line = Detection(np.array([(0, 0), (10, 0), (20, 0), (5, 0)], float), 0.9)
    moved = Detection(line.polygon + 1, 0.9)
    assert match_detections([line, box(50, 0)], [box(50, 0), line]).missing == ()
    assert match_detections([line], [moved]).missing == (0,)


def test_scores_that_differ_are_a_difference() -> None:
    difference, allowed = DetectionDifference(), DetectionDifference(ResultTolerance(score=0.2))
    for each in (difference, allowed):
        each.add([box(0, 0, 0.9)], [box(0, 0, 0.8)])
    assert difference.worst_score_diff == pytest.approx(0.1)
    assert not difference.passed
    assert allowed.passed


def test_texts_that_differ_are_a_difference() -> None:
    difference = RecognitionDifference()
    difference.add(Recognition("ab", (0.9, 0.8)), Recognition("ab", (0.9, 0.8)))
    assert difference.passed
    difference.add(Recognition("ab", (0.9, 0.8)), Recognition("a", (0.9,)))
    difference.add(Recognition("", ()), Recognition("xyz", (0.9, 0.9, 0.9)))
    assert (difference.images, difference.texts_equal, difference.edit_distance) == (3, 1, 4)
    assert not difference.passed


def test_pairs_are_taken_best_first() -> None:
    overlaps = np.array([[0.96, 0.99], [0.0, 0.97]])
    assert match_pairs(overlaps, 0.95) == [(0, 1)]
    assert match_pairs(np.zeros((0, 3)), 0.95) == []


def test_a_score_that_is_nan_is_the_largest_difference() -> None:
    difference = DetectionDifference()
    other = box(0, 0, 0.9)
    object.__setattr__(other, "score", float("nan"))
    difference.add([box(0, 0, 0.9)], [other])
    assert difference.worst_score_diff == np.inf
    assert not difference.passed


def test_a_part_of_the_instances_may_differ_where_results_alone_are_judged() -> None:
    allowed = ResultTolerance(None, None, 0.02)
    difference = DetectionDifference(allowed)
    difference.add([box(100 * x, 0, 0.9) for x in range(50)], [box(100 * x, 3, 0.5) for x in range(49)])
    # All have moved and have other scores, which is told.
    assert (difference.matched, difference.missing, difference.differing, difference.compared) == (49, 1, 1, 50)
    assert difference.passed
    difference.add([], [box(0, 0, 0.9)])
    assert (difference.differing, difference.compared) == (2, 51)
    assert not difference.passed


def test_a_part_of_the_texts_may_be_read_otherwise_where_results_alone_are_judged() -> None:
    difference = RecognitionDifference(ResultTolerance(None, None, 0.5))
    difference.add(Recognition("a", (0.9,)), Recognition("a", (0.1,)))
    difference.add(Recognition("a", (0.9,)), Recognition("b", (0.9,)))
    assert difference.passed
    difference.add(Recognition("a", (0.9,)), Recognition("c", (0.9,)))
    assert not difference.passed
