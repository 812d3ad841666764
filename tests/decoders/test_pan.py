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

from ocrdeploy.decoders import PANPostprocessor, TextRepr
from ocrdeploy.decoders.pan import decode_pan, group_pixels, label_means
from ocrdeploy.errors import ShapeError
from tests.support.boundaries import unmatched
from tests.support.reference_pan import pixel_group
from tests.support.region_cases import GroupCase, group_case, parts

MIN_IOU = 0.98
"""OpenCV versions find rectangles of least area that differ a little, and torch's sigmoid in the last place."""
SCORE_TOLERANCE = 1e-4
REPRESENTATIONS: list[TextRepr] = ["quad", "poly"]


def recorded_groupings(data_dir: Path) -> Iterator[tuple[GroupCase, Any, Any]]:
    """Yield every recorded case with mmcv's labels and scores."""
    with np.load(data_dir / "postprocess_pan" / "regions.npz") as data:
        for number in range(sum(name.startswith("text") for name in data)):
            case = GroupCase(
                data[f"text{number}"],
                data[f"kernel_labels{number}"].astype(np.int32),
                data[f"embedding{number}"].astype(np.float32),
                float(data[f"max_distance{number}"]),
                data[f"score_map{number}"].astype(np.float32),
            )
            yield case, data[f"labels{number}"], data[f"scores{number}"]


def group(case: GroupCase) -> NDArray[np.int32]:
    """Call `group_pixels` on a case."""
    return group_pixels(case.text, case.kernel_labels, case.embedding, case.max_distance)


def as_logits(text: NDArray[np.bool_], kernel: NDArray[np.bool_], embedding: NDArray[Any]) -> NDArray[np.float32]:
    """Return maps that say the masks with certainty, and an embedding of shape (E, H, W)."""
    return np.concatenate([np.where(np.stack([text, kernel]), 8, -8), embedding]).astype(np.float32)


def boxes(shape: tuple[int, int], *corners: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Return a mask with boxes (left, top, right, bottom), the last two excluded."""
    mask = np.zeros(shape, np.bool_)
    for left, top, right, bottom in corners:
        mask[top:bottom, left:right] = True
    return mask


def test_labels_and_scores_are_those_of_mmcv(data_dir: Path) -> None:
    cases = list(recorded_groupings(data_dir))
    assert len(cases) == 60
    for case, labels, scores in cases:
        found = group(case)
        np.testing.assert_array_equal(found, labels)
        (means,) = label_means(found, case.scores[np.newaxis])
        np.testing.assert_array_equal(means, scores[: len(means)])


def test_the_plain_reference_gives_the_labels_and_scores_of_mmcv(data_dir: Path) -> None:
    for case, labels, scores in recorded_groupings(data_dir):
        found, means = pixel_group(case.text, case.kernel_labels, case.embedding, case.max_distance, case.scores)
        np.testing.assert_array_equal(found, labels)
        np.testing.assert_array_equal(means, scores)


def test_labels_are_those_of_the_plain_reference_on_random_maps() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        case = group_case(rng, 28)
        expected, means = pixel_group(case.text, case.kernel_labels, case.embedding, case.max_distance, case.scores)
        found = group(case)
        np.testing.assert_array_equal(found, expected)
        (found_means,) = label_means(found, case.scores[np.newaxis])
        np.testing.assert_array_equal(found_means, np.array(means)[: found.max() + 1])


SIZES = st.tuples(st.integers(1, 8), st.integers(1, 8))


@settings(max_examples=200, deadline=None)
@given(st.data(), SIZES, st.integers(1, 2), st.sampled_from([0.0, 0.5, 0.85, 1.0]))
def test_labels_are_those_of_the_plain_reference(
    data: st.DataObject, size: tuple[int, int], channels: int, max_distance: float
) -> None:
    text = data.draw(arrays.arrays(np.bool_, size))
    kernel = data.draw(arrays.arrays(np.bool_, size))
    values = st.sampled_from([0.0, 0.5, -0.5, 0.25, 1.0])
    embedding = data.draw(arrays.arrays(np.float32, (channels, *size), elements=values))
    seeds = parts(text & kernel)
    expected, _ = pixel_group(text, seeds, embedding, max_distance, np.zeros(size, np.float32))
    np.testing.assert_array_equal(group_pixels(text, seeds, embedding, max_distance), expected)


def test_pixels_at_the_distance_are_too_far() -> None:
    text = boxes((1, 3), (0, 0, 3, 1))
    seeds = np.array([[0, 1, 0]], np.int32)
    embedding = np.array([[[0.5, 0, -0.25]]], np.float32)
    np.testing.assert_array_equal(group_pixels(text, seeds, embedding, 0.5), [[0, 1, 1]])
    np.testing.assert_array_equal(group_pixels(text, seeds, embedding, 0.25), [[0, 1, 0]])
    np.testing.assert_array_equal(group_pixels(text, seeds, embedding, 0.51), [[1, 1, 1]])


def test_a_kernel_is_compared_by_its_own_mean_however_far_it_grows() -> None:
    text = boxes((1, 6), (0, 0, 6, 1))
    seeds = np.array([[1, 1, 0, 0, 0, 0]], np.int32)
    drifting = np.array([[[0, 0.2, 0.4, 0.6, 0.8, 1.0]]], np.float32)  # each near its neighbour; the mean is 0.1
    np.testing.assert_array_equal(group_pixels(text, seeds, drifting, 0.6), [[1, 1, 1, 1, 0, 0]])


def test_a_pixel_that_one_kernel_refuses_goes_to_a_later_one() -> None:
    text = boxes((1, 5), (0, 0, 5, 1))
    seeds = np.array([[1, 0, 0, 0, 2]], np.int32)
    embedding = np.array([[[0, 3, 3, 3, 3]]], np.float32)
    np.testing.assert_array_equal(group_pixels(text, seeds, embedding, 0.85), [[1, 2, 2, 2, 2]])


def test_kernels_grow_into_their_holes() -> None:
    text = boxes((7, 7), (0, 0, 7, 7))
    seeds = (text & ~boxes((7, 7), (2, 2, 5, 5))).astype(np.int32)
    assert (group_pixels(text, seeds, np.zeros((4, 7, 7), np.float32), 0.85) == 1).all()


@pytest.mark.parametrize("value", [np.inf, np.nan, 3e38])
def test_embeddings_without_a_distance_are_near_to_nothing(value: float) -> None:
    text = boxes((2, 3), (0, 0, 3, 2))
    seeds = np.array([[1, 0, 0], [1, 0, 0]], np.int32)
    embedding = np.zeros((2, 2, 3), np.float32)
    embedding[1, :, 1] = value
    np.testing.assert_array_equal(group_pixels(text, seeds, embedding, 0.85), seeds)


def test_boundaries_are_those_of_mmocr_on_crops(data_dir: Path) -> None:
    recorded = json.loads((data_dir / "postprocess_pan" / "crops.json").read_text())
    assert len(recorded) == 8
    with np.load(data_dir / "postprocess_pan" / "crops.npz") as crops:
        for case in recorded:
            found = decode_pan(crops[case["image"]].astype(np.float32), PANPostprocessor(**case["settings"]))
            assert unmatched(found, case["boundaries"], MIN_IOU, SCORE_TOLERANCE) == []


@pytest.mark.parametrize("text_repr_type", REPRESENTATIONS)
def test_boundaries_are_those_of_mmocr_on_whole_images(extra_data_dir: Path, text_repr_type: TextRepr) -> None:
    folder = extra_data_dir / "golden" / "postprocess"
    recorded = json.loads((folder / "panet.json").read_text())
    with np.load(folder / "panet.npz") as images:
        assert len(images) > 0
        for image, logits in images.items():
            found = decode_pan(logits[0], PANPostprocessor(text_repr_type=text_repr_type))
            assert unmatched(found, recorded[f"{image}:{text_repr_type}"], MIN_IOU, SCORE_TOLERANCE) == []


@pytest.mark.parametrize("text_repr_type", REPRESENTATIONS)
def test_touching_words_are_told_apart_by_their_embeddings(text_repr_type: TextRepr) -> None:
    text = boxes((10, 30), (0, 0, 30, 10))
    kernel = boxes((10, 30), (2, 3, 6, 7), (22, 3, 28, 7))
    embedding = np.zeros((4, 10, 30))
    embedding[:, :, 20:] = 1
    maps = as_logits(text, kernel, embedding)
    first, second = decode_pan(maps, PANPostprocessor(text_repr_type=text_repr_type))
    assert first.polygon.dtype == np.float64
    assert first.polygon.max(axis=0).round(4).tolist() == [19, 9]
    assert second.polygon.min(axis=0).round(4).tolist() == [20, 0]
    assert first.score == pytest.approx(1 / (1 + np.exp(-8)))


def test_the_confidence_threshold_is_the_embedding_distance_too() -> None:
    text = boxes((8, 20), (0, 0, 20, 8))
    embedding = np.zeros((4, 8, 20))
    embedding[0, :, 10:] = 0.8
    maps = as_logits(text, boxes((8, 20), (1, 1, 5, 7)), embedding)
    (near,) = decode_pan(maps, PANPostprocessor(min_text_avg_confidence=0.85))
    assert near.polygon.max(axis=0).tolist() == [19, 7]
    (far,) = decode_pan(maps, PANPostprocessor(min_text_avg_confidence=0.75))
    assert far.polygon.max(axis=0).tolist() == [9, 7]


def test_kernel_pixels_outside_the_text_do_not_count() -> None:
    nothing, everything = np.zeros((9, 9), np.bool_), np.ones((9, 9), np.bool_)
    assert decode_pan(as_logits(nothing, everything, np.zeros((4, 9, 9))), PANPostprocessor()) == []


@pytest.mark.parametrize("text_repr_type", REPRESENTATIONS)
@pytest.mark.parametrize("shape", [(6, 1, 1), (3, 8, 8), (6, 16, 24)])
def test_a_map_without_text_gives_nothing(text_repr_type: TextRepr, shape: tuple[int, int, int]) -> None:
    assert decode_pan(np.full(shape, -3, np.float32), PANPostprocessor(text_repr_type=text_repr_type)) == []


@pytest.mark.parametrize("text_repr_type", REPRESENTATIONS)
def test_a_map_that_is_text_everywhere_is_one_instance(text_repr_type: TextRepr) -> None:
    corner = boxes((320, 560), (0, 0, 1, 1))
    maps = as_logits(np.ones_like(corner), corner, np.zeros((4, 320, 560)))
    (found,) = decode_pan(maps, PANPostprocessor(text_repr_type=text_repr_type))
    assert found.polygon.min(axis=0).round(3).tolist() == [0, 0]
    assert found.polygon.max(axis=0).round(3).tolist() == [559, 319]


def test_a_single_pixel_is_a_quad_where_its_area_is_allowed() -> None:
    pixel = boxes((5, 5), (3, 2, 4, 3))
    maps = as_logits(pixel, pixel, np.zeros((4, 5, 5)))
    assert decode_pan(maps, PANPostprocessor(text_repr_type="quad")) == []
    (found,) = decode_pan(maps, PANPostprocessor(text_repr_type="quad", min_text_area=1))
    assert found.polygon.tolist() == [[3, 2]] * 4
    assert decode_pan(maps, PANPostprocessor(text_repr_type="poly", min_text_area=1)) == []


def test_instances_at_the_thresholds() -> None:
    text = boxes((6, 6), (1, 1, 5, 5))
    maps = np.zeros((6, 6, 6), np.float32)
    maps[:2, ~text] = -8

    def count(text_score: float, kernel_score: float, average: float, area: int) -> int:
        return len(decode_pan(maps, PANPostprocessor("poly", text_score, kernel_score, average, area)))

    assert count(0.4, 0.4, 0.4, 16) == 1
    assert count(0.5, 0.4, 0.4, 16) == 0
    assert count(0.4, 0.5, 0.4, 16) == 0
    assert count(0.4, 0.4, 0.5, 16) == 0
    assert count(0.4, 0.4, 0.4, 17) == 0


def test_the_input_stays_as_it_is() -> None:
    rng = np.random.default_rng(7)
    maps = rng.normal(0, 3, (6, 30, 40)).astype(np.float32)
    before = maps.copy()
    decode_pan(maps, PANPostprocessor(min_text_area=1))
    np.testing.assert_array_equal(maps, before)
    maps.flags.writeable = False
    decode_pan(maps, PANPostprocessor(min_text_area=1))


@pytest.mark.parametrize("shape", [(8, 8), (1, 6, 8, 8), (2, 8, 8), (6, 8, 0)])
def test_maps_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        decode_pan(np.zeros(shape, np.float32), PANPostprocessor())
