from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely import Polygon

from ocrdeploy.decoders import DBPostprocessor, TextRepr
from ocrdeploy.decoders.db import decode_db
from ocrdeploy.errors import ShapeError
from ocrdeploy.results import Detection
from tests.support.boundaries import unmatched
from tests.support.recordings import read_json

MIN_IOU = 0.9999
"""Only the float32 corners of a rectangle of least area differ between versions of OpenCV, by some 1e-5 pixels."""
SCORE_TOLERANCE = 1e-6
"""Sums over a mask may be taken in another order by another build of OpenCV."""
ROUNDING = 1.5
"""Pixels. A grown vertex that falls between two pixels may be rounded either way, depending on where it lies."""
REPRESENTATIONS: list[TextRepr] = ["quad", "poly"]


def as_map(values: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a map that was stored as whole numbers of 1/255."""
    return (values / np.float32(255)).astype(np.float32)


def decode(values: NDArray[Any], text_repr_type: TextRepr = "poly") -> list[Detection]:
    """Decode a map of any type with the default settings."""
    return decode_db(values.astype(np.float32), DBPostprocessor(text_repr_type=text_repr_type))


def assert_same(detections: list[Detection], boundaries: list[list[float]]) -> None:
    """Every polygon and its score, in MMOCR's order."""
    assert not unmatched(detections, boundaries, MIN_IOU, SCORE_TOLERANCE)
    assert [item.score for item in detections] == pytest.approx([item[-1] for item in boundaries], abs=SCORE_TOLERANCE)


def test_polygons_and_scores_are_those_of_mmocr(data_dir: Path) -> None:
    folder = data_dir / "postprocess_db"
    with np.load(folder / "maps.npz") as data:
        maps = {name: as_map(data[name]) for name in data}
    cases = read_json(folder / "boundaries.json.gz")
    for case in cases:
        assert_same(decode_db(maps[case["map"]], DBPostprocessor(**case["settings"])), case["boundaries"])
    assert {case["map"] for case in cases} == set(maps)
    assert sum(len(case["boundaries"]) for case in cases) > 900


def test_full_maps_decode_as_in_mmocr(extra_data_dir: Path) -> None:
    folder = extra_data_dir / "golden" / "postprocess"
    recorded = read_json(folder / "dbnet.json")
    with np.load(folder / "dbnet.npz") as data:
        for name, boundaries in recorded.items():
            file, _, text_repr_type = name.rpartition(":")
            assert_same(decode_db(data[file][0, 0], DBPostprocessor(text_repr_type=text_repr_type)), boundaries)
    assert len(recorded) == 6


@pytest.mark.parametrize("text_repr_type", REPRESENTATIONS)
@pytest.mark.parametrize("shape", [(0, 0), (0, 7), (7, 0), (1, 1), (1, 40), (40, 1), (2, 40), (64, 64)])
def test_no_text(shape: tuple[int, int], text_repr_type: TextRepr) -> None:
    assert decode(np.zeros(shape), text_repr_type) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)])
def test_a_line_is_no_polygon(shape: tuple[int, int]) -> None:
    assert decode(np.ones(shape)) == []


def test_text_everywhere_grows_past_the_map() -> None:
    (detection,) = decode(np.ones((40, 60)), "quad")
    distance = 39 * 59 * 1.5 / (2 * (39 + 59))
    assert detection.score == 1
    assert detection.polygon.min(axis=0) == pytest.approx(-distance, abs=0.51)
    assert detection.polygon.max(axis=0) == pytest.approx([59 + distance, 39 + distance], abs=0.51)


def test_single_pixels_are_no_text_but_a_hole_of_one_pixel_is_scored() -> None:
    values = np.zeros((20, 20))
    values[3, 3] = values[0, 19] = values[19, 10] = 1
    assert decode(values) == []
    values = np.ones((40, 40))
    values[20, 20] = 0
    assert [round(item.score, 4) for item in decode(values)] == [0.8, 0.9994]


@pytest.mark.parametrize("text_repr_type", REPRESENTATIONS)
def test_noise_gives_at_most_one_more_than_max_candidates(text_repr_type: TextRepr) -> None:
    values = (np.indices((300, 300)).sum(axis=0) % 2).astype(np.float32)
    found = decode_db(values, DBPostprocessor(text_repr_type=text_repr_type, min_text_width=0, min_text_score=0))
    assert len(found) == 3001


@pytest.mark.parametrize(("max_candidates", "expected"), [(-2, 0), (-1, 0), (0, 1), (1, 2), (2, 3), (9, 3)])
def test_max_candidates_counts_as_in_mmocr(max_candidates: int, expected: int) -> None:
    values = np.zeros((40, 90), np.float32)
    values[10:25, 5:25] = values[10:25, 35:55] = values[10:25, 65:85] = 1
    assert len(decode_db(values, DBPostprocessor(max_candidates=max_candidates))) == expected


def test_thresholds_are_compared_in_float32() -> None:
    values = np.full((40, 40), np.float32(0.2))
    assert float(values[0, 0]) > 0.2
    assert decode_db(values, DBPostprocessor(mask_thr=0.2, min_text_score=0)) == []
    assert (
        len(decode_db(np.nextafter(values, 1, dtype=np.float32), DBPostprocessor(mask_thr=0.2, min_text_score=0))) == 1
    )


def test_a_score_at_the_threshold_passes() -> None:
    values = np.full((40, 40), 0.5, np.float32)
    assert len(decode_db(values, DBPostprocessor(min_text_score=0.5))) == 1
    assert decode_db(values, DBPostprocessor(min_text_score=0.5001)) == []


def test_only_quads_have_a_least_width_and_it_is_exclusive() -> None:
    values = np.zeros((30, 60), np.float32)
    values[10:14, 10:50] = 1
    grown = 3 + 2 * round(3 * 39 * 1.5 / (2 * (3 + 39)))
    wide = DBPostprocessor(text_repr_type="quad", min_text_width=grown - 0.01)
    assert len(decode_db(values, wide)) == 1
    assert decode_db(values, DBPostprocessor(text_repr_type="quad", min_text_width=grown)) == []
    assert len(decode_db(values, DBPostprocessor(text_repr_type="poly", min_text_width=grown))) == 1


def test_a_polygon_that_closes_around_a_hole_is_dropped() -> None:
    values = np.zeros((60, 60))
    values[10:50, 10:50] = 1
    values[16:44, 16:44] = 0
    assert len(decode(values[:, :30])) == 1
    values[28:31, 40:50] = 0
    assert decode(values) == []


def test_the_map_is_not_changed_and_its_memory_layout_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    values = np.kron(rng.random((12, 20)), np.ones((6, 6))).astype(np.float32)
    original = values.copy()
    expected = decode(values)
    assert len(expected) > 5
    np.testing.assert_array_equal(values, original)
    interleaved = np.stack([values, values], axis=2)[:, :, 1]
    interleaved.setflags(write=False)
    for detection, other in zip(expected, decode_db(interleaved, DBPostprocessor()), strict=True):
        np.testing.assert_array_equal(detection.polygon, other.polygon)
        assert detection.score == pytest.approx(other.score, abs=SCORE_TOLERANCE)


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"H x W, got shape \(1, 8, 8\)"):
        decode_db(np.zeros((1, 8, 8), np.float32), DBPostprocessor())


BLOBS = arrays.arrays(
    np.uint8, st.tuples(st.integers(4, 20), st.integers(4, 20)), elements=st.sampled_from([0, 90, 180, 250])
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(BLOBS, st.integers(20, 70), st.integers(20, 70))
def test_moving_text_moves_its_polygons(blobs: NDArray[np.uint8], x: int, y: int) -> None:
    height, width = blobs.shape
    still, moved = np.zeros((2, 110, 110), np.uint8)
    still[20 : 20 + height, 20 : 20 + width] = blobs
    moved[y : y + height, x : x + width] = blobs
    before, after = decode(as_map(still)), decode(as_map(moved))
    assert len(before) == len(after)
    for first, second in zip(before, after, strict=True):
        assert first.score == pytest.approx(second.score, abs=SCORE_TOLERANCE)
        distance = Polygon(first.polygon + np.array([x - 20, y - 20])).hausdorff_distance(Polygon(second.polygon))
        assert distance <= ROUNDING


@settings(max_examples=60, deadline=None, derandomize=True)
@given(BLOBS)
def test_a_quad_is_the_least_rectangle_around_the_polygon(blobs: NDArray[np.uint8]) -> None:
    values = as_map(np.pad(np.kron(blobs, np.ones((3, 3), np.uint8)), 20))
    quads = decode_db(values, DBPostprocessor(text_repr_type="quad", min_text_width=0))
    polygons = decode_db(values, DBPostprocessor(text_repr_type="poly"))
    assert [item.score for item in quads] == [item.score for item in polygons]
    for quad, polygon in zip(quads, polygons, strict=True):
        first, second, third, fourth = quad.polygon
        assert third - second == pytest.approx(fourth - first, abs=0.01)
        assert (second - first) @ (fourth - first) == pytest.approx(0, abs=0.1)
        inside = Polygon(polygon.polygon)
        assert Polygon(quad.polygon).buffer(0.01).contains(inside)
        assert Polygon(quad.polygon).area <= inside.minimum_rotated_rectangle.area * (1 + 1e-5)
