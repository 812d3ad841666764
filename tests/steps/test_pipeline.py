import json
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.errors import ConfigError, ImageError
from ocrdeploy.images.reading import read_image
from ocrdeploy.steps import (
    ColorType,
    LoadImageFromFile,
    Normalize,
    NormalizeOCR,
    Pad,
    Resize,
    ResizeOCR,
    Step,
    ToTensorOCR,
    check_steps,
    output_size,
    preprocess,
)
from tests.support.preprocessing_cases import CASES, Steps, detection, recognition

TENSOR_TOLERANCE = 1e-5
"""Versions of OpenCV round floating-point interpolation in different places; from bytes the tensors are equal."""
INEXACT_INTERPOLATIONS = ("bicubic",)
"""OpenCV 5 rounds some pixels of these to another grey level than OpenCV 4, by one."""
GREY_LEVEL = 1 / 55
"""One grey level on the scale of the normalised tensors, with room to spare."""


def as_steps(steps: Steps) -> tuple[Step, ...]:
    return msgspec.convert(steps, tuple[Step, ...])


def color_type(steps: tuple[Step, ...]) -> ColorType:
    first = steps[0]
    assert isinstance(first, LoadImageFromFile)
    return first.color_type


def picture(height: int = 60, width: int = 90) -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.filterwarnings("ignore:an image has an EXIF orientation:ocrdeploy.errors.OcrDeployWarning")
@pytest.mark.parametrize("name", CASES)
def test_equals_mmocr(data_dir: Path, name: str) -> None:
    folder = data_dir / "preprocessing"
    file, raw_steps = CASES[name]
    steps = as_steps(raw_steps)
    expected = json.loads((folder / "cases.json").read_text())[name]
    with np.load(folder / "tensors.npz") as tensors:
        tensor = tensors[name]

    image = read_image(folder / file, color_type(steps))
    result = preprocess(image, steps)

    inexact = any(isinstance(step, Resize) and step.interpolation in INEXACT_INTERPOLATIONS for step in steps)
    assert result.tensor.dtype == np.float32
    assert result.tensor.flags.c_contiguous
    assert result.tensor.shape == tensor.shape == output_size(result.original_shape, steps)
    np.testing.assert_allclose(result.tensor, tensor, rtol=0, atol=GREY_LEVEL if inexact else TENSOR_TOLERANCE)
    assert result.valid_ratio == expected["valid_ratio"]
    assert result.original_shape == tuple(expected["original_shape"])
    assert result.resized_shape == tuple(expected["resized_shape"])
    assert (None if result.scale_factor is None else result.scale_factor.tolist()) == expected["scale_factor"]


def test_image_is_not_written_to() -> None:
    image = picture()
    before = image.copy()
    image.flags.writeable = False
    for steps in ([], [Pad(size=(60, 90))], as_steps(detection([90, 60])), as_steps(detection([45, 45]))):
        tensor = preprocess(image, steps).tensor
        tensor += 1
        np.testing.assert_array_equal(image, before)


def test_views_give_what_their_copies_give() -> None:
    image = picture()[::2, ::-1]
    for steps in (as_steps(detection([45, 30])), as_steps(detection([80, 80])), [ToTensorOCR()]):
        np.testing.assert_array_equal(preprocess(image, steps).tensor, preprocess(image.copy(), steps).tensor)


def test_no_steps_give_the_bytes_as_numbers() -> None:
    image = picture()
    result = preprocess(image, [])
    np.testing.assert_array_equal(result.tensor, image.transpose(2, 0, 1))
    assert result.tensor.dtype == np.float32
    assert result.scale_factor is None
    assert result.valid_ratio is None
    assert result.original_shape == result.resized_shape == (60, 90)


def test_several_threads_of_opencv_change_nothing() -> None:
    steps = as_steps(detection([1333, 736]))
    image = picture(720, 1280)
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one = preprocess(image, steps).tensor
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(preprocess(image, steps).tensor, one)


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1), (2, 3), (3, 5000)])
@pytest.mark.parametrize("scale", [[1333, 736], [64, 32]])
def test_degenerate_detection_images(size: tuple[int, int], scale: list[int]) -> None:
    steps = as_steps(detection(scale))
    result = preprocess(np.full((*size, 3), 127, np.uint8), steps)
    channels, height, width = result.tensor.shape
    assert (channels, height % 32, width % 32) == (3, 0, 0)
    assert min(result.resized_shape) >= 1
    assert result.scale_factor is not None
    expected = (result.resized_shape[1] / size[1], result.resized_shape[0] / size[0])
    np.testing.assert_array_equal(result.scale_factor, np.array(expected, np.float32))
    resized = result.tensor[:, : result.resized_shape[0], : result.resized_shape[1]]
    assert (resized.reshape(3, -1).max(1) == resized.reshape(3, -1).min(1)).all()
    assert np.isfinite(result.tensor).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1), (500, 3)])
@pytest.mark.parametrize("options", [{}, {"min_width": None}, {"min_width": None, "max_width": 100}])
def test_degenerate_words(size: tuple[int, int], options: dict[str, Any]) -> None:
    steps = as_steps(recognition(**options))
    result = preprocess(np.full(size, 254, np.uint8), steps)
    height, width = result.resized_shape
    assert (height, width % (16 if width < 100 else 1)) == (32, 0)
    assert width > 0
    assert (result.tensor[:, :, :width] == 1).all()
    assert result.valid_ratio is not None
    assert 0 < result.valid_ratio <= 1


def test_a_tensor_without_bounds_is_refused() -> None:
    steps = as_steps(recognition())
    word = np.zeros((1, 3 * 10**5), np.uint8)
    with pytest.raises(ImageError, match="of 300000 x 1 pixels to 9600000 x 32"):
        preprocess(word, steps)
    with pytest.raises(ImageError, match="9600000 x 32"):
        output_size((1, 3 * 10**5), steps)


@pytest.mark.parametrize(
    "image",
    [picture()[..., 0], picture()[..., :2], picture().astype(np.float32), picture()[:0], picture()[None]],
)
def test_images_of_other_kinds_are_refused(image: Any) -> None:
    with pytest.raises(ImageError, match="H x W x 3 uint8, got"):
        preprocess(image, [LoadImageFromFile()])


def test_colour_is_refused_where_grey_is_read() -> None:
    with pytest.raises(ImageError, match="H x W uint8, got 60 x 90 x 3 uint8"):
        preprocess(picture(), [LoadImageFromFile(color_type="grayscale")])


NORMALIZE_3 = Normalize(mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 1.0))
GREY = LoadImageFromFile(color_type="grayscale")


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([NORMALIZE_3, LoadImageFromFile()], "LoadImageFromFile comes first"),
        ([NormalizeOCR(mean=(0.5,), std=(0.5,)), ToTensorOCR()], "after ToTensorOCR"),
        ([ToTensorOCR(), NORMALIZE_3], "here Normalize does"),
        ([ToTensorOCR(), ToTensorOCR()], "here ToTensorOCR does"),
        ([ToTensorOCR(), Pad(size_divisor=32)], "here Pad does"),
        ([Resize(scale=(9, 9)), Resize(scale=(9, 9))], "at most one Resize, and this one has 2"),
        ([GREY, NORMALIZE_3], "Normalize has 3 numbers for the channels of an image that has 1"),
        ([Normalize(mean=(1.0, 2.0), std=(1.0, 1.0))], "2 numbers"),
        ([GREY, ToTensorOCR(), NormalizeOCR(mean=(0.5,) * 3, std=(0.5,) * 3)], "NormalizeOCR has 3 numbers"),
        ([Pad(size=(9, 9), pad_val=(1.0, 2.0))], "Pad has 2 numbers"),
        ([ResizeOCR(height=32, img_pad_value=(1.0,))], "ResizeOCR has 1 numbers"),
    ],
)
def test_pipelines_in_which_mmocr_fails_are_refused(steps: list[Step], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        check_steps(steps)
    with pytest.raises(ConfigError, match=reason):
        output_size((60, 90), steps)
    with pytest.raises(ConfigError, match=reason):
        preprocess(picture(), steps)


def test_number_of_channels() -> None:
    assert check_steps([]) == 3
    assert check_steps([LoadImageFromFile()]) == 3
    assert check_steps([GREY]) == 1
    assert check_steps([LoadImageFromFile(color_type="grayscale_ignore_orientation")]) == 1
