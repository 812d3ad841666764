import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.decoders import TextSnakePostprocessor
from ocrdeploy.decoders.textsnake import decode_textsnake
from ocrdeploy.errors import ShapeError
from tests.support.boundaries import unmatched

MIN_IOU = 0.98
"""OpenCV versions may draw disks that differ by a pixel."""
SCORE_TOLERANCE = 1e-3
"""MMOCR sums float32 over the whole map, and its 1.x keeps scores in single precision."""
SURE = 9.0


def level_text(
    shape: tuple[int, int], *boxes: tuple[int, int, int, int], radius: float = 8, direction: float = 0
) -> NDArray[np.float32]:
    """Return maps whose centres of text are boxes (left, top, right, bottom), the last two excluded."""
    maps = np.full((5, *shape), -SURE, np.float32)
    maps[0] = SURE
    maps[2], maps[3], maps[4] = np.sin(direction), np.cos(direction), radius
    for left, top, right, bottom in boxes:
        maps[1, top:bottom, left:right] = SURE
    return maps


@pytest.mark.parametrize("generation", ["v0", "v1"])
def test_boundaries_are_those_of_mmocr(extra_data_dir: Path, generation: str) -> None:
    folder = extra_data_dir / "golden_zoo"
    recorded = json.loads((folder / generation / "postprocess" / "textsnake.json").read_text())
    with np.load(folder / "v1" / "postprocess" / "textsnake.npz") as scenes:
        assert len(scenes) == 4
        for case, maps in scenes.items():
            expected = recorded[f"{case}:poly"]
            if generation == "v1":
                pairs = zip(expected["polygons"], expected["scores"], strict=True)
                expected = [[*polygon, score] for polygon, score in pairs]
            assert len(expected) == 6
            found = decode_textsnake(maps[0], TextSnakePostprocessor())
            assert unmatched(found, expected, MIN_IOU, SCORE_TOLERANCE) == []


def test_a_text_is_as_high_as_its_disks_and_the_last_one_comes_first() -> None:
    first, second = decode_textsnake(
        level_text((80, 120), (20, 15, 100, 19), (20, 55, 100, 59)), TextSnakePostprocessor()
    )
    assert first.polygon[:, 1].min() in (48, 49)
    assert first.polygon[:, 1].max() in (64, 65)
    assert second.polygon[:, 1].max() in (24, 25)
    assert first.polygon[:, 0].min() < 20
    assert first.polygon[:, 0].max() > 100
    assert first.score == pytest.approx(1 / (1 + np.exp(-SURE)), abs=1e-6)


def test_points_move_at_right_angles_to_the_text() -> None:
    # The line ends beside the middle of a part that is wider than long; moved along it, the text becomes a disk.
    maps = level_text((60, 120), (30, 25, 90, 35), radius=6)
    (along,) = decode_textsnake(maps, TextSnakePostprocessor())
    maps[2], maps[3] = 1, 0
    (across,) = decode_textsnake(maps, TextSnakePostprocessor())
    assert np.ptp(along.polygon[:, 0]) > 55
    assert np.ptp(across.polygon[:, 0]) < 20


@pytest.mark.parametrize("shape", [(8, 8), (40, 60)])
def test_maps_without_text_give_nothing(shape: tuple[int, int]) -> None:
    assert decode_textsnake(level_text(shape), TextSnakePostprocessor()) == []


def test_maps_that_are_text_everywhere_are_one_instance_within_the_image() -> None:
    (found,) = decode_textsnake(level_text((40, 60), (0, 0, 60, 40), radius=20), TextSnakePostprocessor())
    assert (found.polygon >= 0).all()
    assert (found.polygon <= (59, 39)).all()
    assert np.ptp(found.polygon[:, 1]) == 39


def test_outlines_of_four_corners_are_left_out_as_in_mmocr() -> None:
    assert decode_textsnake(level_text((40, 60), (0, 0, 60, 40), radius=1e9), TextSnakePostprocessor()) == []


@pytest.mark.parametrize("radius", [0.0, -5.0, 1e-6, 1.0])
def test_a_text_without_a_radius_is_none(radius: float) -> None:
    maps = level_text((40, 60), (5, 10, 55, 20), radius=radius)
    assert decode_textsnake(maps, TextSnakePostprocessor(radius_shrink_ratio=0.9)) == []


def test_a_text_without_a_direction_stays_where_it_is() -> None:
    maps = level_text((40, 60), (5, 16, 55, 24), radius=6)
    maps[2:4] = 0
    assert len(decode_textsnake(maps, TextSnakePostprocessor())) == 1


def test_numbers_of_an_untrained_network_give_outlines_within_the_image() -> None:
    maps = level_text((40, 60), (5, 16, 55, 24))
    maps[2:, :, :30] = 3e38
    maps[2:, :, 30:] = -3e38
    maps[4, 20, 20:40] = 5
    for found in decode_textsnake(maps, TextSnakePostprocessor(radius_shrink_ratio=0.5)):
        assert (found.polygon >= 0).all()
        assert (found.polygon <= (59, 39)).all()


def test_small_centres_and_low_probabilities_are_left_out() -> None:
    maps = level_text((40, 60), (5, 10, 15, 14))
    assert len(decode_textsnake(maps, TextSnakePostprocessor(min_center_area=27))) == 1
    assert decode_textsnake(maps, TextSnakePostprocessor(min_center_area=28)) == []
    maps[:2] = np.minimum(maps[:2], 0)
    assert (
        len(decode_textsnake(maps, TextSnakePostprocessor(min_center_area=27, min_center_region_confidence=0.24))) == 1
    )
    assert decode_textsnake(maps, TextSnakePostprocessor(min_center_area=27, min_center_region_confidence=0.25)) == []


def test_disks_may_be_merged_to_one() -> None:
    maps = level_text((60, 90), (20, 26, 70, 34), radius=10)
    (apart,) = decode_textsnake(maps, TextSnakePostprocessor())
    (merged,) = decode_textsnake(maps, TextSnakePostprocessor(disk_overlap_thr=100))
    assert np.ptp(apart.polygon[:, 0]) > 60
    assert np.ptp(merged.polygon, axis=0).tolist() == [20, 20]


def test_the_input_stays_as_it_is() -> None:
    maps = level_text((40, 60), (5, 10, 55, 20))
    maps.flags.writeable = False
    assert len(decode_textsnake(maps, TextSnakePostprocessor())) == 1


@pytest.mark.parametrize("shape", [(8, 8), (1, 5, 8, 8), (4, 8, 8), (5, 0, 8)])
def test_maps_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="radius"):
        decode_textsnake(np.zeros(shape, np.float32), TextSnakePostprocessor())
