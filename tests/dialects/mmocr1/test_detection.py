"""The decoders of FCENet and TextSnake in configs of MMOCR 1.x; those of the others are tested with their networks."""

from typing import Any

import pytest

from ocrdeploy.decoders import FCEPostprocessor, TextSnakePostprocessor
from ocrdeploy.dialects.mmocr1.detection import read_detection_decoder
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError

FCE: dict[str, Any] = {"type": "FCEPostprocessor", "scales": (8, 16), "text_repr_type": "quad", "nms_thr": 0.2}
TEXTSNAKE: dict[str, Any] = {"type": "TextSnakePostprocessor", "text_repr_type": "poly", "disk_overlap_thr": 0.1}


def head(postprocessor: dict[str, Any], **others: Any) -> Section:
    """Return the section of a head."""
    return Section({"postprocessor": postprocessor} | others, "head")


def test_fcenet_has_rectangles_and_hulls_and_the_degree_of_the_head() -> None:
    section = head(FCE | {"fourier_degree": 3}, fourier_degree=4, in_channels=256)
    assert read_detection_decoder(section) == FCEPostprocessor(
        fourier_degree=4, scales=(8, 16), text_repr_type="quad", nms_thr=0.2, hull_of_parts=True
    )
    assert sorted(section) == ["fourier_degree", "in_channels"]


def test_thresholds_of_textsnake() -> None:
    section = head(TEXTSNAKE, in_channels=32, downsample_ratio=0.5)
    assert read_detection_decoder(section) == TextSnakePostprocessor(disk_overlap_thr=0.1)
    assert sorted(section) == ["in_channels"]


@pytest.mark.parametrize(
    ("postprocessor", "message"),
    [
        (FCE | {"novelty": 1}, "postprocessor.novelty of the config"),
        (FCE | {"num_reconstr_points": 8}, "num_reconstr_points of at least 11, not 8"),
        (FCE | {"text_repr_type": "oval"}, "Invalid enum value 'oval'"),
        (TEXTSNAKE | {"text_repr_type": "quad"}, "only 'poly' is supported"),
    ],
)
def test_what_cannot_be_honoured_is_refused(postprocessor: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_detection_decoder(head(postprocessor))
