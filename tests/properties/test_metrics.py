"""What holds of the metrics whatever is compared, beyond the properties that are tested beside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrdeploy.metrics import AllScores, DetectionTruth, HmeanIc13, HmeanIou, RecognitionMetric
from ocrdeploy.results import Detection

TOLERANCE = 1e-9
"""Ratios of counts: equal but for the last bits of a division."""
CELL = 40

Polygon = NDArray[np.float64]
coordinates = st.floats(-500, 500, allow_nan=False, width=32)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=7).map(lambda p: np.array(p, np.float64))


def _boxes_apart(corners: list[tuple[int, int, int, int]]) -> list[Polygon]:
    """Return a box in each cell of a row, so that no two overlap."""
    return [
        np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float64)
        + np.array([CELL * index, 0])
        for index, (x, y, width, height) in enumerate(corners)
    ]


apart = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=6
).map(_boxes_apart)


def score(metric: HmeanIou | HmeanIc13, predictions: list[Polygon], truth: DetectionTruth) -> list[float]:
    metric.add([Detection(polygon, 0.9) for polygon in predictions], truth)
    return list(metric.result().values())


@given(apart, apart)
def test_hmean_iou_swaps_recall_and_precision_with_its_arguments(first: list[Polygon], second: list[Polygon]) -> None:
    # Text that does not overlap text of its own side: else the order decides which pairs are made.
    recall, precision, hmean = score(HmeanIou(AllScores()), first, DetectionTruth(tuple(second)))
    assert score(HmeanIou(AllScores()), second, DetectionTruth(tuple(first))) == pytest.approx(
        [precision, recall, hmean], abs=TOLERANCE
    )


def test_nothing_at_all_is_not_symmetric() -> None:
    # As in MMOCR: nothing was missed where there is nothing, and nothing is right of what was not predicted.
    box = _boxes_apart([(0, 0, 9, 9)])
    assert score(HmeanIou(AllScores()), box, DetectionTruth()) == [1, 0, 0]
    assert score(HmeanIou(AllScores()), [], DetectionTruth(tuple(box))) == [0, 0, 0]


@given(st.lists(polygons, max_size=5), st.lists(polygons, max_size=5), st.data())
def test_hmean_ic13_stays_between_zero_and_one(
    predictions: list[Polygon], truths: list[Polygon], data: st.DataObject
) -> None:
    ignored = data.draw(st.integers(0, len(truths)))
    truth = DetectionTruth(tuple(truths[ignored:]), tuple(truths[:ignored]))
    for metric in (HmeanIc13(), HmeanIc13(AllScores())):
        assert all(0 <= value <= 1 for value in score(metric, predictions, truth))


@given(apart, apart, apart)
def test_images_may_come_in_any_order(first: list[Polygon], second: list[Polygon], third: list[Polygon]) -> None:
    images = [(first, second), (second, third), (third, first)]
    results = []
    for order in (images, images[::-1]):
        metric = HmeanIou()
        for predictions, truths in order:
            score(metric, predictions, DetectionTruth(tuple(truths)))
        results.append(metric.result())
    assert results[0] == results[1]


texts = st.text("abCé字1-^ ", max_size=8)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
def test_word_accuracy_and_edit_distance_are_symmetric(pairs: list[tuple[str, str]]) -> None:
    # Not so the recall and precision of characters: difflib finds other blocks when its arguments are swapped.
    there, back = RecognitionMetric(), RecognitionMetric()
    for predicted, truth in pairs:
        there.add(predicted, truth)
        back.add(truth, predicted)
    for name in ("word_acc", "word_acc_ignore_case", "word_acc_ignore_case_symbol", "1-N.E.D"):
        assert there.result()[name] == back.result()[name]


def test_common_characters_are_not_symmetric() -> None:
    there, back = RecognitionMetric(), RecognitionMetric()
    there.add("tide", "diet")
    back.add("diet", "tide")
    assert there.result()["char_recall"] != back.result()["char_precision"]


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
def test_ignoring_more_never_lowers_the_accuracy(pairs: list[tuple[str, str]]) -> None:
    metric = RecognitionMetric()
    for predicted, truth in pairs:
        metric.add(predicted, truth)
    result = metric.result()
    assert result["word_acc"] <= result["word_acc_ignore_case"] <= result["word_acc_ignore_case_symbol"]
