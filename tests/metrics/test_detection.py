from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrdeploy.metrics import AllScores, DetectionTruth, FixedScore, HmeanIou, ScoreSweep, hmean
from ocrdeploy.metrics.matching import Matches
from ocrdeploy.results import Detection
from tests.support.recordings import as_detections, as_polygon, as_truth, read_json

TOLERANCE = 1e-9  # ratios of counts: equal but for the last bits of a division

SQUARE = as_polygon([0, 0, 10, 0, 10, 10, 0, 10])
HALF = as_polygon([0, 0, 10, 0, 10, 5, 0, 5])
FAR = SQUARE + 100
BOW_TIE = as_polygon([0, 0, 10, 10, 10, 0, 0, 10])
LINE = as_polygon([0, 0, 5, 0, 10, 0, 7, 0])


def match(predictions: list[NDArray[np.float64]], truth: DetectionTruth) -> Matches:
    return HmeanIou(AllScores()).match([Detection(polygon, 0.1) for polygon in predictions], truth)


def check_case(case: Any) -> None:
    swept, unfiltered = HmeanIou(ScoreSweep(**case.get("sweep", {}))), HmeanIou(AllScores())
    for image, expected in zip(case["images"], case["unfiltered_per_image"], strict=True):
        detections, truth = as_detections(image["pred"]), as_truth(image)
        swept.add(detections, truth)
        unfiltered.add(detections, truth)
        matches = HmeanIou(AllScores()).match(detections, truth)
        hits = len(matches.pairs)
        alone = hmean(hits, hits, len(truth.polygons), int(matches.counted.sum()))
        for name, value in expected.items():
            assert getattr(alone, name) == pytest.approx(value, abs=TOLERANCE)
    assert swept.result() == pytest.approx(case["swept"], abs=TOLERANCE)
    for name in ("recall", "precision", "hmean"):
        assert unfiltered.result()[f"hmean-iou:{name}"] == pytest.approx(case["unfiltered"][name], abs=TOLERANCE)


def test_equals_mmocr(data_dir: Path) -> None:
    cases = [c for c in read_json(data_dir / "metrics/detection.json.gz") if c["metric"] == "hmean-iou"]
    assert len(cases) == 20
    for case in cases:
        check_case(case)


def test_equals_mmocr_in_full_recordings(extra_data_dir: Path) -> None:
    cases = read_json(extra_data_dir / "golden/metrics/hmean_iou.json")
    assert cases
    for case in cases:
        check_case(case)


@pytest.mark.parametrize(
    ("predictions", "truth", "expected"),
    [
        ([], DetectionTruth(), (0, 0, 0)),
        ([], DetectionTruth((SQUARE,)), (0, 1, 0)),
        ([SQUARE], DetectionTruth(), (0, 0, 1)),
        ([SQUARE], DetectionTruth((SQUARE,)), (1, 1, 1)),
        ([HALF], DetectionTruth((SQUARE,)), (0, 1, 1)),  # an overlap of exactly a half is too little
        ([SQUARE, SQUARE], DetectionTruth((SQUARE,)), (1, 1, 2)),
        ([SQUARE], DetectionTruth((), (SQUARE,)), (0, 0, 0)),
        ([SQUARE], DetectionTruth((SQUARE,), (SQUARE,)), (0, 1, 0)),
        ([SQUARE], DetectionTruth((SQUARE,), (HALF,)), (1, 1, 1)),  # exactly half of it ignored: it counts
        ([LINE], DetectionTruth((LINE,), (LINE,)), (0, 1, 1)),  # without area nothing overlaps
        ([BOW_TIE], DetectionTruth((BOW_TIE,)), (1, 1, 1)),
        ([SQUARE[:3]], DetectionTruth((SQUARE[:3],)), (1, 1, 1)),
    ],
)
def test_counts(predictions: list[NDArray[np.float64]], truth: DetectionTruth, expected: tuple[int, int, int]) -> None:
    matches = match(predictions, truth)
    assert (len(matches.pairs), len(truth.polygons), matches.counted.sum()) == expected


def test_takes_the_first_prediction_that_is_near_enough_not_the_nearest() -> None:
    wide, narrow = SQUARE * (1, 1.2), SQUARE * (1, 0.8)
    # Either order leaves one prediction over; the second truth matches only the wide one.
    truth = DetectionTruth((SQUARE, SQUARE * (1, 2)))
    assert match([wide, narrow], truth).pairs == [(0, 0)]
    assert match([narrow, wide], truth).pairs == [(0, 0), (1, 1)]


def test_no_images_give_one_as_in_mmocr() -> None:
    assert set(HmeanIou().result().values()) == {1.0}


def test_fixed_score_is_exclusive() -> None:
    truth = DetectionTruth((SQUARE,))
    for score, found in ((0.5, 0.0), (0.51, 1.0)):
        metric = HmeanIou(FixedScore(0.5))
        metric.add([Detection(SQUARE, score)], truth)
        assert metric.result()["hmean-iou:recall"] == found


def test_sweep_takes_the_lowest_of_equally_good_thresholds() -> None:
    # At 0.3 recall 1 and precision 1/2, at 0.5 recall 1/2 and precision 1: both have the same harmonic mean.
    metric = HmeanIou(ScoreSweep(0.3, 0.9, 0.2))
    metric.add([Detection(SQUARE, 0.9), Detection(FAR, 0.4)], DetectionTruth((SQUARE,)))
    metric.add([Detection(FAR, 0.4), Detection(SQUARE, 0.4)], DetectionTruth((SQUARE,)))
    assert metric.result() == {"hmean-iou:recall": 1.0, "hmean-iou:precision": 0.5, "hmean-iou:hmean": 2 / 3}


def test_thresholds_are_mmocrs() -> None:
    assert ScoreSweep().thresholds() == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], abs=TOLERANCE)
    assert ScoreSweep(0.3, 0.3, 0.1).thresholds() == pytest.approx([0.3, 0.4], abs=TOLERANCE)
    assert ScoreSweep(1.0, 1.0).thresholds() == (1.0,)
    for wrong in ((0.5, 0.4, 0.1), (-0.1, 0.4, 0.1), (0.3, 1.1, 0.1), (0.3, 0.9, 0.0)):
        with pytest.raises(ValueError, match="no sweep"):
            ScoreSweep(*wrong)


@pytest.mark.parametrize("polygon", [SQUARE[:2], SQUARE.ravel(), np.array([[0, 0], [1, 0], [1, np.nan]])])
def test_truth_refuses_what_is_no_polygon(polygon: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="polygon"):
        DetectionTruth((), (polygon,))


coordinates = st.floats(-500, 500, allow_nan=False, width=32)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=7).map(lambda p: np.array(p, np.float64))
boxes = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 40), st.integers(1, 40)).map(
    lambda b: as_polygon([b[0], b[1], b[0] + b[2], b[1], b[0] + b[2], b[1] + b[3], b[0], b[1] + b[3]])
)


@given(st.lists(st.tuples(polygons, st.floats(0, 1)), max_size=6), st.lists(polygons, max_size=6), st.data())
def test_stays_between_zero_and_one(
    predictions: list[tuple[NDArray[np.float64], float]], truths: list[NDArray[np.float64]], data: st.DataObject
) -> None:
    n_ignored = data.draw(st.integers(0, len(truths)))
    metric = HmeanIou()
    metric.add(
        [Detection(polygon, score) for polygon, score in predictions],
        DetectionTruth(tuple(truths[n_ignored:]), tuple(truths[:n_ignored])),
    )
    assert all(0 <= value <= 1 for value in metric.result().values())


@given(st.lists(boxes, min_size=1, max_size=8, unique_by=lambda b: b.tobytes()))
def test_perfect_predictions_of_text_that_does_not_overlap_score_one(truths: list[NDArray[np.float64]]) -> None:
    apart = tuple(truth + np.array([100 * index, 0]) for index, truth in enumerate(truths))
    metric = HmeanIou()
    metric.add([Detection(polygon, 1.0) for polygon in reversed(apart)], DetectionTruth(apart))
    assert set(metric.result().values()) == {1.0}
