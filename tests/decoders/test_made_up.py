import msgspec
import numpy as np
import pytest

from ocrdeploy.decoders import (
    CTCConvertor,
    DBPostprocessor,
    Decoder,
    FCEPostprocessor,
    PANPostprocessor,
    PPOCRPostprocessor,
    PSEPostprocessor,
    TextSnakePostprocessor,
)
from ocrdeploy.results import Detection, Recognition
from ocrdeploy.verification.inputs import made_up_outputs
from tests.support.specs import DETECTOR, RECOGNIZER


@pytest.mark.parametrize("blank", [0, 3])
def test_every_character_is_read_wherever_the_blank_is(blank: int) -> None:
    strings = ["a", "b", "c"]
    strings.insert(blank, "<BLK>")
    decoder = CTCConvertor(tuple(strings), blank_index=blank)
    spec = msgspec.structs.replace(
        RECOGNIZER, postprocessing=decoder, outputs=tuple(each for each in decoder.expects())
    )
    texts = []
    for outputs, image in made_up_outputs(spec, spec):
        (result,) = decoder.decode(outputs, [image])
        assert isinstance(result, Recognition)
        texts.append(result.text)
    assert texts == ["abc", "aac", "aa"]


@pytest.mark.parametrize(
    ("decoder", "setting", "value"),
    [
        (DBPostprocessor("quad"), "mask_thr", 0.35),
        (PSEPostprocessor(), "min_text_avg_confidence", 0.8),
        (PANPostprocessor(), "min_kernel_confidence", 0.9),
        (PPOCRPostprocessor(), "box_thresh", 0.6),
        (FCEPostprocessor(), "score_thr", 0.4),
        (FCEPostprocessor(), "nms_thr", 0.5),
        (FCEPostprocessor(), "alpha", 2.0),
        (FCEPostprocessor(), "beta", 1.0),
        (TextSnakePostprocessor(), "min_center_region_confidence", 0.25),
        (TextSnakePostprocessor(), "radius_shrink_ratio", 0.9),
        (TextSnakePostprocessor(), "min_center_area", 10),
    ],
)
def test_a_threshold_that_differs_shows(decoder: Decoder, setting: str, value: float) -> None:
    other = msgspec.structs.replace(decoder, **{setting: value})
    ((outputs, image),) = decoder.made_up(other, 6)  # type: ignore[arg-type]
    assert tuple(each.shape[2:] for each in outputs.values()) == decoder.map_sizes(image.tensor.shape[1:])
    (first,), (second,) = decoder.decode(outputs, [image]), other.decode(outputs, [image])
    assert _rounded(first) != _rounded(second)


def test_decoders_of_other_kinds_have_no_outputs_in_common() -> None:
    other = msgspec.structs.replace(DETECTOR, postprocessing=PSEPostprocessor())
    assert list(made_up_outputs(DETECTOR, other)) == []


def _rounded(result: object) -> list[tuple[bytes, float]]:
    assert isinstance(result, list)
    assert all(isinstance(each, Detection) for each in result)
    return [(np.round(each.polygon).tobytes(), round(each.score, 3)) for each in result]
