"""The decoders of FCENet and TextSnake in configs of MMOCR 0.x; those of the others are tested with their networks."""

from typing import Any

import pytest

from ocrdeploy.decoders import Decoder, FCEPostprocessor, TextSnakePostprocessor
from ocrdeploy.dialects.mmocr0.detection import read_detection_decoder
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError

FCE: dict[str, Any] = {
    "type": "FCEHead",
    "scales": [8, 16, 32],
    "postprocessor": {"type": "FCEPostprocessor", "text_repr_type": "quad", "num_reconstr_points": 40, "alpha": 1.2},
}
TEXTSNAKE: dict[str, Any] = {
    "type": "TextSnakeHead",
    "postprocessor": {"type": "TextSnakePostprocessor", "text_repr_type": "poly", "min_center_area": 20},
}


def read(head: dict[str, Any]) -> tuple[Decoder, list[str]]:
    """Return the decoder of a head, and the keys that are left for the network."""
    section = Section(head, "head")
    return read_detection_decoder(section), sorted(section)


def test_the_head_of_fcenet_says_degree_scales_and_threshold_of_overlap() -> None:
    decoder, left = read(FCE | {"fourier_degree": 4, "nms_thr": 0.2, "in_channels": 256, "num_sample": 50})
    assert decoder == FCEPostprocessor(
        fourier_degree=4, num_reconstr_points=40, scales=(8, 16, 32), alpha=1.2, beta=2.0, score_thr=0.3, nms_thr=0.2
    )
    assert left == ["fourier_degree", "in_channels", "type"]


def test_fcenet_gives_contours_whatever_is_asked_for_as_in_mmocr() -> None:
    decoder, _ = read(FCE | {"text_repr_type": "quad"})
    assert isinstance(decoder, FCEPostprocessor)
    assert decoder.text_repr_type == "poly"


def test_older_configs_say_thresholds_in_the_head() -> None:
    head = {"type": "FCEHead", "scales": (4, 8), "decoding_type": "fcenet", "alpha": 0.5, "beta": 0, "score_thr": 0.4}
    decoder, left = read(head)
    assert decoder == FCEPostprocessor(scales=(4, 8), alpha=0.5, beta=2.0, score_thr=0.4)
    assert left == ["type"]
    replaced, _ = read(FCE | {"alpha": 0.5})
    assert isinstance(replaced, FCEPostprocessor)
    assert replaced.alpha == 0.5


def test_thresholds_of_textsnake() -> None:
    decoder, left = read(TEXTSNAKE | {"downsample_ratio": 0.5, "in_channels": 32, "text_repr_type": "poly"})
    assert decoder == TextSnakePostprocessor(min_center_area=20, downsample_ratio=0.5)
    assert left == ["in_channels", "type"]
    assert read({"type": "TextSnakeHead"})[0] == TextSnakePostprocessor()


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ({"type": "FCEHead"}, "lacks the key 'scales'"),
        (FCE | {"scales": [8, 8]}, "the scales are different numbers"),
        (FCE | {"scales": []}, "length >= 1"),
        (FCE | {"fourier_degree": 0}, ">= 1"),
        (FCE | {"fourier_degree": 20}, "num_reconstr_points of at least 41, not 40"),
        (FCE | {"postprocessor": {"type": "DBPostprocessor"}}, "this head takes FCEPostprocessor"),
        (FCE | {"postprocessor": {"type": "FCEPostprocessor", "novelty": 1}}, "postprocessor.novelty of the config"),
        (TEXTSNAKE | {"text_repr_type": "quad"}, "only 'poly' is supported"),
        (
            TEXTSNAKE | {"postprocessor": {"type": "TextSnakePostprocessor", "text_repr_type": "quad"}},
            "only 'poly' is supported",
        ),
        (TEXTSNAKE | {"downsample_ratio": 0.0}, "must be positive"),
    ],
)
def test_what_cannot_be_honoured_is_refused(head: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(head)
