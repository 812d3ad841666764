from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy.decoders import CTCConvertor
from ocrdeploy.decoders.classes import BestClasses, best_classes
from ocrdeploy.decoders.ctc import decode_ctc
from ocrdeploy.errors import ShapeError
from ocrdeploy.results import Recognition
from ocrdeploy.steps import Preprocessed
from tests.support.recordings import read_json

SCORE_TOLERANCE = 1e-6
"""A softmax in float32 differs between NumPy and PyTorch in its last bits."""
SETTINGS = CTCConvertor(("<BLK>", "a", "b", "<UKN>"), unknown_index=3)


def certain(*classes: int) -> NDArray[np.float32]:
    """Return logits 1×T×4 that are certain of a class at each step."""
    return np.eye(4, dtype=np.float32)[None, list(classes)] * 40


def texts(logits: NDArray[np.float32], *valid_ratios: float) -> list[str]:
    """Return the decoded strings."""
    return [item.text for item in decode_ctc(logits, SETTINGS, valid_ratios)]


def test_texts_and_scores_are_those_of_mmocr(data_dir: Path) -> None:
    folder = data_dir / "postprocess_ctc"
    cases = read_json(folder / "texts.json")
    with np.load(folder / "logits.npz") as logits:
        for number, case in enumerate(cases):
            settings = CTCConvertor(tuple(case["classes"]), case["unknown_index"], case["lower"])
            found = decode_ctc(logits[f"case{number}"].astype(np.float32), settings, case["valid_ratios"])
            assert [item.text for item in found] == case["texts"]
            for item, strings, scores in zip(found, case["strings"], case["scores"], strict=True):
                expected = [score for string, score in zip(strings, scores, strict=True) for _ in string]
                assert item.char_scores == pytest.approx(expected, abs=SCORE_TOLERANCE)
    assert len(cases) == 9


def softmax_and_argmax(logits: NDArray[np.float32]) -> BestClasses:
    """Return what a graph with both in it gives, computed as it is there."""
    exponentials = np.exp(logits - logits.max(axis=2, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=2, keepdims=True)
    return BestClasses(logits.argmax(axis=2).astype(np.int32), probabilities.max(axis=2, initial=0))


def test_classes_read_as_the_logits_that_they_come_from(data_dir: Path) -> None:
    folder = data_dir / "postprocess_ctc"
    compared = 0
    with np.load(folder / "logits.npz") as recorded:
        for number, case in enumerate(read_json(folder / "texts.json")):
            logits = recorded[f"case{number}"].astype(np.float32)
            settings = CTCConvertor(tuple(case["classes"]), case["unknown_index"], case["lower"])
            expected = decode_ctc(logits, settings, case["valid_ratios"])
            for classes in (softmax_and_argmax(logits), best_classes(logits)):
                found = decode_ctc(classes, settings, case["valid_ratios"])
                assert [item.text for item in found] == [item.text for item in expected]
                for item, other in zip(found, expected, strict=True):
                    assert item.char_scores == pytest.approx(other.char_scores, abs=SCORE_TOLERANCE)
                    compared += len(item.char_scores)
    assert compared > 50


def test_of_equal_classes_the_first_counts() -> None:
    logits = np.array([[[0, 3, 3, 1], [5, 5, 0, 0], [0, 0, 2, 2]]], np.float32)
    classes = best_classes(logits)
    assert classes.indices.tolist() == [[1, 0, 2]]
    assert (str(classes.indices.dtype), str(classes.scores.dtype)) == ("int32", "float32")
    (from_logits,), (from_classes,) = decode_ctc(logits, SETTINGS, [1.0]), decode_ctc(classes, SETTINGS, [1.0])
    assert from_logits == from_classes
    assert from_classes.text == "ab"


def test_no_image_and_no_step_are_no_text() -> None:
    none = BestClasses(np.zeros((0, 5), np.int32), np.zeros((0, 5), np.float32))
    assert decode_ctc(none, SETTINGS, []) == []
    empty = BestClasses(np.zeros((2, 0), np.int32), np.zeros((2, 0), np.float32))
    assert decode_ctc(empty, SETTINGS, [1.0, 1.0]) == [Recognition("", ())] * 2


@pytest.mark.parametrize(
    ("classes", "scores", "message"),
    [
        (np.zeros((1, 2, 4)), np.zeros((1, 2, 4)), "each of shape N x T, got shapes"),
        (np.zeros((1, 2)), np.zeros((1, 3)), r"each of shape N x T, got shapes \(1, 2\) and \(1, 3\)"),
        (
            np.full((1, 2), 4),
            np.zeros((1, 2)),
            "classes from 0 to 3, one for each string of the dictionary, got 4 to 4",
        ),
        (np.full((1, 2), -1), np.zeros((1, 2)), "got -1 to -1"),
    ],
)
def test_classes_that_do_not_fit_are_refused(classes: NDArray[Any], scores: NDArray[Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        decode_ctc(BestClasses(classes.astype(np.int32), scores.astype(np.float32)), SETTINGS, [1.0])


def test_trained_model_reads_as_in_mmocr(extra_data_dir: Path) -> None:
    folder = extra_data_dir / "golden" / "postprocess"
    recorded = read_json(folder / "ctc.json")
    settings = CTCConvertor(("<BLK>", *"0123456789abcdefghijklmnopqrstuvwxyz"))
    with np.load(folder / "ctc.npz") as data:
        found = decode_ctc(data["logits"], settings, data["valid_ratio"].tolist())
    assert [item.text for item in found] == recorded["text"]
    for item, scores in zip(found, recorded["score"], strict=True):
        assert item.char_scores == pytest.approx(scores, abs=SCORE_TOLERANCE)


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        ((0, 0, 0), ""),
        ((1, 1, 1), "a"),
        ((1, 0, 1), "aa"),
        ((1, 2, 2, 1), "aba"),
        ((0, 2, 0, 0, 2, 1), "bba"),
        ((1, 3, 3, 2), "a<UKN>b"),
    ],
)
def test_runs_are_one_character_and_blanks_none(classes: tuple[int, ...], text: str) -> None:
    (result,) = decode_ctc(certain(*classes), SETTINGS, [1.0])
    assert result.text == text
    assert result.char_scores == pytest.approx([1.0] * len(text))


def test_a_score_is_that_of_the_first_step_of_a_run() -> None:
    logits = np.zeros((1, 3, 4), np.float32)
    logits[0, :, 2] = [1, 3, 2]
    (result,) = decode_ctc(logits, SETTINGS, [1.0])
    assert result.text == "b"
    assert result.char_scores == pytest.approx([np.e / (np.e + 3)])


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.0, ""), (0.01, "a"), (0.25, "a"), (0.26, "ab"), (0.75, "aba"), (1.0, "abab"), (2.0, "abab")]
)
def test_steps_beyond_the_valid_width_are_not_read(ratio: float, text: str) -> None:
    assert texts(certain(1, 2, 1, 2), ratio) == [text]


def test_each_image_of_a_batch_has_its_own_width() -> None:
    batch = np.concatenate([certain(1, 2, 1), certain(2, 2, 2), certain(0, 0, 1)])
    assert texts(batch, 0.5, 1.0, 0.5) == ["ab", "b", ""]


def test_equal_logits_give_the_first_class() -> None:
    logits = np.full((1, 2, 4), -1, np.float32)
    assert texts(logits, 1.0) == [""]
    logits[0, 1, [2, 3]] = 5
    assert texts(logits, 1.0) == ["b"]


def test_large_logits_do_not_overflow() -> None:
    (result,) = decode_ctc(certain(1, 2) * np.float32(1e36), SETTINGS, [1.0])
    assert result == Recognition("ab", (1.0, 1.0))


def test_nothing_to_read() -> None:
    assert decode_ctc(np.zeros((0, 5, 4), np.float32), SETTINGS, []) == []
    assert decode_ctc(np.zeros((2, 0, 4), np.float32), SETTINGS, [1.0, 0.5]) == [Recognition("", ())] * 2


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 5, 5), (2, 5, 0), (5, 4)])
def test_another_dictionary_or_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="N x T x 4"):
        decode_ctc(np.zeros(shape, np.float32), SETTINGS, [1.0] * shape[0])


def test_each_image_needs_a_valid_ratio() -> None:
    with pytest.raises(ValueError, match="2 images need as many valid ratios, got 1"):
        decode_ctc(np.zeros((2, 5, 4), np.float32), SETTINGS, [1.0])


def test_probabilities_are_read_as_they_are() -> None:
    """A network with the softmax in its graph: a second one would give scores near one over the number of classes."""
    settings = CTCConvertor(("", "a", "b"), reads="probabilities")
    probabilities = np.array([[[0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.2, 0.3, 0.5]]], np.float32)
    (result,) = decode_ctc(probabilities, settings, [1.0])
    assert result.text == "ab"
    assert result.char_scores == pytest.approx((0.8, 0.5))
    (expected,) = settings.expects()
    assert expected.shape == ("batch", "steps", 3)


def test_padding_is_read_only_where_the_model_asks_for_it() -> None:
    """PP-OCR reads the steps behind a word too."""
    image = Preprocessed(np.zeros((3, 48, 100), np.float32), None, None, (48, 50), (48, 50))
    outputs = {"x": np.array([[[0.1, 0.9], [0.9, 0.1], [0.2, 0.8], [0.9, 0.1]]], np.float32)}
    texts = [
        CTCConvertor(("", "a"), reads="probabilities", reads_padding=reads).decode(outputs, [image])
        for reads in (False, True)
    ]
    assert [result.text for (result,) in texts if isinstance(result, Recognition)] == ["a", "aa"]
