from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.decoders import AttentionPostprocessor, CTCConvertor
from ocrdeploy.dialects.mmocr0.model import read_label_convertor
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError


def read(**values: Any) -> CTCConvertor:
    convertor, _ = read_label_convertor(Section({"type": "CTCConvertor"} | values, "model.label_convertor"))
    assert isinstance(convertor, CTCConvertor)
    return convertor


def test_start_end_and_padding_come_behind_the_characters() -> None:
    values = {"dict_list": ["a", "b"], "max_seq_len": 26, "lower": True}
    section = Section({"type": "AttnConvertor"} | values, "model.label_convertor")
    convertor, classes = read_label_convertor(section)
    assert convertor == AttentionPostprocessor(("a", "b", "<UKN>", "<BOS/EOS>", "<PAD>"), 3, (4,))
    assert classes == {"num_classes": 5, "start_idx": 3, "end_idx": 3, "padding_idx": 4, "scores_padding": False}
    options = {"with_unknown": False, "with_padding": False, "start_end_same": False}
    section = Section({"type": "ABIConvertor"} | values | options, "model.label_convertor")
    convertor, classes = read_label_convertor(section)
    assert convertor == AttentionPostprocessor(("a", "b", "<BOS/EOS>", "<BOS/EOS>", "<PAD>"), 3, (4,))
    assert classes == {"num_classes": 5, "start_idx": 2, "end_idx": 3, "padding_idx": 4, "scores_padding": False}


def test_every_option_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dict.txt"
    path.write_text("x\ny\n")
    assert read(dict_list=["a", "b"], with_unknown=False) == CTCConvertor(("<BLK>", "a", "b"))
    assert read(dict_list=("a", "b"), lower=True, max_seq_len=9) == CTCConvertor(("<BLK>", "a", "b", "<UKN>"), 3, True)
    assert read(dict_file=str(path), dict_type="DICT36", dict_list=None) == CTCConvertor(
        ("<BLK>", "x", "y", "<UKN>"), 3
    )
    assert len(read(dict_type="DICT37").dictionary) == 39
    assert len(read(dict_file=None).dictionary) == 92


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"type": "SegConvertor"},
            "model.label_convertor.type = 'SegConvertor' cannot be honoured: supported are CTCConvertor, AttnConvertor",
        ),
        ({"max_len": 3}, "model.label_convertor.max_len of the config: not known, so it cannot be honoured"),
        ({"dict_list": "abc"}, "model.label_convertor.dict_list of the config: Expected `array | null`, got `str`"),
        ({"lower": 1}, "model.label_convertor.lower of the config: Expected `bool`, got `int`"),
        ({"dict_type": "DICT99"}, "dict_type must be DICT36, DICT37, DICT90 or DICT91, not 'DICT99'"),
        ({"dict_file": "no/such/file.txt"}, "dict_file no/such/file.txt cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_honoured_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**values)
    assert caught.value.message.startswith(message)
