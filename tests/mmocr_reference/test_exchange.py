import numpy as np
import pytest

from ocrdeploy.errors import CheckError
from ocrdeploy.mmocr_reference.exchange import as_probabilities, read_result
from ocrdeploy.results import Recognition

STRINGS = ("<BLK>", "<UKN>", "a", "<", "U")


@pytest.mark.parametrize(
    ("text", "scores", "expected"),
    [
        ("a<UKN>", [0.9, 0.8], (0.9, *[0.8] * 5)),
        ("<UKN><UKN>a", [0.1, 0.2, 0.3], (*[0.1] * 5, *[0.2] * 5, 0.3)),
        ("a<U", [0.1, 0.2, 0.3], (0.1, 0.2, 0.3)),
        ("", [], ()),
        ("\n", [1], (1.0,)),
    ],
)
def test_a_class_of_several_characters_gives_each_its_score(
    text: str, scores: list[float], expected: tuple[float, ...]
) -> None:
    assert read_result({"text": text, "scores": scores}, STRINGS) == Recognition(text, expected)


@pytest.mark.parametrize(("text", "scores"), [("ab", [1]), ("a<UKN>", [1]), ("a<UKN>", [1, 2, 3])])
def test_scores_that_belong_to_no_text_are_refused(text: str, scores: list[float]) -> None:
    with pytest.raises(CheckError, match=f"{len(text)} characters, but {len(scores)} scores"):
        read_result({"text": text, "scores": scores}, STRINGS)


def test_logits_of_a_decoder_become_probabilities_and_probabilities_stay() -> None:
    logits = np.array([[[2.0, 0.0, -1.0], [0.5, 0.25, 0.25]]], np.float32)
    found = as_probabilities(logits)
    np.testing.assert_allclose(found.sum(axis=2), 1, rtol=1e-6)
    np.testing.assert_allclose(found[0, 0, 0] / found[0, 0, 1], np.exp(2), rtol=1e-6)
    assert as_probabilities(found) is found
    assert as_probabilities(found[:0]).shape == (0, 2, 3)
