import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.decoders import FCEPostprocessor, TextRepr
from ocrdeploy.decoders.fcenet import decode_fce
from ocrdeploy.errors import ShapeError
from tests.support.boundaries import unmatched

MIN_IOU = 0.98
"""OpenCV versions find rectangles of least area that differ a little, and their corners are cut to whole numbers."""
SCORE_TOLERANCE = 1e-3
"""torch's softmax and this sigmoid differ in the last place, and MMOCR 1.x keeps its scores in single precision."""
SETTINGS: dict[TextRepr, dict[str, Any]] = {"poly": {"alpha": 1.0, "beta": 2.0}, "quad": {"alpha": 1.2, "beta": 1.0}}
LEVELS = ((8, 20), (4, 10), (2, 5))
"""Height and width of the maps of each level of a small image."""
SURE = 9.0

Maps = list[NDArray[np.float32]]


def recorded_scenes(folder: Path) -> Iterator[tuple[str, Maps]]:
    """Yield name and maps of each recorded scene."""
    with np.load(folder / "v1" / "postprocess" / "fcenet.npz") as data:
        for case in sorted({name.split("_")[0] for name in data}):
            yield case, [data[f"{case}_level{level}_{kind}_res"][0] for level in range(3) for kind in ("cls", "reg")]


def blank(degree: int = 5) -> Maps:
    """Return maps without text."""
    maps = []
    for size in LEVELS:
        classes = np.full((4, *size), -SURE, np.float32)
        classes[::2] = SURE
        maps += [classes, np.zeros((2 * (2 * degree + 1), *size), np.float32)]
    return maps


def put_circle(
    maps: Maps, level: int, pixels: tuple[slice, slice], radius: float, level_of_centre: float = SURE
) -> None:
    """Make pixels of a level text whose contours are circles around each of them."""
    maps[2 * level][(slice(1, None, 2), *pixels)] = level_of_centre
    maps[2 * level][(slice(0, None, 2), *pixels)] = 0
    # x + iy = radius * exp(it): the coefficient of degree 1 is real.
    maps[2 * level + 1][(6, *pixels)] = radius


@pytest.mark.parametrize("generation", ["v0", "v1"])
@pytest.mark.parametrize("text_repr_type", SETTINGS)
def test_boundaries_are_those_of_mmocr(extra_data_dir: Path, generation: str, text_repr_type: TextRepr) -> None:
    folder = extra_data_dir / "golden_zoo"
    recorded = json.loads((folder / generation / "postprocess" / "fcenet.json").read_text())
    newer = generation == "v1"
    # MMOCR 0.x finds the rectangles and gives the contours.
    kind = text_repr_type if newer else "poly"
    settings = FCEPostprocessor(text_repr_type=kind, hull_of_parts=newer, **SETTINGS[text_repr_type])
    scenes = list(recorded_scenes(folder))
    assert len(scenes) == 4
    for case, maps in scenes:
        expected = recorded[f"{case}:{text_repr_type}"]
        if newer:
            pairs = zip(expected["polygons"], expected["scores"], strict=True)
            expected = [[*polygon, score] for polygon, score in pairs]
        assert len(expected) == 8
        assert unmatched(decode_fce(maps, settings), expected, MIN_IOU, SCORE_TOLERANCE) == []


def test_a_contour_is_around_its_pixel_at_the_scale_of_its_level() -> None:
    maps = blank()
    put_circle(maps, 1, np.s_[1:2, 6:7], 2)
    (found,) = decode_fce(maps, FCEPostprocessor())
    assert found.polygon.shape == (50, 2)
    np.testing.assert_array_equal(found.polygon.min(axis=0), [96 - 32, 16 - 31])
    np.testing.assert_array_equal(found.polygon.max(axis=0), [96 + 32, 16 + 31])
    assert found.score == pytest.approx(1 / (1 + np.exp(-SURE)) ** 3)


def test_of_all_levels_the_best_of_those_that_overlap_is_left() -> None:
    maps = blank()
    put_circle(maps, 0, np.s_[2:6, 3:9], 3, 2.0)
    put_circle(maps, 1, np.s_[1:3, 2:4], 1.5, 3.0)
    put_circle(maps, 2, np.s_[0:1, 4:5], 0.5, 2.0)
    scores = [each.score for each in decode_fce(maps, FCEPostprocessor())]
    assert scores == pytest.approx([1 / (1 + np.exp(-3.0)) ** 3, 1 / (1 + np.exp(-2.0)) ** 3])


def test_quads_are_rectangles_in_whole_numbers() -> None:
    maps = blank()
    put_circle(maps, 0, np.s_[3:4, 5:6], 2)
    (found,) = decode_fce(maps, FCEPostprocessor(text_repr_type="quad"))
    assert found.polygon.shape == (4, 2)
    np.testing.assert_array_equal(found.polygon, np.trunc(found.polygon))


@pytest.mark.parametrize("kind", SETTINGS)
def test_maps_without_text_give_nothing(kind: TextRepr) -> None:
    assert decode_fce(blank(), FCEPostprocessor(text_repr_type=kind)) == []


@pytest.mark.parametrize("kind", SETTINGS)
def test_maps_that_are_text_everywhere_without_contours_are_points(kind: TextRepr) -> None:
    maps = blank()
    put_circle(maps, 0, np.s_[:, :], 0)
    (found,) = decode_fce(maps, FCEPostprocessor(text_repr_type=kind))
    assert len(set(map(tuple, found.polygon.tolist()))) == 1


def test_contours_of_an_untrained_network_stay_within_bounds() -> None:
    maps = blank()
    put_circle(maps, 2, np.s_[0:1, 0:1], 3e38, 3e38)
    maps[4][::2, 0, 0] = -3e38
    (found,) = decode_fce(maps, FCEPostprocessor())
    assert np.abs(found.polygon).max() == 2**24
    assert found.score == 1


def test_thresholds_and_exponents() -> None:
    maps = blank()
    put_circle(maps, 0, np.s_[3:4, 5:6], 2, 0.0)
    assert decode_fce(maps, FCEPostprocessor(score_thr=0.125)) == []
    (found,) = decode_fce(maps, FCEPostprocessor(score_thr=0.124))
    assert found.score == pytest.approx(0.125)
    (found,) = decode_fce(maps, FCEPostprocessor(score_thr=0.3, alpha=0, beta=1))
    assert found.score == pytest.approx(0.5)


def test_other_degrees_and_levels() -> None:
    maps = blank(degree=2)[2:]
    maps[0][1::2, 1, 4] = SURE
    maps[0][::2, 1, 4] = 0
    maps[1][3, 1, 4] = 2
    settings = FCEPostprocessor(fourier_degree=2, num_reconstr_points=8, scales=(16, 32))
    (found,) = decode_fce(maps, settings)
    assert found.polygon.shape == (8, 2)
    assert found.polygon.max(axis=0).tolist() == [96, 48]


def test_the_input_stays_as_it_is() -> None:
    rng = np.random.default_rng(0)
    maps = [rng.normal(0, 2, each.shape).astype(np.float32) for each in blank()]
    for each in maps:
        each.flags.writeable = False
    assert len(decode_fce(maps, FCEPostprocessor())) > 0


@pytest.mark.parametrize("broken", [0, 1, 2, 3])
def test_maps_of_other_shapes_are_refused(broken: int) -> None:
    maps = blank()
    changed = [maps[:4], [*maps[:5], maps[5][:-1]], [*maps[:5], maps[5][:, 1:]], [each[None] for each in maps]]
    with pytest.raises(ShapeError, match="22×height_8×width_8"):
        decode_fce(changed[broken], FCEPostprocessor())


@pytest.mark.parametrize(
    ("values", "message"),
    [({"num_reconstr_points": 10}, "at least 11"), ({"scales": (8, 8)}, "different numbers")],
)
def test_settings_that_contradict_each_other_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FCEPostprocessor(**values)
