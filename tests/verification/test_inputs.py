from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.model_spec import ModelSpec, ShapeProfile
from ocrdeploy.steps import Resize, output_size
from ocrdeploy.verification.inputs import (
    MAX_PIXELS,
    drawn_images,
    noise_inputs,
    sized_images,
    static_shape,
)


def scaled(spec: ModelSpec, scale: tuple[int, int]) -> ModelSpec:
    """Return the spec with another scale of its Resize."""
    steps = tuple(
        msgspec.structs.replace(step, scale=scale) if isinstance(step, Resize) else step for step in spec.preprocessing
    )
    return msgspec.structs.replace(spec, preprocessing=steps)


def fixed(spec: ModelSpec, shape: tuple[int | str, ...]) -> ModelSpec:
    """Return the spec with another input shape."""
    return msgspec.structs.replace(spec, input=msgspec.structs.replace(spec.input, shape=shape))


@pytest.fixture(scope="module")
def detector(sample_onnx: Path) -> ModelSpec:
    return read_onnx_spec(sample_onnx)


def test_noise_has_the_sizes_that_the_pipeline_makes_of_extreme_images(detector: ModelSpec) -> None:
    shapes = {noise.label: noise.shape for noise in noise_inputs(detector, detector)}
    assert shapes == {
        "smallest": (1, 3, 32, 1344),
        "tall": (3, 3, 1344, 32),
        "square": (2, 3, 736, 736),
        "largest": (1, 3, 736, 1344),
        "long batch": (16, 3, 64, 64),
    }


def test_noise_of_words_has_every_kind_of_width(seeded_onnx: Callable[[str], Path]) -> None:
    spec = read_onnx_spec(seeded_onnx("crnn"))
    shapes = [noise.shape for noise in noise_inputs(spec, spec)]
    assert {shape[2] for shape in shapes} == {32}
    assert {shape[0] for shape in shapes} == {1, 2, 3, 16}
    assert sorted({shape[3] for shape in shapes}) == [32, 80, 96, 640]


@pytest.mark.parametrize("scale", [(2240, 2240), (3000, 640), (8000, 8000)])
def test_noise_of_a_large_pipeline_is_brought_down_to_what_a_minute_allows(
    scale: tuple[int, int], detector: ModelSpec
) -> None:
    large = scaled(detector, scale)
    for noise in noise_inputs(large, large):
        n, _, height, width = noise.shape
        assert n * height * width <= MAX_PIXELS
        assert height % 32 == width % 32 == 0
        assert min(height, width) >= 32


def test_a_static_model_has_one_shape_and_a_fixed_batch_leaves_the_sizes(detector: ModelSpec) -> None:
    static = fixed(detector, (2, 3, 64, 96))
    assert [(noise.label, noise.shape) for noise in noise_inputs(detector, static)] == [("static", (2, 3, 64, 96))]
    batch = fixed(detector, (4, 3, "height", "width"))
    shapes = [noise.shape for noise in noise_inputs(batch, detector)]
    assert len(shapes) == 5
    assert {shape[0] for shape in shapes} == {4}


def test_noise_follows_its_seed(detector: ModelSpec) -> None:
    first, again, other = (
        np.stack([image.tensor for image in noise_inputs(detector, detector, seed)[1].make()]) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert not np.array_equal(first, other)
    assert abs(float(first.mean())) < 0.02
    assert float(first.std()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("scale", [(1333, 736), (2240, 2240), (4000, 4000)])
def test_drawn_images_are_prepared_to_a_bounded_size(scale: tuple[int, int], detector: ModelSpec) -> None:
    spec = scaled(detector, scale)
    images = drawn_images(spec)
    assert len(images) == 3
    for image in images:
        assert image.dtype == np.uint8
        _, height, width = output_size((image.shape[0], image.shape[1]), spec.preprocessing)
        assert height * width <= max(MAX_PIXELS, 64 * max(scale) ** 2 // max(image.shape[:2]) * 2)
    assert [image.shape for image in images] != [images[0].shape] * 3


def test_drawn_images_follow_their_seed(detector: ModelSpec) -> None:
    first, again, other = (
        np.stack([image.tensor for image in noise_inputs(detector, detector, seed)[1].make()]) for seed in (0, 0, 1)
    )
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, different)


def test_a_static_model_is_drawn_for_at_its_size(detector: ModelSpec) -> None:
    assert static_shape(detector) is None
    static = fixed(detector, ("batch", 3, 160, 224))
    assert static_shape(static) == (1, 3, 160, 224)
    assert [image.shape for image in drawn_images(static)] == [(160, 224, 3)]


def test_images_for_their_size_have_every_aspect(detector: ModelSpec, seeded_onnx: Callable[[str], Path]) -> None:
    sizes = [image.shape[:2] for image in sized_images(detector)]
    assert sizes == [(16, 1280), (1280, 16), (512, 512), (736, 1333)]
    assert len(list(sized_images(read_onnx_spec(seeded_onnx("crnn"))))) == 4


def test_an_engine_is_given_a_batch_that_it_runs_in_parts(detector: ModelSpec) -> None:
    profiles = [
        ShapeProfile((1, 3, 64, 64), (2, 3, 96, 96), (4, 3, 128, 128)),
        ShapeProfile((1, 3, 736, 736), (1, 3, 736, 736), (1, 3, 736, 1344)),
    ]
    shapes = [noise.shape for noise in noise_inputs(detector, detector, profiles=profiles)]
    assert {(5, 3, 64, 64), (16, 3, 64, 64), (2, 3, 736, 736)} <= set(shapes)
