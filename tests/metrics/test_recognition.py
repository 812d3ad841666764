from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrdeploy.metrics import RecognitionMetric
from tests.support.recordings import read_json

NAMES = {
    "word_acc",
    "word_acc_ignore_case",
    "word_acc_ignore_case_symbol",
    "char_recall",
    "char_precision",
    "1-N.E.D",
}


def evaluate(predicted: list[str], truth: list[str]) -> dict[str, float]:
    metric = RecognitionMetric()
    for pair in zip(predicted, truth, strict=True):
        metric.add(*pair)
    return metric.result()


def check_cases(cases: list[Any]) -> None:
    assert cases
    for case in cases:
        assert evaluate(case["pred"], case["gt"]) == case["result"]


def test_equals_mmocr(data_dir: Path) -> None:
    check_cases(read_json(data_dir / "metrics/recognition.json.gz"))


def test_equals_mmocr_in_full_recordings(extra_data_dir: Path) -> None:
    check_cases(read_json(extra_data_dir / "golden/metrics/recognition.json"))


@pytest.mark.parametrize(
    ("predicted", "truth", "equal"),
    [
        ("Hotel", "Hotel", (1, 1, 1)),
        ("hotel", "Hotel", (0, 1, 1)),
        ("hotel!", "Hotel", (0, 0, 1)),
        ("hotel^", "Hotel", (0, 0, 0)),  # the caret is no symbol
        ("cafe", "café", (0, 0, 0)),
        ("caf", "café", (0, 0, 1)),  # an accented letter is one
        ("", "", (1, 1, 1)),
    ],
)
def test_kinds_of_word_accuracy(predicted: str, truth: str, equal: tuple[int, int, int]) -> None:
    result = evaluate([predicted], [truth])
    found = (result["word_acc"], result["word_acc_ignore_case"], result["word_acc_ignore_case_symbol"])
    assert found == equal


def test_no_words() -> None:
    assert evaluate([], []) == dict.fromkeys(NAMES, 0.0) | {"1-N.E.D": 1.0}


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_stays_between_zero_and_one(pairs: list[tuple[str, str]]) -> None:
    result = evaluate([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    assert set(result) == NAMES
    assert all(0 <= value <= 1 for value in result.values())


@given(st.lists(st.text(alphabet="abcXYZ01-", min_size=1).filter(lambda text: text.strip("-")), min_size=1, max_size=5))
def test_equal_words_score_one(words: list[str]) -> None:
    assert set(evaluate(words, words).values()) == {1.0}


def test_mmocr_1x_counts_words_alike(extra_data_dir: Path) -> None:
    cases = read_json(extra_data_dir / "golden_zoo/v1/metrics/recognition.json")
    assert cases
    for case in cases:
        metric = RecognitionMetric()
        for predicted, truth in zip(case["pred"], case["gt"], strict=True):
            metric.add(predicted, truth)
        assert {f"recog/{name}": value for name, value in metric.result().items()} == pytest.approx(case["result"])
