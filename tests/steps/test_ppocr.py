"""PP-OCR's steps give what RapidOCR 3.10 gives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocrdeploy.errors import ImageError
from ocrdeploy.steps import FitSides, FrameImage, NormalizeImage, ResizeWord, Step, output_size, preprocess

IMAGENET = NormalizeImage((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.fixture(scope="module")
def sizes(data_dir: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((data_dir / "ppocr" / "recorded.json").read_text())["sizes"]
    return found


@pytest.fixture(scope="module")
def arrays(data_dir: Path) -> dict[str, np.ndarray]:
    with np.load(data_dir / "ppocr" / "words.npz") as file:
        return dict(file)


def test_frames_are_those_of_rapidocr(sizes: list[dict[str, Any]]) -> None:
    """But for an image that is scaled twice, where RapidOCR keeps the second factor alone."""
    for case in sizes:
        frame = FrameImage().frame(tuple(case["size"]))
        assert (list(frame.size), frame.bar) == (case["framed"], case["top"])


def test_sides_are_those_of_rapidocr(sizes: list[dict[str, Any]]) -> None:
    """But for a side that rounds to nothing, where RapidOCR finds no text and PaddleOCR keeps 32 pixels."""
    for case in sizes:
        if case["resized"] is None:
            continue
        step = FitSides(case["limit"], case["limit_type"])
        assert list(step.size_after(tuple(case["framed"]))) == case["resized"]


@pytest.mark.parametrize(("name", "normalize"), [("det_imagenet", IMAGENET), ("det_half", NormalizeImage())])
def test_a_detectors_tensor_is_that_of_rapidocr(
    arrays: dict[str, np.ndarray], name: str, normalize: NormalizeImage
) -> None:
    tensor = preprocess(arrays["photo"], [FitSides(64), normalize]).tensor
    np.testing.assert_array_equal(tensor[:, ::3, ::3], arrays[name])


@pytest.mark.parametrize("index", range(6))
def test_a_words_tensor_is_that_of_rapidocr(arrays: dict[str, np.ndarray], index: int) -> None:
    prepared = preprocess(arrays[f"image{index}"], [ResizeWord()])
    assert prepared.tensor.shape == tuple(arrays[f"shape{index}"])
    np.testing.assert_array_equal(prepared.tensor[:, ::7, ::5], arrays[f"tensor{index}"])


def test_without_a_canvas_a_word_has_its_own_columns_alone(arrays: dict[str, np.ndarray]) -> None:
    tensor = preprocess(arrays["image0"], [ResizeWord(min_width=None)]).tensor
    assert tensor.shape == (3, 48, 147)
    np.testing.assert_array_equal(tensor, preprocess(arrays["image0"], [ResizeWord()]).tensor[..., :147])


def test_points_go_back_from_a_frame() -> None:
    frame = FrameImage().frame((100, 1600))
    assert (frame.scaled, frame.bar) == ((100, 1600), 150)
    points = frame.to_original(np.array([[0.0, 150.0], [1600.0, 250.0], [10.0, 0.0], [5.0, 400.0]]))
    np.testing.assert_array_equal(points, [[0, 0], [1600, 100], [10, 0], [5, 100]])


def test_bars_are_black() -> None:
    prepared = preprocess(np.full((40, 400, 3), 255, np.uint8), [FrameImage(), FitSides(32), NormalizeImage()])
    assert prepared.frame is not None
    assert prepared.frame.size == (100, 400)
    assert prepared.tensor[:, 0].max() == -1
    assert prepared.tensor[:, prepared.tensor.shape[1] // 2].min() == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3000, 1)])
def test_slivers_have_a_size(size: tuple[int, int]) -> None:
    steps: list[Step] = [FrameImage(), FitSides(), NormalizeImage()]
    channels, height, width = output_size(size, steps)
    assert channels == 3
    assert height % 32 == width % 32 == 0
    assert min(height, width) >= 32


def test_a_word_that_is_too_long_is_refused() -> None:
    with pytest.raises(ImageError, match="at most"):
        output_size((1, 10**6), [ResizeWord(4800)])


def test_a_static_model_has_one_size() -> None:
    assert FitSides().fixed_to((64, 96)).size_after((500, 20)) == (64, 96)
    assert ResizeWord().fixed_to((48, 320)).size_after((10, 2000)) == (48, 320)
