from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy import Detection, Recognition
from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.decoders import PSEPostprocessor
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.results import Result
from ocrdeploy.steps import Preprocessed
from ocrdeploy.verification.comparison import Case
from ocrdeploy.verification.report.pictures import EXTRA, MATCHED, MISSING, MOVED, Picture, case_pictures

NAMES = ("PyTorch", "model.onnx")


def box(x: float) -> Detection:
    return Detection(np.array([(x, 20), (x + 60, 20), (x + 60, 60), (x, 60)], float), 0.9)


def case(outputs: tuple[NDArray[np.float32], NDArray[np.float32]], results: tuple[Result, Result]) -> Case:
    """A grey image of 100×300 whose tensor is padded to 128×320."""
    tensor = np.zeros((3, 128, 320), np.float32)
    prepared = Preprocessed(tensor, np.ones(2, np.float32), None, (100, 300), (100, 300))
    return Case(
        np.full((100, 300, 3), 128, np.uint8), prepared, ({"maps": outputs[0]}, {"maps": outputs[1]}), results, 0.0
    )


def pixels(picture: Picture) -> NDArray[np.uint8]:
    decoded = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape[:2] == (picture.height, picture.width)
    return np.asarray(decoded, np.uint8)


def looks_like(pixel: NDArray[np.uint8], colour: tuple[int, int, int]) -> bool:
    # JPEG keeps a line's colour only about.
    return bool(np.abs(pixel.astype(int) - colour).max() < 60)


@pytest.fixture(scope="module")
def spec(sample_onnx: Path) -> ModelSpec:
    return read_onnx_spec(sample_onnx)


def test_matched_missing_and_extra_boxes_have_their_colours(spec: ModelSpec) -> None:
    maps = np.zeros((1, 1, 128, 320), np.float32)
    first, second, *_ = case_pictures(case((maps, maps), ([box(10), box(100)], [box(10), box(200)])), spec, NAMES, 1e-4)
    assert first.title == "PyTorch: 2 instances, 1 of them alone"
    assert second.title == "model.onnx: 2 instances, 1 of them alone"
    reference, candidate = pixels(first), pixels(second)
    # The upper edge of each box.
    assert looks_like(reference[20, 40], MATCHED)
    assert looks_like(candidate[20, 40], MATCHED)
    assert looks_like(reference[20, 130], MISSING)
    assert looks_like(candidate[20, 230], EXTRA)
    assert looks_like(reference[20, 230], (128, 128, 128))
    assert looks_like(candidate[20, 130], (128, 128, 128))


def test_boxes_that_moved_have_a_colour_of_their_own(spec: ModelSpec) -> None:
    maps = np.zeros((1, 1, 128, 320), np.float32)
    first, second, *_ = case_pictures(case((maps, maps), ([box(100)], [box(110)])), spec, NAMES, 1e-4)
    assert (first.title, second.title) == ("PyTorch: 1 instances", "model.onnx: 1 instances")
    assert looks_like(pixels(first)[20, 130], MOVED)
    assert looks_like(pixels(second)[20, 130], MOVED)


def test_maps_are_shown_without_padding_and_differences_against_what_is_allowed(spec: ModelSpec) -> None:
    first = np.zeros((1, 1, 128, 320), np.float32)
    first[..., 100:, :] = 1
    second = first.copy()
    second[0, 0, 50, 150] += 1e-5
    *_, left, right, heat = case_pictures(case((first, second), ([], [])), spec, NAMES, 1e-4)
    assert pixels(left).shape == pixels(right).shape == pixels(heat).shape == (100, 300, 3)
    assert pixels(left).max() < 10
    assert heat.title.endswith("at most 1e-05; light yellow is 0.0001")
    # A tenth of what is allowed is dark.
    assert 0 < int(pixels(heat)[50, 150].sum()) < 150
    second[0, 0, 50, 150] = 0.5
    *_, heat = case_pictures(case((first, second), ([], [])), spec, NAMES, 1e-4)
    assert heat.title.endswith("at most 0.5; light yellow is 0.5")
    assert int(pixels(heat)[50, 150].sum()) > 500


def test_logits_are_shown_as_probabilities(spec: ModelSpec) -> None:
    logits = np.full((1, 7, 32, 80), -200, np.float32)
    logits[0, 0, :, :40] = 200
    other = msgspec.structs.replace(spec, postprocessing=PSEPostprocessor())
    *_, left, _, _ = case_pictures(case((logits, logits), ([], [])), other, NAMES, 1e-4)
    image = pixels(left)
    assert image.shape[:2] == (25, 75)
    assert image[10, 10].min() > 245
    assert image[10, 70].max() < 10


def test_maps_of_two_shapes_have_no_difference(spec: ModelSpec) -> None:
    maps = np.zeros((1, 1, 128, 320), np.float32), np.zeros((1, 3, 128, 320), np.float32)
    assert len(case_pictures(case(maps, ([], [])), spec, NAMES, 1e-4)) == 4


def test_of_a_word_the_image_is_shown(seeded_onnx: Callable[[str], Path]) -> None:
    word = Recognition("ab", (0.5, 0.6))
    logits = np.zeros((1, 9, 37), np.float32)
    (picture,) = case_pictures(case((logits, logits), (word, word)), read_onnx_spec(seeded_onnx("crnn")), NAMES, 1e-4)
    assert pixels(picture).shape == (100, 300, 3)
