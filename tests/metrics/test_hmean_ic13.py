from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.metrics import AllScores, DetectionTruth, HmeanIc13, ScoreSweep, count_ic13_matches, hmean
from ocrdeploy.results import Detection
from tests.support.recordings import as_detections, as_polygon, as_truth, read_json

TOLERANCE = 1e-9  # sums of a few rewards, added in MMOCR's order

SQUARE = as_polygon([0, 0, 10, 0, 10, 10, 0, 10])
LEFT = as_polygon([0, 0, 5, 0, 5, 10, 0, 10])
RIGHT = LEFT + np.array([5, 0])
THIRDS = tuple(SQUARE / np.array([3, 1]) + np.array([10 / 3 * i, 0]) for i in range(3))
OCTAGON = as_polygon([3, 0, 7, 0, 10, 3, 10, 7, 7, 10, 3, 10, 0, 7, 0, 3])


def test_equals_mmocr(data_dir: Path) -> None:
    cases = [c for c in read_json(data_dir / "metrics/detection.json.gz") if c["metric"] == "hmean-ic13"]
    assert len(cases) == 20
    for case in cases:
        swept, unfiltered = HmeanIc13(ScoreSweep(**case["sweep"])), HmeanIc13(AllScores())
        for image, expected in zip(case["images"], case["unfiltered_per_image"], strict=True):
            detections, truth = as_detections(image["pred"]), as_truth(image)
            swept.add(detections, truth)
            unfiltered.add(detections, truth)
            counts = count_ic13_matches([detection.polygon for detection in detections], truth)
            alone = hmean(counts.recall_hits, counts.precision_hits, counts.n_truth, counts.n_predictions)
            for name, value in expected.items():
                assert getattr(alone, name) == pytest.approx(value, abs=TOLERANCE)
        assert swept.result() == pytest.approx(case["swept"], abs=TOLERANCE)
        for name in ("recall", "precision", "hmean"):
            assert unfiltered.result()[f"hmean-ic13:{name}"] == pytest.approx(case["unfiltered"][name], abs=TOLERANCE)


@pytest.mark.parametrize(
    ("predictions", "truth", "expected"),
    [
        ([], DetectionTruth(), (0, 0, 0, 0)),
        ([], DetectionTruth((SQUARE,)), (0, 0, 1, 0)),
        ([SQUARE], DetectionTruth(), (0, 0, 0, 1)),
        ([SQUARE], DetectionTruth((SQUARE,)), (1, 1, 1, 1)),
        ([LEFT, RIGHT], DetectionTruth((SQUARE,)), (0.8, 1.6, 1, 2)),  # split
        ([SQUARE], DetectionTruth(THIRDS), (3, 1, 3, 1)),  # merged
        ([SQUARE], DetectionTruth((LEFT, RIGHT)), (0.8, 0.8, 2, 1)),  # half of it suffices as a split of one part
        ([SQUARE], DetectionTruth((), (LEFT,)), (0, 0, 0, 0)),  # half of it is ignored, and 0.4 is enough
        ([SQUARE * (1, 0)], DetectionTruth((SQUARE * (1, 0),)), (0, 0, 1, 1)),
        ([OCTAGON], DetectionTruth((OCTAGON,)), (1, 1, 1, 1)),  # MMOCR stops at polygons
    ],
)
def test_counts(
    predictions: list[NDArray[np.float64]], truth: DetectionTruth, expected: tuple[float, float, int, int]
) -> None:
    counts = count_ic13_matches(predictions, truth)
    found = (counts.recall_hits, counts.precision_hits, counts.n_truth, counts.n_predictions)
    assert found == pytest.approx(expected, abs=TOLERANCE)


def test_no_images_give_one_as_in_mmocr() -> None:
    assert set(HmeanIc13().result().values()) == {1.0}


def test_predictions_below_the_threshold_do_not_disturb_a_pair() -> None:
    metric = HmeanIc13()
    metric.add([Detection(SQUARE, 0.5), Detection(SQUARE, 0.31)], DetectionTruth((SQUARE,)))
    assert set(metric.result().values()) == {1.0}
