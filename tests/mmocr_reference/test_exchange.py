import pytest

from ocrdeploy.errors import CheckError
from ocrdeploy.mmocr_reference.exchange import read_result
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
