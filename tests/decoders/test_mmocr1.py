"""Where MMOCR 1.x decodes otherwise than 0.x."""

import msgspec
import numpy as np
import pytest

from ocrdeploy.decoders import CTCConvertor, DBPostprocessor, PANPostprocessor, PSEPostprocessor
from ocrdeploy.decoders.ctc import decode_ctc
from ocrdeploy.decoders.db import decode_db
from ocrdeploy.decoders.pan import decode_pan
from ocrdeploy.decoders.polygons import unclip
from ocrdeploy.decoders.pse import decode_pse

SURE = 9.0


def test_a_quadrilateral_of_exactly_the_least_width_counts() -> None:
    prob_map = np.zeros((60, 60), np.float32)
    prob_map[20:31, 10:50] = 0.9
    found = decode_db(prob_map, DBPostprocessor("quad", min_text_width=0))
    sides = np.linalg.norm(np.diff(found[0].polygon[:3], axis=0), axis=1)
    width = float(np.float32(sides.min()))
    settings = DBPostprocessor("quad", min_text_width=round(width))
    assert width == round(width)
    assert decode_db(prob_map, settings) == []
    assert len(decode_db(prob_map, msgspec.structs.replace(settings, width_inclusive=True))) == 1


def test_of_several_rings_of_one_length_the_first_is_taken_alone() -> None:
    # Shrunk, an hourglass falls apart into two triangles.
    hourglass = np.array([(0, 0), (40, 0), (21, 20), (40, 40), (0, 40), (19, 20)], np.int32)
    joined, alone = unclip(hourglass, -3), unclip(hourglass, -3, first_alone=True)
    assert joined is not None
    assert alone is not None
    assert len(joined) == 2 * len(alone)
    np.testing.assert_array_equal(joined[: len(alone)], alone)


@pytest.mark.parametrize(("size", "level", "found"), [(3, SURE, 1), (12, 0.1, 1), (3, 0.1, 0), (12, SURE, 1)])
def test_psenet_keeps_what_is_large_or_certain(size: int, level: float, found: int) -> None:
    logits = np.full((2, 40, 40), -SURE, np.float32)
    logits[:, 5 : 5 + size, 5 : 5 + size] = level
    settings = PSEPostprocessor(min_text_area=16, min_text_avg_confidence=0.85, large_or_certain=True)
    assert len(decode_pse(logits, settings)) == found
    both = msgspec.structs.replace(settings, large_or_certain=False)
    assert len(decode_pse(logits, both)) == (size == 12 and level == SURE)


def test_panet_has_a_distance_of_its_own() -> None:
    logits = np.full((6, 40, 40), -SURE, np.float32)
    logits[0, 5:35, 5:35] = SURE
    logits[1, 10:20, 10:20] = SURE
    logits[2:] = 0
    logits[2, :, 20:] = 2.0
    near = PANPostprocessor(min_text_avg_confidence=0.3)
    far = msgspec.structs.replace(near, max_distance=3.0)
    (first,), (second,) = decode_pan(logits, near), decode_pan(logits, far)
    assert (first.polygon.max(), second.polygon.max()) == (34, 34)
    assert (first.polygon[:, 0].max(), second.polygon[:, 0].max()) == (19, 34)


def test_the_blank_may_be_the_last_class() -> None:
    logits = np.zeros((1, 7, 3), np.float32)
    for step, best in enumerate((0, 0, 2, 0, 1, 2, 2)):
        logits[0, step, best] = SURE
    (last,) = decode_ctc(logits, CTCConvertor(("a", "b", "<PAD>"), blank_index=2), [1.0])
    assert last.text == "aab"


@pytest.mark.parametrize(("blank", "unknown"), [(3, None), (-1, None), (2, 2)])
def test_a_blank_outside_the_dictionary_is_refused(blank: int, unknown: int | None) -> None:
    with pytest.raises(ValueError, match="blank_index"):
        CTCConvertor(("a", "b", "c"), unknown, blank_index=blank)
