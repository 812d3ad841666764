from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from ocrdeploy.metrics.hmean_iou_1x import HmeanIou1x, ScoreThresholds
from ocrdeploy.metrics.matching import MatchStrategy
from ocrdeploy.metrics.truth import DetectionTruth
from ocrdeploy.results import Detection
from tests.support.recordings import as_detections, as_polygon, as_truth, read_json

TOLERANCE = 1e-9  # ratios of counts: equal but for the last bits of a division

SQUARE = as_polygon([0, 0, 10, 0, 10, 10, 0, 10])
HOURGLASS = as_polygon([0, 0, 10, 0, 5, 5, 10, 10, 0, 10, 5, 5])


def check_case(case: Any) -> None:
    for strategy in get_args(MatchStrategy):
        metric = HmeanIou1x(strategy=strategy)
        for image in case["images"]:
            metric.add(as_detections(image["pred"]), as_truth(image))
        expected = {f"hmean-iou:{key.split('/')[1]}": value for key, value in case["result"][strategy].items()}
        assert metric.result() == pytest.approx(expected, abs=TOLERANCE)


def test_equals_mmocr(data_dir: Path) -> None:
    cases = read_json(data_dir / "metrics/hmean_iou_1x.json.gz")
    assert len(cases) == 6
    for case in cases:
        check_case(case)


def test_equals_mmocr_in_full_recordings(extra_data_dir: Path) -> None:
    cases = read_json(extra_data_dir / "golden_zoo/v1/metrics/hmean_iou.json")
    assert len(cases) == 12
    for case in cases:
        check_case(case)


def hmean_of(detections: list[Detection], truth: DetectionTruth, strategy: MatchStrategy = "vanilla") -> float:
    metric = HmeanIou1x(strategy=strategy)
    metric.add(detections, truth)
    return metric.result()["hmean-iou:hmean"]


def test_of_nothing_all_is_right() -> None:
    assert hmean_of([], DetectionTruth()) == 1
    assert HmeanIou1x().result()["hmean-iou:recall"] == 1


def test_nothing_found_is_nothing() -> None:
    assert hmean_of([], DetectionTruth((SQUARE,))) == 0


def test_a_score_at_the_lowest_threshold_counts() -> None:
    assert hmean_of([Detection(SQUARE, 0.3)], DetectionTruth((SQUARE,))) == 1
    assert hmean_of([Detection(SQUARE, 0.2999)], DetectionTruth((SQUARE,))) == 0


def test_what_falls_apart_is_its_convex_hull() -> None:
    # The two halves, without their hull, cover half of the square: too little.
    assert hmean_of([Detection(HOURGLASS, 0.9)], DetectionTruth((SQUARE,))) == 1


def test_the_most_pairs_are_more_than_the_first_come() -> None:
    wide, narrow = SQUARE * (1, 1.2), SQUARE * (1, 0.8)
    truth = DetectionTruth((SQUARE, SQUARE * (1, 2)))
    detections = [Detection(wide, 0.9), Detection(narrow, 0.9)]
    assert hmean_of(detections, truth) == 0.5
    assert hmean_of(detections, truth, "max_matching") == 1


def test_a_line_matches_nothing() -> None:
    line = as_polygon([0, 0, 5, 0, 10, 0, 7, 0])
    assert hmean_of([Detection(line, 0.9)], DetectionTruth((line,), (line,))) == 0


def test_thresholds_are_mmocrs() -> None:
    np.testing.assert_allclose(ScoreThresholds().values(), [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], atol=1e-6)


@pytest.mark.parametrize("numbers", [(0.9, 0.3, 0.1), (0.3, 0.9, 0.0), (0.3, 0.9, 1e-9), (-1, 0.5, 0.1)])
def test_impossible_thresholds_are_refused(numbers: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="score thresholds go up"):
        ScoreThresholds(*numbers)
