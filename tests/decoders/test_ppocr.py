"""PP-OCR's boxes are those of RapidOCR 3.10 and of OnnxOCR 4.0, which decodes as PaddleOCR does."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrdeploy.decoders import PPOCRPostprocessor
from ocrdeploy.decoders.ppocr import decode_map
from ocrdeploy.steps import Frame, Preprocessed

SCORE_TOLERANCE = 1e-6
"""A mean over some hundred pixels, in float64 on both sides."""
CORNER_TOLERANCE = 0 if int(cv2.__version__.split(".")[0]) >= 5 else 1
"""In pixels. The recordings are of OpenCV 5.0; its smallest rectangles differ from those of 4.11 in the last bits, by
which corners of 2 boxes in 168 are rounded otherwise."""


def test_boxes_and_scores_are_those_of_the_references(data_dir: Path) -> None:
    folder = data_dir / "ppocr"
    cases = json.loads((folder / "recorded.json").read_text())["decoded"]
    with np.load(folder / "maps.npz") as file:
        maps = file["maps"]
    boxes = 0
    for case in cases:
        prob_map = maps[case["map"]].astype(np.float32) / np.float32(255)
        found = decode_map(prob_map, PPOCRPostprocessor(**case["settings"]), tuple(case["size"]))
        assert len(found) == len(case["boxes"]), case["settings"]
        for item, box in zip(found, case["boxes"], strict=True):
            np.testing.assert_allclose(item.polygon, box, atol=CORNER_TOLERANCE, rtol=0)
        if case["scores"] is not None:
            assert [item.score for item in found] == pytest.approx(case["scores"], abs=SCORE_TOLERANCE)
        boxes += len(found)
    assert boxes > 100


def test_boxes_come_back_from_the_frame() -> None:
    prob_map = np.zeros((96, 160), np.float32)
    prob_map[40:56, 40:120] = 1
    frame = Frame((32, 320), (32, 320), 80)
    image = Preprocessed(np.zeros((3, 96, 160), np.float32), None, None, (32, 320), (96, 160), frame)
    (result,) = PPOCRPostprocessor().decode({"x": prob_map[None, None]}, [image])
    assert isinstance(result, list)
    (with_bars,) = result
    (in_frame,) = decode_map(prob_map, PPOCRPostprocessor(), (192, 320))
    np.testing.assert_array_equal(with_bars.polygon, np.clip(in_frame.polygon - (0, 80), 0, (320, 32)))


@pytest.mark.parametrize("shape", [(0, 0), (32, 0), (32, 32)])
def test_an_empty_map_holds_nothing(shape: tuple[int, int]) -> None:
    assert decode_map(np.zeros(shape, np.float32), PPOCRPostprocessor(), (64, 64)) == []


def test_a_map_that_is_all_text_is_one_box() -> None:
    (found,) = decode_map(np.ones((32, 64), np.float32), PPOCRPostprocessor(), (320, 640))
    np.testing.assert_array_equal(found.polygon, [[0, 0], [639, 0], [639, 319], [0, 319]])


def test_a_line_of_pixels_is_too_thin() -> None:
    prob_map = np.zeros((32, 64), np.float32)
    prob_map[10, 5:50] = 1
    assert decode_map(prob_map, PPOCRPostprocessor(), (32, 64)) == []
    assert decode_map(prob_map, PPOCRPostprocessor(min_size=0, unclip_ratio=0), (32, 64)) == []
