import msgspec
import numpy as np
import pytest

from ocrdeploy.decoders import (
    CTCConvertor,
    DBPostprocessor,
    Decoder,
    FCEPostprocessor,
    PANPostprocessor,
    PSEPostprocessor,
    TextSnakePostprocessor,
)
from ocrdeploy.errors import ShapeError
from ocrdeploy.results import Detection, Recognition, Result
from ocrdeploy.steps import Preprocessed
from ocrdeploy.tensors import agree

DECODERS: tuple[Decoder, ...] = (
    DBPostprocessor(),
    PSEPostprocessor(),
    PANPostprocessor(),
    FCEPostprocessor(),
    TextSnakePostprocessor(),
    CTCConvertor(("<BLK>", "a", "b")),
    CTCConvertor(("<BLK>", "a", "b"), reads="best_classes"),
)


def prepared(width: int, scale: float | None = None) -> Preprocessed:
    """What an image 32 pixels high was prepared to, `scale` times as large as it was."""
    factor = None if scale is None else np.array([scale, scale], np.float32)
    return Preprocessed(np.zeros((1, 32, width), np.float32), factor, None, (32, width), (32, width))


@pytest.mark.parametrize("decoder", DECODERS)
def test_outputs_of_the_form_that_is_expected_are_decoded(decoder: Decoder) -> None:
    lengths = {"batch": 2, "channels": 6, "height": 8, "width": 8, "steps": 5}
    outputs = {}
    for tensor in decoder.expects():
        shape = tuple(lengths.get(length, 8) if isinstance(length, str) else length for length in tensor.shape)
        assert agree(tensor.shape, shape)
        outputs[f"any {tensor.name}"] = np.zeros(shape, np.float32)
    results = decoder.decode(outputs, [prepared(32), prepared(32)])
    empty: Result = Recognition("", ()) if decoder.task == "recog" else []
    assert results == [empty, empty]
    shown = decoder.maps(outputs)
    assert all(each.shape == (8, 8) and 0 <= each.min() <= each.max() <= 1 for each in shown.values())
    assert bool(shown) == (decoder.task == "det")


def test_polygons_are_in_pixels_of_the_original_image() -> None:
    maps = np.zeros((1, 1, 32, 64), np.float32)
    maps[0, 0, 8:24, 10:50] = 0.9
    decoder = DBPostprocessor(text_repr_type="quad")
    (alone,) = decoder.decode({"prob_map": maps}, [prepared(64)])
    (scaled,) = msgspec.structs.replace(decoder, downsample_ratio=0.5).decode({"m": maps}, [prepared(128, 4.0)])
    assert isinstance(alone, list)
    assert isinstance(scaled, list)
    (first,), (second,) = alone, scaled
    assert isinstance(first, Detection)
    np.testing.assert_allclose(second.polygon, first.polygon / 0.5 / 4.0)
    assert second.score == first.score


def test_the_padding_of_a_word_is_not_read() -> None:
    logits = np.zeros((2, 8, 3), np.float32)
    logits[:, ::2, 1] = logits[:, 1::2, 0] = 9
    whole, part = (prepared(32), prepared(16))
    results = DECODERS[-2].decode({"logits": logits}, [whole, part])
    assert [result.text for result in results if isinstance(result, Recognition)] == ["aaaa", "aa"]


def test_both_forms_of_ctc_are_read_whichever_the_network_gives() -> None:
    logits = np.random.default_rng(0).standard_normal((3, 7, 3)).astype(np.float32)
    images = [prepared(28)] * 3
    expected = DECODERS[-2].decode({"logits": logits}, images)
    best = logits.argmax(2)
    scores = np.take_along_axis(np.exp(logits) / np.exp(logits).sum(2, keepdims=True), best[..., None], 2)[..., 0]
    for decoder in DECODERS[-2:]:
        found = decoder.decode({"i": best.astype(np.float32), "s": scores}, images)
        for one, other in zip(expected, found, strict=True):
            assert isinstance(one, Recognition)
            assert isinstance(other, Recognition)
            assert one.text == other.text
            assert one.char_scores == pytest.approx(other.char_scores, abs=1e-6)


@pytest.mark.parametrize("decoder", DECODERS)
def test_outputs_of_another_form_are_refused(decoder: Decoder) -> None:
    with pytest.raises(ShapeError):
        decoder.decode({"x": np.zeros((1, 2), np.float32)}, [prepared(32)])
