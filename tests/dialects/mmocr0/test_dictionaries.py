import os
from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.dialects.mmocr0.dictionaries import ctc_convertor
from ocrdeploy.errors import ConfigError
from tests.support.recordings import read_json


def write(folder: Path, content: str) -> Path:
    """Write a dictionary file byte for byte."""
    path = folder / "dict.txt"
    path.write_bytes(content.encode())
    return path


def test_classes_are_those_of_mmocr(data_dir: Path, tmp_path: Path) -> None:
    cases = read_json(data_dir / "postprocess_ctc" / "texts.json")
    for case in cases:
        options: dict[str, Any] = dict(case["options"])
        if "dict_file" in options:
            options["dict_file"] = write(tmp_path, options["dict_file"])
        convertor = ctc_convertor(**options)
        assert list(convertor.dictionary) == case["classes"]
        assert convertor.unknown_index == case["unknown_index"]
        assert convertor.lower == case["lower"]
    assert {case["options"].get("dict_type") for case in cases} == {None, "DICT36", "DICT37", "DICT90", "DICT91"}


@pytest.mark.parametrize("dict_type", ["DICT36", "DICT37", "DICT90", "DICT91"])
@pytest.mark.parametrize("with_unknown", [True, False])
def test_number_of_classes(dict_type: str, with_unknown: bool) -> None:
    convertor = ctc_convertor(dict_type=dict_type, with_unknown=with_unknown)
    assert len(convertor.dictionary) == int(dict_type[4:]) + 1 + with_unknown
    assert convertor.unknown_index == (len(convertor.dictionary) - 1 if with_unknown else None)


def test_a_file_goes_before_a_list_and_a_list_before_a_type(tmp_path: Path) -> None:
    path = write(tmp_path, "x\ny\n")
    both = ctc_convertor(dict_file=path, dict_list=["a"], dict_type="none", with_unknown=False)
    assert both.dictionary == ("<BLK>", "x", "y")
    assert ctc_convertor(dict_list=["a"], dict_type="none").dictionary == ("<BLK>", "a", "<UKN>")


def test_a_last_line_without_an_end_counts(tmp_path: Path) -> None:
    assert ctc_convertor(dict_file=write(tmp_path, "x\r\n \r\ny"), with_unknown=False).dictionary[1:] == ("x", " ", "y")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nbc\n", "line 2 of dict_file .* must hold one character, it holds 2: 'bc'"),
        ("a \n", "line 1 of dict_file .* it holds 2: 'a '"),
        ("\ufeffa\nb\n", "line 1 of dict_file .* it holds 2"),
        ("a\nb\na\nb\n", "must hold each character once, it repeats 'a', 'b'"),
        ("", "must hold at least one character"),
        ("\n\n", "must hold at least one character"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        ctc_convertor(dict_file=write(tmp_path, content))
    assert caught.value.fix


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.txt cannot be read: No such file"):
        ctc_convertor(dict_file=tmp_path / "nothing.txt")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        ctc_convertor(dict_file=tmp_path)
    latin = tmp_path / "latin.txt"
    latin.write_bytes("é\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="must be a text file in UTF-8"):
        ctc_convertor(dict_file=latin)


@pytest.mark.parametrize(
    ("dict_list", "message"),
    [
        ([], "dict_list must hold at least one character"),
        (["a", "b", "a"], "dict_list must hold each character once, it repeats 'a'"),
        ("abc", "dict_list must be a list of strings, not 'abc'"),
        (["a", 1], "dict_list must be a list of strings"),
    ],
)
def test_a_broken_list_is_refused(dict_list: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ctc_convertor(dict_list=dict_list)


@pytest.mark.parametrize("dict_type", ["", "dict36", "DICT38"])
def test_an_unknown_type_is_refused(dict_type: str) -> None:
    with pytest.raises(ConfigError, match=f"DICT36, DICT37, DICT90 or DICT91, not '{dict_type}'"):
        ctc_convertor(dict_type=dict_type)


def test_a_pipe_is_no_dict_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=r"dict_file .*pipe is a device or a pipe\. Give a file"):
        ctc_convertor(dict_file=tmp_path / "pipe")
