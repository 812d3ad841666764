from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.decoders import AttentionPostprocessor, CTCConvertor
from ocrdeploy.dialects.mmocr1.dictionaries import Dictionary, read_dictionary, read_text_decoder
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "dict.txt"
    path.write_text("a\nb\n")
    return str(path)


def dictionary(file: str, **options: Any) -> Dictionary:
    return read_dictionary(Section({"type": "Dictionary", "dict_file": file} | options, "dictionary"))


ALL = {"with_start": True, "with_end": True, "with_padding": True, "with_unknown": True}


@pytest.mark.parametrize(
    ("options", "strings", "classes"),
    [
        ({}, ("a", "b"), (None, None, None, None)),
        (ALL, ("a", "b", "<BOS>", "<EOS>", "<PAD>", "<UKN>"), (2, 3, 4, 5)),
        (ALL | {"same_start_end": True}, ("a", "b", "<BOS/EOS>", "<PAD>", "<UKN>"), (2, 2, 3, 4)),
        # One of the two alone cannot be the same.
        ({"with_end": True, "same_start_end": True}, ("a", "b", "<EOS>"), (None, 2, None, None)),
        (ALL | {"unknown_token": None}, ("a", "b", "<BOS>", "<EOS>", "<PAD>"), (2, 3, 4, None)),
        ({"with_start": True, "start_token": "^", "padding_token": "_"}, ("a", "b", "^"), (2, None, None, None)),
    ],
)
def test_tokens_come_behind_the_characters_in_mmocrs_order(
    options: dict[str, Any], strings: tuple[str, ...], classes: tuple[int | None, ...], file: str
) -> None:
    found = dictionary(file, **options)
    assert found.strings == strings
    assert (found.start, found.end, found.padding, found.unknown) == classes


def test_a_token_that_is_a_character_is_refused(file: str) -> None:
    with pytest.raises(ConfigError, match="with the tokens that the config adds, must hold each character once"):
        dictionary(file, with_start=True, start_token="a")  # noqa: S106  (no password)


def decoder(file: str, post: dict[str, Any], **options: Any) -> Section:
    words = {"type": "Dictionary", "dict_file": file} | options
    return Section({"type": "X", "postprocessor": post, "dictionary": words, "max_seq_len": 9}, "decoder")


@pytest.mark.parametrize(
    ("ignored", "classes"),
    [
        (["padding"], (4,)),
        ([], ()),
        (["unknown", "padding", "end"], (5, 4, 3)),
        (["a", "padding"], (0, 4)),
        # What is not in the dictionary would be the unknown class, and is passed over.
        (["x", "<UKN>"], ()),
    ],
)
def test_what_is_ignored_is_told_by_classes(ignored: list[str], classes: tuple[int, ...], file: str) -> None:
    section = decoder(file, {"type": "AttentionPostprocessor", "ignore_chars": ignored}, **ALL)
    found, values = read_text_decoder(section)
    assert found == AttentionPostprocessor(("a", "b", "<BOS>", "<EOS>", "<PAD>", "<UKN>"), 3, classes)
    end = None if "end" in ignored else 3
    assert values == {"num_classes": 6, "start_idx": 2, "end_idx": end, "padding_idx": 4, "scores_padding": True}
    assert section.take("max_seq_len", int) == 9


def test_without_padding_nothing_is_ignored(file: str) -> None:
    options = ALL | {"with_padding": False, "with_unknown": False, "same_start_end": True}
    found, values = read_text_decoder(decoder(file, {"type": "AttentionPostprocessor"}, **options))
    assert found == AttentionPostprocessor(("a", "b", "<BOS/EOS>"), 2)
    assert values["padding_idx"] is None


def test_the_blank_of_ctc_is_the_padding(file: str) -> None:
    found, values = read_text_decoder(decoder(file, {"type": "CTCPostProcessor"}, with_padding=True, with_unknown=True))
    assert found == CTCConvertor(("a", "b", "<PAD>", "<UKN>"), 3, blank_index=2)
    assert values == {"num_classes": 4}
    with pytest.raises(ConfigError, match="with_start = True cannot be honoured"):
        read_text_decoder(decoder(file, {"type": "CTCPostProcessor"}, **ALL))


def test_another_post_processor_is_refused_by_name(file: str) -> None:
    with pytest.raises(ConfigError, match="supported are CTCPostProcessor, AttentionPostprocessor"):
        read_text_decoder(decoder(file, {"type": "SegPostprocessor"}))
