from pathlib import Path

import numpy as np
import pytest

from ocrdeploy.datasets import DetectionTruth, ImageFile, Sample
from ocrdeploy.evaluation.worst import WorstImages
from ocrdeploy.metrics import HmeanIou
from ocrdeploy.metrics.hmean_iou_1x import HmeanIou1x
from ocrdeploy.results import Detection, Recognition
from tests.support.recordings import as_polygon

SQUARE = as_polygon([0, 0, 10, 0, 10, 10, 0, 10])
FAR = SQUARE + 100


def sample(name: str, truth: DetectionTruth | str | None) -> Sample:
    return Sample(name, ImageFile(Path(name)), truth, "labels")


def test_missing_extra_and_found() -> None:
    worst = WorstImages(5, HmeanIou().match)
    truth = DetectionTruth((SQUARE, SQUARE + 50), (FAR,))
    found = [Detection(SQUARE, 0.9), Detection(SQUARE + 200, 0.8), Detection(FAR, 0.9), Detection(SQUARE + 50, 0.2)]
    worst.look(sample("a.jpg", truth), found)
    (mistakes,) = worst.images()
    np.testing.assert_array_equal(mistakes.missing, [SQUARE + 50])
    np.testing.assert_array_equal(mistakes.extra, [SQUARE + 200])
    np.testing.assert_array_equal(mistakes.found, [SQUARE])
    assert mistakes.score == 0.5
    assert str(mistakes) == "a.jpg: hmean 0.5000, 1 missing, 1 extra"
    assert mistakes.document()["missing"] == [(SQUARE + 50).ravel().tolist()]


def test_the_worst_first_and_no_more_than_asked_for() -> None:
    worst = WorstImages(2, HmeanIou().match)
    for name, read in (("1", "abcd"), ("2", "abxx"), ("3", "xxxx"), ("4", "abcx"), ("5", "xxxx")):
        worst.look(sample(name, "abcd"), Recognition(read, (1.0,) * 4))
    assert [(each.name, each.score) for each in worst.images()] == [("3", 0), ("5", 0)]
    assert str(worst.images()[0]) == "3: read 'xxxx', labelled 'abcd'"


@pytest.mark.parametrize("count", [0, 3])
def test_an_image_without_a_mistake_is_none_of_them(count: int) -> None:
    worst = WorstImages(count, HmeanIou().match)
    worst.look(sample("a", DetectionTruth()), [])
    worst.look(sample("b", DetectionTruth((SQUARE,))), [Detection(SQUARE, 0.9)])
    worst.look(sample("c", None), [])
    assert worst.images() == ()


def test_a_model_of_mmocr_1x_is_matched_by_its_own_rules() -> None:
    truth = DetectionTruth((SQUARE, SQUARE * (1, 2)))
    found = [Detection(SQUARE * (1, 1.2), 0.9), Detection(SQUARE * (1, 0.8), 0.3)]
    missing = {}
    for name, metric in (("0.x", HmeanIou()), ("vanilla", HmeanIou1x()), ("most", HmeanIou1x(strategy="max_matching"))):
        worst = WorstImages(1, metric.match)
        worst.look(sample("a.jpg", truth), found)
        missing[name] = [(len(each.missing), len(each.extra)) for each in worst.images()]
    # A score at the threshold counts in 1.x alone; all pairs that are possible leave no mistake.
    assert missing == {"0.x": [(1, 0)], "vanilla": [(1, 1)], "most": []}
