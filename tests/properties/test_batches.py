"""A batch gives every image what it has alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrdeploy.images.reading import read_image
from ocrdeploy.predictor import Predictor
from ocrdeploy.results import Detection
from ocrdeploy.running.models import open_predictor

SCORE_TOLERANCE = 1e-5
"""ONNX Runtime may sum in another order for another batch size."""
CORNER_TOLERANCE = 1e-3

sizes = st.sampled_from([(60, 80), (250, 300), (300, 250), (33, 200)])
crops = st.lists(st.tuples(sizes, st.integers(0, 500), st.integers(0, 200)), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def predictor(small_onnx: Path) -> Iterator[Predictor]:
    with open_predictor(small_onnx, threads=1) as predictor:
        yield predictor


@pytest.fixture(scope="module")
def photo(sample_dir: Path) -> NDArray[np.uint8]:
    return read_image(sample_dir / "imgs/syn_0033.jpg", "color")


# The fixtures are made once and not changed.
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(crops, st.integers(1, 4))
def test_a_batch_gives_every_image_what_it_has_alone(
    predictor: Predictor,
    photo: NDArray[np.uint8],
    places: list[tuple[tuple[int, int], int, int]],
    batch_size: int,
) -> None:
    images = [np.ascontiguousarray(photo[y : y + height, x : x + width]) for (height, width), x, y in places]
    together = list(predictor.stream(images, batch_size))
    assert len(together) == len(images)
    for image, result in zip(images, together, strict=True):
        check_equal(predictor(image), result)


def check_equal(alone: object, batched: object) -> None:
    assert isinstance(alone, list)
    assert isinstance(batched, list)
    assert len(alone) == len(batched)
    for first, second in zip(alone, batched, strict=True):
        assert isinstance(first, Detection)
        assert isinstance(second, Detection)
        assert first.score == pytest.approx(second.score, abs=SCORE_TOLERANCE)
        np.testing.assert_allclose(first.polygon, second.polygon, atol=CORNER_TOLERANCE)
