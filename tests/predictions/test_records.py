import json
import os
from pathlib import Path

import numpy as np
import pytest

from ocrdeploy.errors import InputError
from ocrdeploy.predictions.part_files import encode_line
from ocrdeploy.predictions.records import (
    failure_document,
    open_predictions,
    parse_prediction,
    prediction_document,
)
from ocrdeploy.results import Detection, Recognition, Result

PENTAGON = np.array([[0.1, 1e-17], [3, 0], [1 / 3, 4], [1, 5], [0, 4]], np.float64)


@pytest.mark.parametrize(
    "result",
    [
        [Detection(PENTAGON, 0.123456789012345678), Detection(PENTAGON[:3] + 7, 1.0)],
        [],
        Recognition("héllo\u2028\"'\\", (0.1,) * 9),
        Recognition("", ()),
    ],
)
def test_what_is_written_is_read_again_to_the_last_bit(result: Result) -> None:
    line = json.dumps(prediction_document("a b.jpg", "m.onnx", "torch", result), ensure_ascii=False).encode()
    read = parse_prediction(line, "p.jsonl, line 3")
    assert (read.image, read.model, read.backend, read.origin) == ("a b.jpg", "m.onnx", "torch", "p.jsonl, line 3")
    if isinstance(result, Recognition):
        assert read.result == result
        return
    assert isinstance(read.result, list)
    assert [item.score for item in read.result] == [item.score for item in result]
    for one, other in zip(read.result, result, strict=True):
        assert np.array_equal(one.polygon, other.polygon)


def test_keys_that_are_not_known_are_passed_over() -> None:
    line = b'{"image": "a", "model": "m", "backend": "torch", "text": "x", "char_scores": [1], "more": {}}'
    assert parse_prediction(line, "p, line 1").result == Recognition("x", (1.0,))


@pytest.mark.parametrize("name", ["a\udcff.jpg", "\udc80", "é\udcff"])
def test_names_that_are_no_utf_8_are_read_again(name: str) -> None:
    line = encode_line(prediction_document(name, "m\udcff.onnx", "torch", Recognition("x", (0.5,))))
    read = parse_prediction(line, "p, line 1")
    assert (read.image, read.model, read.result) == (name, "m\udcff.onnx", Recognition("x", (0.5,)))


def test_an_image_without_a_result_has_its_line() -> None:
    read = parse_prediction(encode_line(failure_document("a", "m", "torch", "it is broken")), "p, line 1")
    assert (read.image, read.result, read.error) == ("a", None, "it is broken")


HEAD = '{"image": "a", "model": "m", "backend": "torch"'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "truncated"),
        ("[]", "Expected `object`"),
        ("{", "truncated"),
        ('{"image": 1}', "Expected `str`"),
        ('{"image": "a"}', "missing required field `model`"),
        (HEAD + "}", "neither polygons and scores nor text and char_scores"),
        (HEAD + ', "polygons": []}', "neither"),
        (HEAD + ', "polygons": [[1, 2, 3, 4]], "scores": [1]}', "at least six, got 4"),
        (HEAD + ', "polygons": [[1, 2, 3, 4, 5, 6, 7]], "scores": [1]}', "even number of coordinates"),
        (HEAD + ', "polygons": [[1, 2, 3, 4, 5, 6]], "scores": []}', "is longer|is shorter"),
        (HEAD + ', "polygons": [[1, 2, 3, 4, 5, null]], "scores": [1]}', "Expected `float`"),
        (HEAD + ', "polygons": [[1, 2, 3, 4, 5, 1e999]], "scores": [1]}', "range|finite"),
        (HEAD + ', "polygons": [[1, 2, 3, 4, 5, 1e8]], "scores": [1]}', "coordinates up to 1e"),
        (HEAD + ', "polygons": [[1, 2, 3, 4, 5, 6]], "scores": [7]}', "scores from 0 to 1"),
        (HEAD + ', "text": "ab", "char_scores": [1]}', "2 characters, but 1 scores"),
        ("\xff", "malformed|invalid"),
    ],
)
def test_what_is_no_prediction_is_refused_with_its_line(line: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_prediction(line.encode("latin-1"), "p.jsonl, line 7")
    assert caught.value.message.startswith("p.jsonl, line 7: ")
    assert "\n" not in str(caught.value)


def test_a_file_is_read_line_by_line_with_one_ahead(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + ', "text": "", "char_scores": []}\n').encode() * 2 + b"broken\n")
    with open_predictions(path) as reader:
        assert reader.peek() is reader.peek()
        reader.drop()
        second = reader.peek()
        assert second is not None
        assert second.origin == f"{path}, line 2"
        reader.drop()
        with pytest.raises(InputError, match=r"p\.jsonl, line 3: "):
            reader.peek()


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\n  \n"])
def test_blank_lines_at_the_end_are_none(end: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes((HEAD + ', "text": "", "char_scores": []}\n').encode() * 2 + end)
    with open_predictions(path) as reader:
        for _ in range(2):
            assert reader.peek() is not None
            reader.drop()
        assert reader.peek() is None
        assert reader.peek() is None
        assert reader.count == 2


def test_a_blank_line_before_others_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    line = (HEAD + ', "text": "", "char_scores": []}\n').encode()
    path.write_bytes(line + b"\n" + line)
    with open_predictions(path) as reader:
        reader.drop()
        with pytest.raises(InputError, match=r"p\.jsonl, line 2: expected a prediction as JSON"):
            reader.peek()


def test_the_first_result_is_looked_for_without_going_on(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    failed = (HEAD + ', "error": "x"}\n').encode()
    path.write_bytes(failed * 2 + (HEAD + ', "text": "", "char_scores": []}\n').encode())
    with open_predictions(path) as reader:
        first = reader.first_result()
        assert first is not None
        assert first.origin == f"{path}, line 3"
        origins = []
        while (found := reader.peek()) is not None:
            origins.append(found.origin)
            reader.drop()
    assert origins == [f"{path}, line {number}" for number in (1, 2, 3)]
    path.write_bytes(failed * 2)
    with open_predictions(path) as reader:
        assert reader.first_result() is None


@pytest.mark.parametrize("content", [None, b"", "folder"])
def test_a_file_without_predictions_is_refused(content: bytes | str | None, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    with pytest.raises(InputError) as caught, open_predictions(path):
        pass
    assert str(caught.value).startswith(str(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_with_a_name_is_no_file_of_predictions(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="this is a pipe"), open_predictions(tmp_path / "pipe"):
        pass
