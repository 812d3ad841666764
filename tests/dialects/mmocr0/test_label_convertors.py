from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.decoders import CTCConvertor
from ocrdeploy.dialects.mmocr0.model import read_label_convertor
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError


def read(**values: Any) -> CTCConvertor:
    return read_label_convertor(Section({"type": "CTCConvertor"} | values, "model.label_convertor"))


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
            {"type": "AttnConvertor"},
            "model.label_convertor.type = 'AttnConvertor' cannot be honoured: only CTCConvertor",
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
