import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.decoders import TextRepr
from ocrdeploy.decoders.regions import check_maps, detect_regions, grow, region_polygon, regions, sigmoid
from ocrdeploy.errors import ShapeError
from tests.support.boundaries import overlap

SIGMOID_TOLERANCE = 2e-7
"""Three units in the last place of a float32 below 1: NumPy's exponential and two more operations."""
RECTANGLE_OVERLAP = 0.9999
"""Rotating calipers compute in float32."""


def pixels(*rows: str) -> NDArray[np.int32]:
    """Return the (x, y) of every `#`, row by row."""
    return np.argwhere([[mark == "#" for mark in row] for row in rows])[:, ::-1].astype(np.int32)


def label_map(*rows: str) -> NDArray[np.int32]:
    """Return the digits as labels, everything else as 0."""
    return np.array([[int(mark) if mark.isdigit() else 0 for mark in row] for row in rows], np.int32)


def text_map(*rows: str) -> NDArray[np.bool_]:
    """Return where the rows are not blank."""
    return np.array([[mark != " " for mark in row] for row in rows])


def test_sigmoid_is_exact_to_float32_and_keeps_its_input() -> None:
    logits = np.concatenate([np.linspace(-40, 40, 801), [-200, -89, 0, 89, 200]]).astype(np.float32)
    before = logits.copy()
    result = sigmoid(logits)
    truth = 1 / (1 + np.exp(-logits.astype(np.float64)))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, truth, rtol=0, atol=SIGMOID_TOLERANCE)
    np.testing.assert_array_equal(logits, before)
    assert (result[logits == 0] == 0.5).all()


def test_maps_that_fit_are_passed_on_without_a_copy() -> None:
    maps = np.zeros((3, 2, 2), np.float32)
    assert check_maps(maps, 3, "three") is maps


@pytest.mark.parametrize("shape", [(4, 4), (1, 3, 4, 4), (2, 4, 4), (3, 0, 4), (3, 4, 0)])
def test_maps_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="at least 3 channels") as caught:
        check_maps(np.zeros(shape, np.float32), 3, "three")
    assert str(shape) in caught.value.message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["1...2"], ["11122"]),  # the pixel in the middle: the first in raster order, ...
        (["2...1"], ["22211"]),  # ... whatever its label
        (["1..2."], ["11222"]),
        (["1", ".", ".", ".", "2"], ["1", "1", "1", "2", "2"]),
        (["1..", "...", "..2"], ["111", "112", "122"]),
        (["1..", "12.", "1.."], ["111", "122", "122"]),  # row 2: the 2 above comes before the 1 on the left
        (["1. .", "   .", "2..."], ["11 2", "   2", "2222"]),  # no way through the gap
        (["..", ".."], ["..", ".."]),
        (["1"], ["1"]),
    ],
)
def test_growth_breaks_ties_as_a_queue_does(before: list[str], after: list[str]) -> None:
    np.testing.assert_array_equal(grow(label_map(*before), text_map(*before)), label_map(*after))


def test_growth_stops_at_the_border_and_does_not_wrap() -> None:
    text = text_map(" ..", ".. ", "  .")
    seeds = label_map("  1", "   ", "   ")
    np.testing.assert_array_equal(grow(seeds, text), label_map(" 11", "11 ", "   "))


def test_kernels_keep_pixels_that_are_no_text() -> None:
    np.testing.assert_array_equal(grow(label_map("1 ."), text_map("  .")), label_map("1  "))


def test_a_pixel_that_is_denied_to_one_label_stays_open_to_others() -> None:
    asked: list[tuple[int, int]] = []

    def deny_first(labels: NDArray[np.int32], indices: NDArray[np.intp]) -> NDArray[np.bool_]:
        asked.extend(zip(labels.tolist(), indices.tolist(), strict=True))
        return np.asarray((labels != 1) | (indices < 2))

    before = ["1...2"]
    np.testing.assert_array_equal(grow(label_map(*before), text_map(*before), deny_first), label_map("11222"))
    assert asked == [(1, 1), (2, 3), (1, 2), (2, 2)]


def test_growth_does_not_change_its_inputs() -> None:
    seeds, text = label_map("1.."), text_map("1..")
    grow(seeds, text)
    np.testing.assert_array_equal(seeds, label_map("1.."))
    assert text.all()


def test_regions_are_listed_by_label_and_their_pixels_row_by_row() -> None:
    labels = label_map("3.1", "31.", "..3")
    found = {label: points.tolist() for label, points in regions(labels)}
    assert found == {1: [[2, 0], [1, 1]], 3: [[0, 0], [0, 1], [2, 2]]}
    assert list(found) == [1, 3]


def test_regions_of_an_empty_map() -> None:
    assert list(regions(np.zeros((4, 5), np.int32))) == []


def test_regions_with_more_labels_than_16_bits_hold() -> None:
    labels = np.arange(300 * 300, dtype=np.int32).reshape(300, 300)[::-1].copy()
    found = list(regions(labels))
    assert [label for label, _ in found] == list(range(1, 300 * 300))
    assert found[69_999][1].tolist() == [[70_000 % 300, 299 - 70_000 // 300]]


@pytest.mark.parametrize("offset", [(0, 0), (5, 7), (300, 2)])
def test_poly_is_the_outer_contour(offset: tuple[int, int]) -> None:
    points = pixels("####", "#..#", "####") + np.array(offset, np.int32)
    polygon = region_polygon(points, "poly")
    assert polygon is not None
    assert polygon.dtype == np.float64
    expected = np.array([[0, 0], [3, 0], [3, 2], [0, 2]]) + offset
    assert sorted(polygon.tolist()) == sorted(expected.tolist())


def test_poly_of_several_parts_is_the_one_that_starts_last() -> None:
    points = pixels("###.....", "###..###", "###..###", ".....###", "##......", "##......")
    polygon = region_polygon(points, "poly")
    assert polygon is not None
    assert sorted(polygon.tolist()) == [[0, 4], [0, 5], [1, 4], [1, 5]]


@pytest.mark.parametrize("rows", [["#"], ["####"], ["#", "#", "#"], ["##", "#."], ["###", "###"], ["##", "##", "#."]])
def test_poly_of_fewer_than_four_vertices_is_dropped(rows: list[str]) -> None:
    points = pixels(*rows)
    has_width_and_height = len(points) > 4
    assert (region_polygon(points, "poly") is not None) == has_width_and_height
    assert region_polygon(points, "quad") is not None


def test_quad_is_the_least_rectangle_and_may_be_turned() -> None:
    turned = np.array(cv2.boxPoints(((50, 40), (40, 12), 30.0)))
    mask = np.zeros((80, 100), np.uint8)
    cv2.fillPoly(mask, [np.rint(turned).astype(np.int32)], 1)
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    quad = region_polygon(points, "quad")
    assert quad is not None
    assert quad.shape == (4, 2)
    assert quad.dtype == np.float64
    exact = np.asarray(cv2.boxPoints(cv2.minAreaRect(points)), np.float64)
    assert overlap(quad, exact) > RECTANGLE_OVERLAP
    assert overlap(quad, turned.astype(np.float64)) > 0.85


@pytest.mark.parametrize(("rows", "corners"), [(["#"], {(0, 0)}), (["####"], {(0, 0), (3, 0)})])
def test_quad_without_area_is_kept(rows: list[str], corners: set[tuple[int, int]]) -> None:
    quad = region_polygon(pixels(*rows), "quad")
    assert quad is not None
    assert quad.shape == (4, 2)
    assert {tuple(corner) for corner in quad.round(6).tolist()} == corners


@pytest.mark.parametrize("text_repr_type", ["quad", "poly"])
def test_regions_are_kept_by_area_and_score(text_repr_type: TextRepr) -> None:
    labels = label_map("11  22 33", "11  22 33", "11       ", "    55   ", "    55   ")
    scores = {1: 0.9, 2: 0.85, 3: 0.86, 5: 0.2}
    found = detect_regions(labels, lambda label, _: scores[label], 4, 0.85, text_repr_type)
    assert [item.score for item in found] == [0.9, 0.86]  # 2 is at the limit, which is not above it
    assert found[0].polygon.min(axis=0).round(6).tolist() == [0, 0]
    assert found[0].polygon.max(axis=0).round(6).tolist() == [1, 2]
    larger = detect_regions(labels, lambda label, _: scores[label], 5, 0.85, text_repr_type)
    assert [item.score for item in larger] == [0.9]


def test_scores_are_asked_with_the_pixels_of_the_label() -> None:
    found = detect_regions(label_map("22 1", "22 1"), lambda _, points: float(len(points)) / 10, 0, 0.0, "quad")
    assert [item.score for item in found] == [0.2, 0.4]
