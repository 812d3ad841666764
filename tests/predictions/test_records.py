import json
from pathlib import Path

import numpy as np
import pytest

from ocrdeploy.errors import InputError
from ocrdeploy.predictions.records import open_predictions, parse_prediction, prediction_document
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
