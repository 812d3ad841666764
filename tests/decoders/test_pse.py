import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrdeploy.decoders import PSEPostprocessor, TextRepr
from ocrdeploy.decoders.pse import decode_pse, expand_kernels
from ocrdeploy.errors import ShapeError
from tests.support.boundaries import unmatched
from tests.support.reference_pse import contour_expand
from tests.support.region_cases import expand_case, parts

MIN_IOU = 0.98
"""OpenCV versions find rectangles of least area that differ a little, and torch's sigmoid in the last place."""
SCORE_TOLERANCE = 1e-4
REPRESENTATIONS: list[TextRepr] = ["quad", "poly"]


def recorded_expansions(data_dir: Path) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.int32], int, Any]]:
    """Yield kernels, kernel labels, least kernel area and mmcv's labels of every recorded case."""
    with np.load(data_dir / "postprocess_pse" / "regions.npz") as data:
        for number in range(sum(name.startswith("shape") for name in data)):
            shape = tuple(data[f"shape{number}"].tolist())
            bits = np.unpackbits(data[f"kernels{number}"], count=int(np.prod(shape)))
            kernel_labels = data[f"kernel_labels{number}"].astype(np.int32)
            area = int(data[f"min_kernel_area{number}"])
            yield bits.reshape(shape).astype(np.bool_), kernel_labels, area, data[f"labels{number}"]


def as_logits(*masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return logits that say the masks, with certainty."""
    return np.where(np.stack(masks), 8, -8).astype(np.float32)


def boxes(shape: tuple[int, int], *corners: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Return a mask with boxes (left, top, right, bottom), the last two excluded."""
    mask = np.zeros(shape, np.bool_)
    for left, top, right, bottom in corners:
        mask[top:bottom, left:right] = True
    return mask


def test_labels_are_those_of_mmcv(data_dir: Path) -> None:
    cases = list(recorded_expansions(data_dir))
    assert len(cases) == 60
    for kernels, kernel_labels, area, labels in cases:
        np.testing.assert_array_equal(expand_kernels(kernels[0], kernel_labels, area), labels)


def test_the_plain_reference_gives_the_labels_of_mmcv(data_dir: Path) -> None:
    for kernels, kernel_labels, area, labels in recorded_expansions(data_dir):
        np.testing.assert_array_equal(contour_expand(kernels, kernel_labels, area), labels)


def test_labels_are_those_of_the_plain_reference_on_random_maps() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        case = expand_case(rng, 32)
        expected = contour_expand(case.kernels, case.kernel_labels, case.min_kernel_area)
        found = expand_kernels(case.kernels[0], case.kernel_labels, case.min_kernel_area)
        np.testing.assert_array_equal(found, expected)


@settings(max_examples=200, deadline=None)
@given(
    arrays.arrays(np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))),
    st.integers(0, 4),
)
def test_labels_are_those_of_the_plain_reference(kernels: NDArray[np.bool_], min_kernel_area: int) -> None:
    kernels = kernels & kernels[0]
    seeds = parts(kernels[-1])
    expected = contour_expand(kernels, seeds, min_kernel_area)
    np.testing.assert_array_equal(expand_kernels(kernels[0], seeds, min_kernel_area), expected)


def test_small_kernels_leave_their_pixels_to_others() -> None:
    text = boxes((3, 9), (0, 0, 9, 3))
    seeds = parts(boxes((3, 9), (0, 0, 2, 3), (6, 1, 7, 2)))
    assert set(np.unique(expand_kernels(text, seeds, 1))) == {1, 2}
    assert set(np.unique(expand_kernels(text, seeds, 2))) == {1}
    assert (expand_kernels(text, seeds, 7) == 0).all()


def test_boundaries_are_those_of_mmocr_on_crops(data_dir: Path) -> None:
    recorded = json.loads((data_dir / "postprocess_pse" / "crops.json").read_text())
    assert len(recorded) == 8
    with np.load(data_dir / "postprocess_pse" / "crops.npz") as crops:
        for case in recorded:
            found = decode_pse(crops[case["image"]].astype(np.float32), PSEPostprocessor(**case["settings"]))
            assert unmatched(found, case["boundaries"], MIN_IOU, SCORE_TOLERANCE) == []


@pytest.mark.parametrize("text_repr_type", REPRESENTATIONS)
def test_boundaries_are_those_of_mmocr_on_whole_images(extra_data_dir: Path, text_repr_type: TextRepr) -> None:
    folder = extra_data_dir / "golden" / "postprocess"
    recorded = json.loads((folder / "psenet.json").read_text())
    with np.load(folder / "psenet.npz") as images:
        assert len(images) > 0
        for image, logits in images.items():
            found = decode_pse(logits[0], PSEPostprocessor(text_repr_type=text_repr_type))
            assert unmatched(found, recorded[f"{image}:{text_repr_type}"], MIN_IOU, SCORE_TOLERANCE) == []


@pytest.mark.parametrize("channels", [1, 2, 7])
@pytest.mark.parametrize("text_repr_type", REPRESENTATIONS)
def test_words_are_found_with_any_number_of_kernels(channels: int, text_repr_type: TextRepr) -> None:
    text = boxes((20, 40), (2, 3, 14, 9), (20, 3, 38, 9))
    logits = as_logits(*[text] * channels)
    first, second = decode_pse(logits, PSEPostprocessor(text_repr_type=text_repr_type))
    assert first.polygon.dtype == np.float64
    assert first.polygon.min(axis=0).round(4).tolist() == [2, 3]
    assert first.polygon.max(axis=0).round(4).tolist() == [13, 8]
    assert second.polygon.max(axis=0).round(4).tolist() == [37, 8]
    assert first.score == pytest.approx(1 / (1 + np.exp(-8)))


def test_touching_words_are_told_apart_by_their_kernels() -> None:
    text = boxes((10, 30), (0, 0, 30, 10))
    kernel = boxes((10, 30), (2, 3, 12, 7), (18, 3, 28, 7))
    first, second = decode_pse(as_logits(text, kernel), PSEPostprocessor())
    assert first.polygon.max(axis=0).tolist() == [14, 9]
    assert second.polygon.min(axis=0).tolist() == [15, 0]


def test_kernels_between_the_smallest_and_the_text_have_no_influence() -> None:
    rng = np.random.default_rng(6)
    text = boxes((10, 30), (0, 0, 30, 10))
    kernel = boxes((10, 30), (2, 3, 12, 7), (18, 3, 28, 7))
    between = rng.random((10, 30)) < 0.5
    with_it = decode_pse(as_logits(text, between, kernel), PSEPostprocessor())
    without = decode_pse(as_logits(text, kernel), PSEPostprocessor())
    assert len(with_it) == len(without) == 2
    for one, other in zip(with_it, without, strict=True):
        np.testing.assert_array_equal(one.polygon, other.polygon)


def test_kernel_pixels_outside_the_text_do_not_count() -> None:
    assert decode_pse(as_logits(np.zeros((9, 9), np.bool_), np.ones((9, 9), np.bool_)), PSEPostprocessor()) == []


@pytest.mark.parametrize("text_repr_type", REPRESENTATIONS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 8, 8), (7, 16, 24)])
def test_a_map_without_text_gives_nothing(text_repr_type: TextRepr, shape: tuple[int, int, int]) -> None:
    assert decode_pse(np.full(shape, -3, np.float32), PSEPostprocessor(text_repr_type=text_repr_type)) == []


@pytest.mark.parametrize("text_repr_type", REPRESENTATIONS)
def test_a_map_that_is_text_everywhere_is_one_instance(text_repr_type: TextRepr) -> None:
    corner = boxes((320, 560), (0, 0, 1, 1))
    logits = as_logits(np.ones_like(corner), corner)
    (found,) = decode_pse(logits, PSEPostprocessor(text_repr_type=text_repr_type))
    assert found.polygon.min(axis=0).round(3).tolist() == [0, 0]
    assert found.polygon.max(axis=0).round(3).tolist() == [559, 319]


def test_a_single_pixel_is_a_quad_where_its_area_is_allowed() -> None:
    logits = as_logits(boxes((5, 5), (3, 2, 4, 3)))
    assert decode_pse(logits, PSEPostprocessor(text_repr_type="quad")) == []
    (found,) = decode_pse(logits, PSEPostprocessor(text_repr_type="quad", min_text_area=1))
    assert found.polygon.tolist() == [[3, 2]] * 4
    assert decode_pse(logits, PSEPostprocessor(text_repr_type="poly", min_text_area=1)) == []


def test_instances_at_the_thresholds() -> None:
    text = boxes((6, 6), (1, 1, 5, 5))
    logits = np.where(text, np.float32(0), np.float32(-8))[np.newaxis]
    certain = PSEPostprocessor(min_kernel_confidence=0.4, min_text_avg_confidence=0.4, min_text_area=16)
    assert len(decode_pse(logits, certain)) == 1
    at_score = PSEPostprocessor(min_kernel_confidence=0.4, min_text_avg_confidence=0.5, min_text_area=16)
    assert decode_pse(logits, at_score) == []
    at_kernel = PSEPostprocessor(min_kernel_confidence=0.5, min_text_avg_confidence=0.4, min_text_area=16)
    assert decode_pse(logits, at_kernel) == []
    area = PSEPostprocessor(min_kernel_confidence=0.4, min_text_avg_confidence=0.4, min_text_area=17)
    assert decode_pse(logits, area) == []


def test_the_input_stays_as_it_is() -> None:
    rng = np.random.default_rng(7)
    logits = rng.normal(0, 3, (7, 30, 40)).astype(np.float32)
    before = logits.copy()
    decode_pse(logits, PSEPostprocessor(min_text_area=1))
    np.testing.assert_array_equal(logits, before)
    logits.flags.writeable = False
    decode_pse(logits, PSEPostprocessor(min_text_area=1))


@pytest.mark.parametrize("shape", [(8, 8), (1, 7, 8, 8), (0, 8, 8), (7, 0, 8)])
def test_maps_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        decode_pse(np.zeros(shape, np.float32), PSEPostprocessor())
