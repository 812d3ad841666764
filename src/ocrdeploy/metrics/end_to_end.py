"""Reading scored end to end and as word spotting: task 4 of ICDAR's Robust Reading Competition 2015.

Behaves as the organisers' own script does. A result and a truth are paired by place alone, the first that overlap
enough in the order of the files, and a pair counts only if the text is right as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.results import SceneText

from .polygons import intersection_areas, measure

Protocol = Literal["end-to-end", "word-spotting"]
PROTOCOLS: tuple[Protocol, ...] = ("end-to-end", "word-spotting")
LEAST_OVERLAP = 0.5
"""Intersection over union of a pair is above it; so is the share of an ignored result that lies in an ignored truth."""
EDGE_CHARACTERS = "!?.:,*\"()·[]/'"
"""What a truth may lose at its beginning and at its end."""
BLANKED_CHARACTERS = "'!?.:,*\"()·[]/"
"""What becomes a blank in the dictionary form of a word."""
NOT_IN_WORDS = "×÷·"
LETTERS = (("a", "z"), ("A", "Z"), ("À", "ƿ"), ("Ǆ", "ɿ"), ("Ά", "Ͽ"), ("-", "-"))
"""First and last of the letters that words to spot are made of."""
SHORTEST_WORD = 3


@dataclass(frozen=True, slots=True)
class SceneScore:
    """What one image scored.

    Attributes:
        pairs: Index of the truth, index of the result, whether the text is right.
        ignored_truths: Indices of truths that are not cared for.
        ignored_results: Indices of results that lie in such truths.
        n_truths: How many truths are cared for.
        n_results: How many results count.
    """

    pairs: tuple[tuple[int, int, bool], ...]
    ignored_truths: tuple[int, ...]
    ignored_results: tuple[int, ...]
    n_truths: int
    n_results: int

    @property
    def n_right(self) -> int:
        """How many pairs have the right text."""
        return sum(is_right for _, _, is_right in self.pairs)

    @property
    def recall(self) -> float:
        """Right texts among the truths; 1 without truths."""
        return self.n_right / self.n_truths if self.n_truths else 1.0

    @property
    def precision(self) -> float:
        """Right texts among the results; without any 0, and 1 where there are no truths either."""
        if not self.n_truths:
            return 0.0 if self.n_results else 1.0
        return self.n_right / self.n_results if self.n_results else 0.0


@dataclass(slots=True)
class EndToEnd:
    """Sums over all images, by protocol."""

    protocol: Protocol
    _right: int = field(init=False, default=0)
    _truths: int = field(init=False, default=0)
    _results: int = field(init=False, default=0)

    def add(self, truths: Sequence[SceneText], results: Sequence[SceneText]) -> SceneScore:
        """Score one image, and return what it scored alone."""
        score = score_scene(truths, results, self.protocol)
        self._right += score.n_right
        self._truths += score.n_truths
        self._results += score.n_results
        return score

    def result(self) -> dict[str, float]:
        """Return recall, precision and their harmonic mean; 0 where nothing is to be divided by."""
        recall = self._right / self._truths if self._truths else 0.0
        precision = self._right / self._results if self._results else 0.0
        both = recall + precision
        hmean = 2 * recall * precision / both if both else 0.0
        return {
            f"{self.protocol}:recall": recall,
            f"{self.protocol}:precision": precision,
            f"{self.protocol}:hmean": hmean,
        }


def score_scene(truths: Sequence[SceneText], results: Sequence[SceneText], protocol: Protocol) -> SceneScore:
    """Score one image.

    Args:
        truths: The labelled texts, in the order of their file.
        results: What was read, in the order of its file.
        protocol: End to end, or word spotting, which cares for words of letters alone.
    """
    spotting = protocol == "word-spotting"
    ignored = [each.is_ignored or (spotting and not is_spotted(each.text)) for each in truths]
    wanted = [dictionary_form(each.text) if spotting else each.text for each in truths]
    truth_set, result_set = (measure([np.trunc(each.polygon) for each in group]) for group in (truths, results))
    common = intersection_areas(truth_set, result_set)
    areas = result_set.areas
    covered = np.zeros_like(common)
    np.divide(common, areas[None, :], out=covered, where=areas[None, :] > 0)
    left_out = (covered[ignored] > LEAST_OVERLAP).any(axis=0) if any(ignored) else np.zeros(len(results), bool)
    union = truth_set.areas[:, None] + areas[None, :] - common
    overlap = np.zeros_like(common)
    np.divide(common, union, out=overlap, where=union > 0)
    pairs = []
    free: NDArray[np.bool_] = ~np.asarray(left_out, np.bool_)
    for truth in np.flatnonzero(~np.array(ignored, bool)).tolist():
        fitting = np.flatnonzero(free & (overlap[truth] > LEAST_OVERLAP))
        if len(fitting):
            result = int(fitting[0])
            free[result] = False
            pairs.append((truth, result, _is_right(wanted[truth], results[result].text, spotting=spotting)))
    return SceneScore(
        tuple(pairs),
        tuple(np.flatnonzero(ignored).tolist()),
        tuple(np.flatnonzero(left_out).tolist()),
        len(truths) - sum(ignored),
        int((~left_out).sum()),
    )


def dictionary_form(text: str) -> str:
    """Return a word as a dictionary has it: without a final 's, hyphens at its ends, and marks, which become blanks."""
    if text.endswith(("'s", "'S")):
        text = text[:-2]
    text = text.strip("-")
    return text.translate({ord(mark): " " for mark in BLANKED_CHARACTERS}).strip()


def is_spotted(text: str) -> bool:
    """Tell whether word spotting cares for a text: one word of at least three letters."""
    word = dictionary_form(text)
    return len(word) >= SHORTEST_WORD and all(
        character not in NOT_IN_WORDS and any(first <= character <= last for first, last in LETTERS)
        for character in word
    )


def _is_right(truth: str, result: str, *, spotting: bool) -> bool:
    """Tell whether a text is right, in capitals; end to end the truth may lose a mark at its beginning and its end."""
    truth, result = truth.upper(), result.upper()
    if truth == result or spotting or not truth:
        return truth == result
    first, last = truth[0] in EDGE_CHARACTERS, truth[-1] in EDGE_CHARACTERS
    return (
        (first and truth[1:] == result) or (last and truth[:-1] == result) or (first and last and truth[1:-1] == result)
    )
