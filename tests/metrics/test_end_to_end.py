"""Task 4 of ICDAR 2015, as the organisers' own script scores it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocrdeploy.datasets.scene_texts import read_scenes
from ocrdeploy.metrics.end_to_end import PROTOCOLS, EndToEnd, Protocol, dictionary_form, is_spotted, score_scene
from ocrdeploy.predictions.pages import read_pages
from ocrdeploy.results import SceneText

TOLERANCE = 1e-9
SQUARE = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_and_pairs_are_those_of_the_organisers(protocol: Protocol, data_dir: Path) -> None:
    folder = data_dir / "end_to_end_reading"
    expected: dict[str, Any] = json.loads((folder / "expected.json").read_text())[protocol]
    pages = {Path(page.image).stem: page.texts or () for page in read_pages(folder / "read.jsonl")}
    metric = EndToEnd(protocol)
    for scene in read_scenes(folder / "gt"):
        score = metric.add(scene.texts, pages[scene.stem])
        wanted = expected["images"][scene.stem.removeprefix("img_")]
        assert (score.recall, score.precision) == pytest.approx((wanted["recall"], wanted["precision"]), abs=TOLERANCE)
        assert [list(pair) for pair in score.pairs] == wanted["pairs"]
        assert list(score.ignored_truths) == wanted["ignored_truth"]
        assert list(score.ignored_results) == wanted["ignored_results"]
    for name, value in metric.result().items():
        assert value == pytest.approx(expected[name.partition(":")[2]], abs=TOLERANCE)


@pytest.mark.parametrize(
    ("truth", "result", "is_right"),
    [
        ("Hotel", "hotel", True),
        ("Hotel!", "HOTEL", True),
        ("(Hotel)", "hotel", True),
        ("Hotel", "hotel!", False),
        ("!!Hotel", "hotel", False),
        ("!", "", True),
        ("", "a", False),
    ],
)
def test_a_truth_may_lose_a_mark_at_each_end(truth: str, result: str, is_right: bool) -> None:
    score = score_scene([SceneText(SQUARE, truth)], [SceneText(SQUARE, result)], "end-to-end")
    assert score.pairs == ((0, 0, is_right),)


@pytest.mark.parametrize(
    ("text", "form", "spotted"),
    [
        ("Moe's", "Moe", True),
        ("-co-op-", "co-op", True),
        ("a.b", "a b", False),
        ("no1", "no1", False),
        ("ab", "ab", False),
    ],
)
def test_words_to_spot_are_of_letters(text: str, form: str, spotted: bool) -> None:
    assert (dictionary_form(text), is_spotted(text)) == (form, spotted)


def test_nothing_and_degenerate_places_are_no_pairs() -> None:
    line = np.array([[0.0, 0], [10, 0], [20, 0]])
    assert EndToEnd("end-to-end").result()["end-to-end:hmean"] == 0
    empty = score_scene([], [], "end-to-end")
    assert (empty.recall, empty.precision) == (1, 1)
    assert score_scene([], [SceneText(SQUARE, "a")], "end-to-end").precision == 0
    assert score_scene([SceneText(SQUARE, "a")], [], "end-to-end").precision == 0
    assert score_scene([SceneText(line, "a")], [SceneText(line, "a")], "end-to-end").pairs == ()
    ignored = score_scene([SceneText(line, "###", is_ignored=True)], [SceneText(line, "a")], "end-to-end")
    assert ignored.ignored_results == ()
