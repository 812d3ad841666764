"""What holds of the decoders whatever the maps; that DB moves with its map is tested beside it."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrdeploy.decoders import (
    CTCConvertor,
    FCEPostprocessor,
    PANPostprocessor,
    PSEPostprocessor,
    TextRepr,
    TextSnakePostprocessor,
)
from ocrdeploy.decoders.ctc import decode_ctc
from ocrdeploy.decoders.regions import grow
from ocrdeploy.results import Detection
from ocrdeploy.steps import Preprocessed
from tests.support.region_cases import parts

STRIDE = 4
"""PSENet's and PANet's maps have a quarter of the image's height and width."""
CORNER_TOLERANCE = 1e-3
"""Pixels: OpenCV finds the rectangle of least area in float32, in which larger coordinates have fewer digits."""
SCORE_TOLERANCE = 1e-6
"""Softmax of logits moved by a whole number: float32 rounds differently."""

MAP = 24
LEVELS = st.sampled_from([-6.0, -1.0, 0.5, 2.0, 6.0])
SHIFTS = st.tuples(st.integers(0, MAP), st.integers(0, MAP))
BOUNDARIES: st.SearchStrategy[TextRepr] = st.sampled_from(["quad", "poly"])
DICTIONARY = CTCConvertor(("<BLK>", "a", "b", "cd"))


def coarse_maps(channels: int) -> st.SearchStrategy[NDArray[np.float32]]:
    """Maps of a few blobs, three pixels to a drawn one, so that most regions have an area."""
    coarse = arrays.arrays(np.float32, (channels, MAP // 3, MAP // 3), elements=LEVELS)
    return coarse.map(lambda maps: np.kron(maps, np.ones((1, 3, 3), np.float32)))


def placed(maps: NDArray[np.float32], shift: tuple[int, int]) -> NDArray[np.float32]:
    """Return maps twice as large without text but for these, which begin at `shift` (row, column)."""
    canvas = np.full((len(maps), 2 * MAP, 2 * MAP), np.float32(-9))
    canvas[:, shift[0] : shift[0] + MAP, shift[1] : shift[1] + MAP] = maps
    return canvas


def in_order(detections: list[Detection], shift: tuple[int, int]) -> list[tuple[NDArray[np.float64], float]]:
    """Return polygons, moved back, and scores, sorted: the order of instances is that of OpenCV's labels."""
    moved = [(item.polygon - STRIDE * np.array(shift[::-1]), item.score) for item in detections]
    return sorted(moved, key=lambda item: (*np.round(item[0].mean(axis=0), 1).tolist(), item[1]))


def decode(maps: NDArray[np.float32], decoder: PSEPostprocessor | PANPostprocessor) -> list[Detection]:
    size = maps.shape[1] * STRIDE, maps.shape[2] * STRIDE
    (result,) = decoder.decode(
        {"maps": maps[None]}, [Preprocessed(np.empty((0, *size), np.float32), None, None, size, size)]
    )
    assert isinstance(result, list)
    return result


def check_moves(
    maps: NDArray[np.float32], shift: tuple[int, int], decoder: PSEPostprocessor | PANPostprocessor
) -> None:
    still = in_order(decode(placed(maps, (0, 0)), decoder), (0, 0))
    moved = in_order(decode(placed(maps, shift), decoder), shift)
    assert [score for _, score in still] == [score for _, score in moved]
    for (first, _), (second, _) in zip(still, moved, strict=True):
        if decoder.text_repr_type == "poly":
            np.testing.assert_array_equal(first, second)
        else:
            # A square has rectangles of the same area in more ways than one, and the first corner carries no meaning.
            assert cross_area(first) == pytest.approx(cross_area(second), rel=0.01, abs=1)


def cross_area(quad: NDArray[np.float64]) -> float:
    (a, b), (c, d) = quad[2] - quad[0], quad[3] - quad[1]
    return float(abs(a * d - b * c) / 2)


@given(coarse_maps(3), SHIFTS, BOUNDARIES)
def test_pse_moves_with_its_maps(maps: NDArray[np.float32], shift: tuple[int, int], boundary: TextRepr) -> None:
    check_moves(maps, shift, PSEPostprocessor(text_repr_type=boundary, min_text_avg_confidence=0.5))


@given(coarse_maps(6), SHIFTS, BOUNDARIES)
def test_pan_moves_with_its_maps(maps: NDArray[np.float32], shift: tuple[int, int], boundary: TextRepr) -> None:
    check_moves(maps, shift, PANPostprocessor(text_repr_type=boundary, min_text_avg_confidence=0.7))


SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(st.data(), SIZES)
def test_growth_fills_what_it_reaches_and_keeps_the_kernels(data: st.DataObject, size: tuple[int, int]) -> None:
    text, kernel = (data.draw(arrays.arrays(np.bool_, size)) for _ in range(2))
    kernels = parts(kernel)
    grown = grow(kernels, text)
    np.testing.assert_array_equal(grown[kernels > 0], kernels[kernels > 0])
    assert not grown[~(text | kernel)].any()
    np.testing.assert_array_equal(grow(grown, text), grown)
    for part in range(1, int(parts(text | kernel).max()) + 1):
        inside = parts(text | kernel) == part
        assert (grown[inside] > 0).all() == kernel[inside].any()


LOGITS = st.tuples(st.integers(0, 4), st.integers(0, 9)).flatmap(
    lambda size: arrays.arrays(np.float32, (*size, 4), elements=st.integers(-8, 8).map(float))
)


@given(LOGITS, st.data())
def test_ctc_reads_a_batch_as_its_images(logits: NDArray[np.float32], data: st.DataObject) -> None:
    ratios = data.draw(st.lists(st.floats(0, 1), min_size=len(logits), max_size=len(logits)))
    alone = [decode_ctc(logits[i : i + 1], DICTIONARY, [ratio])[0] for i, ratio in enumerate(ratios)]
    assert decode_ctc(logits, DICTIONARY, ratios) == alone


@given(LOGITS, st.integers(1, 3))
def test_ctc_reads_steps_that_are_repeated_once(logits: NDArray[np.float32], times: int) -> None:
    ones = [1.0] * len(logits)
    assert decode_ctc(np.repeat(logits, times, axis=1), DICTIONARY, ones) == decode_ctc(logits, DICTIONARY, ones)


@settings(max_examples=50)
@given(LOGITS, st.integers(-50, 50))
def test_ctc_does_not_look_at_the_level_of_a_step(logits: NDArray[np.float32], level: int) -> None:
    ones = [1.0] * len(logits)
    before, after = (decode_ctc(values, DICTIONARY, ones) for values in (logits, logits + np.float32(level)))
    assert [item.text for item in before] == [item.text for item in after]
    for first, second in zip(before, after, strict=True):
        assert first.char_scores == pytest.approx(second.char_scores, abs=SCORE_TOLERANCE)
        assert all(0 < score <= 1 for score in first.char_scores)


ANY_NUMBER = st.floats(-(2.0**100), 2.0**100, width=32)
"""What an untrained network may give."""


def any_maps(channels: int, height: int, width: int) -> st.SearchStrategy[NDArray[np.float32]]:
    """Maps 1×C×H×W of any finite numbers, most of them alike."""
    return arrays.arrays(np.float32, (1, channels, height, width), elements=ANY_NUMBER, fill=LEVELS)


@settings(max_examples=100, deadline=None)
@given(any_maps(5, 32, 32))
def test_textsnake_takes_any_finite_maps(maps: NDArray[np.float32]) -> None:
    image = Preprocessed(np.zeros((3, 32, 32), np.float32), None, None, (32, 32), (32, 32))
    (found,) = TextSnakePostprocessor(min_center_area=0).decode({"maps": maps}, [image])
    assert isinstance(found, list)
    for item in found:
        assert (item.polygon >= 0).all()
        assert (item.polygon < 32).all()
        assert 0 <= item.score <= 1


@settings(max_examples=50, deadline=None)
@given(any_maps(4, 8, 8), any_maps(22, 8, 8), BOUNDARIES)
def test_fcenet_takes_any_finite_maps(
    classes: NDArray[np.float32], fourier: NDArray[np.float32], kind: TextRepr
) -> None:
    image = Preprocessed(np.zeros((3, 64, 64), np.float32), None, None, (64, 64), (64, 64))
    decoder = FCEPostprocessor(scales=(8,), text_repr_type=kind)
    (found,) = decoder.decode({"classes_8": classes, "fourier_8": fourier}, [image])
    assert isinstance(found, list)
    scores = [item.score for item in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
