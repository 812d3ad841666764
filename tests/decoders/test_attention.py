import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.decoders import AttentionPostprocessor, TextDecoder
from ocrdeploy.decoders.attention import attention_tensors, decode_attention, end_words
from ocrdeploy.decoders.classes import BestClasses, ClassInput
from ocrdeploy.dialects.config_file import read_config
from ocrdeploy.dialects.mmocr0.model import read_label_convertor
from ocrdeploy.dialects.mmocr1.dictionaries import read_text_decoder
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ShapeError
from ocrdeploy.results import Recognition

SCORES = 1e-6
"""MMOCR averages its float32 scores in float64, and so does the test."""

# a b END PAD UKN
DECODER = AttentionPostprocessor(("a", "b", "<BOS/EOS>", "<PAD>", "<UKN>"), 2, (3,))


def probabilities(steps: list[int], score: float = 0.8, count: int = 5) -> NDArray[np.float32]:
    """Return 1×T×C with a score for the class of each step, and the rest for the others."""
    values = np.full((1, len(steps), count), (1 - score) / (count - 1), np.float32)
    values[0, np.arange(len(steps)), steps] = score
    return values


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([0, 1, 1, 2, 0], "abb"),
        ([0, 3, 1, 2], "ab"),
        ([3, 3], ""),
        ([2, 0, 1], ""),
        # An unknown character stands for itself, as in MMOCR.
        ([0, 4], "a<UKN>"),
        ([0, 1], "ab"),
    ],
)
def test_a_word_ends_at_its_end_class_and_padding_is_left_out(steps: list[int], text: str) -> None:
    (found,) = decode_attention(probabilities(steps), DECODER)
    assert found.text == text
    assert found.char_scores == pytest.approx([0.8] * len(text))


def test_an_end_that_is_ignored_ends_nothing() -> None:
    decoder = msgspec.structs.replace(DECODER, ignored=(2,))
    assert decode_attention(probabilities([0, 2, 1, 3]), decoder)[0].text == "ab<PAD>"
    endless = msgspec.structs.replace(DECODER, end_index=None)
    assert decode_attention(probabilities([0, 2, 1]), endless)[0].text == "a<BOS/EOS>b"


def test_a_network_may_not_score_the_padding() -> None:
    decoder = AttentionPostprocessor(("a", "b", "<UKN>", "<BOS/EOS>", "<PAD>"), 3, (4,))
    assert decode_attention(probabilities([1, 0, 3, 1], count=4), decoder)[0].text == "ba"


def test_all_three_forms_of_a_networks_output_give_one_text() -> None:
    values = probabilities([0, 1, 4, 2])
    expected = decode_attention(values, DECODER)
    others: dict[ClassInput, dict[str, NDArray[Any]]] = {
        "logits": {"logits": np.log(values) + 3},
        "best_classes": {
            "indices": values.argmax(axis=2).astype(np.int32),
            "scores": values.max(axis=2),
        },
    }
    for reads, outputs in others.items():
        decoder = msgspec.structs.replace(DECODER, reads=reads)
        (found,) = decoder.decode(outputs, [])
        assert isinstance(found, Recognition)
        assert found.text == expected[0].text
        assert found.char_scores == pytest.approx(expected[0].char_scores, abs=SCORES)
        assert [tensor.name for tensor in decoder.expects()] == list(outputs)


def test_behind_the_end_nothing_is_said() -> None:
    values = np.concatenate([probabilities([0, 2, 1, 1]), probabilities([0, 1, 0, 1]), probabilities([2, 2, 0, 0])])
    before = values.copy()
    ended = end_words(values, 2)
    end = [0, 0, 1, 0, 0]
    assert ended[0, 2:].tolist() == [end, end]
    assert ended[2, 1:].tolist() == [end, end, end]
    for kept in ((0, slice(2)), (1, slice(4)), (2, slice(1))):
        np.testing.assert_array_equal(ended[kept], before[kept])
    np.testing.assert_array_equal(values, before)
    assert end_words(values, None) is values
    assert decode_attention(ended, DECODER) == decode_attention(values, DECODER)
    assert end_words(values[:0], 2).shape == (0, 4, 5)


def test_no_images_and_no_steps_give_no_text() -> None:
    assert decode_attention(np.zeros((0, 4, 5), np.float32), DECODER) == []
    assert decode_attention(np.zeros((2, 0, 5), np.float32), DECODER) == [Recognition("", ()), Recognition("", ())]


@pytest.mark.parametrize("shape", [(1, 3, 6), (1, 3, 3), (3, 5)])
def test_an_output_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="expected probabilities of shape N x T x 5, or one class less, got shape"):
        decode_attention(np.zeros(shape, np.float32), DECODER)


def test_classes_outside_the_dictionary_are_refused() -> None:
    given = BestClasses(np.array([[0, 5]], np.int32), np.ones((1, 2), np.float32))
    with pytest.raises(ShapeError, match="expected classes from 0 to 4"):
        decode_attention(given, DECODER)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end_index": 5}, r"classes \[5\] are outside the dictionary of 5"),
        ({"ignored": (-1,)}, r"classes \[-1\] are outside"),
        ({"ignored": (0, 1, 3, 4)}, "at least one character that is read"),
        ({"dictionary": (), "end_index": None, "ignored": ()}, "at least one character that is read"),
    ],
)
def test_a_dictionary_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(DECODER, **changes)


def test_made_up_outputs_show_every_difference() -> None:
    others = [
        msgspec.structs.replace(DECODER, end_index=3),
        msgspec.structs.replace(DECODER, ignored=()),
        msgspec.structs.replace(DECODER, dictionary=("a", "c", *DECODER.dictionary[2:])),
    ]
    for other in others:
        made_up = list(DECODER.made_up(other, None))
        assert any(DECODER.decode(outputs, [image]) != other.decode(outputs, [image]) for outputs, image in made_up)
    assert all(DECODER.decode(outputs, [image]) for outputs, image in DECODER.made_up(DECODER, None))
    larger = msgspec.structs.replace(DECODER, dictionary=(*DECODER.dictionary, "x"))
    assert list(DECODER.made_up(larger, None)) == []


def test_its_tensors_are_those_that_the_decoder_reads() -> None:
    (tensor,) = attention_tensors((2, 30), 92)
    assert (tensor.name, tensor.shape) == ("probabilities", (2, 30, 92))


V0 = (
    "abinet_academic", "abinet_vision_only_academic", "master_r31_12e_ST_MJ_SA", "nrtr_modality_transform_academic",
    "nrtr_r31_1by16_1by8_academic", "nrtr_r31_1by8_1by4_academic", "robustscanner_r31_academic",
    "sar_r31_parallel_decoder_academic", "sar_r31_parallel_decoder_chinese", "sar_r31_sequential_decoder_academic",
    "satrn_academic", "satrn_small",
)  # fmt: skip
V1 = (
    "abinet-vision_20e_st-an_mj", "abinet_20e_st-an_mj", "aster_resnet45_6e_st_mj", "master_resnet31_12e_st_mj_sa",
    "nrtr_modality-transform_6e_st_mj", "nrtr_resnet31-1by16-1by8_6e_st_mj", "nrtr_resnet31-1by8-1by4_6e_st_mj",
    "robustscanner_resnet31_5e_st-sub_mj-sub_sa_real", "robustscanner_resnet31_5e_toy",
    "sar_resnet31_parallel-decoder_5e_st-sub_mj-sub_sa_real",
    "sar_resnet31_sequential-decoder_5e_st-sub_mj-sub_sa_real", "satrn_shallow-small_5e_st_mj",
    "satrn_shallow_5e_st_mj",
)  # fmt: skip
CHINESE = [chr(0x4E00 + index) for index in range(900)]
"""What the recording has in place of the published dictionary."""


def read_decoder(folder: Path, name: str, version: str) -> tuple[TextDecoder, dict[str, Any]]:
    """Return the decoder of an official config, and what its network knows of the dictionary."""
    (path,) = folder.glob(f"configs/textrecog/*/{name}.py")
    model = read_config(path)["model"]
    if version == "v1":
        return read_text_decoder(Section(model["decoder"], "model.decoder"))
    convertor = dict(model["label_convertor"])
    if name.endswith("chinese"):
        convertor = convertor | {"dict_file": None, "dict_list": CHINESE}
    return read_label_convertor(Section(convertor, "model.label_convertor"))


@pytest.mark.parametrize(("version", "name"), [*(("v0", name) for name in V0), *(("v1", name) for name in V1)], ids=str)
def test_texts_and_scores_of_official_models_are_mmocrs(version: str, name: str, extra_data_dir: Path) -> None:
    folder = extra_data_dir / "golden_zoo" / version
    recorded = np.load(folder / "networks" / f"{name}.npz")
    decoder, classes = read_decoder(folder, name, version)
    assert isinstance(decoder, AttentionPostprocessor)
    assert classes["num_classes"] == len(decoder.dictionary)
    for index in range(2):
        # Of 0.x's ABINet the logits are recorded. Those of its MASTER are what MMOCR takes for probabilities.
        reads: ClassInput = "logits" if version == "v0" and name.startswith("abinet") else "probabilities"
        found = decode_attention(recorded[f"output{index}"], msgspec.structs.replace(decoder, reads=reads))
        assert [each.text for each in found] == recorded[f"text{index}"].tolist()
        if version == "v0":
            scores = [np.mean(each.char_scores) for each in found]
            np.testing.assert_allclose(scores, recorded[f"score{index}"], atol=SCORES)


@pytest.mark.parametrize(("version", "name"), [("v0", V0[7]), ("v1", V1[9]), ("v0", V0[0]), ("v1", V1[0])])
def test_the_classes_of_official_dictionaries_are_mmocrs(version: str, name: str, extra_data_dir: Path) -> None:
    decoder, classes = read_decoder(extra_data_dir / "golden_zoo" / version, name, version)
    strings = decoder.dictionary
    assert strings[classes["start_idx"]] == strings[classes["end_idx"]] == "<BOS/EOS>"
    padding = classes["padding_idx"]
    assert (padding is None) == (version == "v1" and name.startswith("abinet"))
    assert padding is None or strings[padding] == "<PAD>"
    assert json.dumps(classes)
