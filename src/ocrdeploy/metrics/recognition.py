"""The metrics of text recognition, which MMOCR reports together as `acc`."""

import re
from collections.abc import Collection
from difflib import SequenceMatcher

from rapidfuzz.distance import Levenshtein

from ocrdeploy.model_spec.spec import WORD_METRICS

# The carets are MMOCR's: within brackets all but the first stand for themselves, so a caret is a character that is
# kept. Apart from it, what is kept are Latin letters, digits and the common Chinese characters.
_SYMBOLS = re.compile("[^A-Z^a-z^0-9^\u4e00-\u9fa5]")
_EPSILON = 1e-8
_DECIMALS = 4


class RecognitionMetric:
    """Word accuracy in three kinds, recall and precision of characters, and 1-N.E.D. over a data set.

    `word_acc` compares the strings as they are, `word_acc_ignore_case` in lower case, and
    `word_acc_ignore_case_symbol` in lower case without symbols. The last form also serves the other numbers:
    `char_recall` and `char_precision` count the characters that the two strings have in common in the same order, as
    `difflib` finds them, among those of the truth and of the prediction; `1-N.E.D` is 1 minus the mean of the edit
    distances, each divided by the longer string's length. All are rounded to four decimals. Symbols are all
    characters but A to Z, a to z, 0 to 9, the caret and U+4E00 to U+9FA5: letters with accents are symbols too.

    Of no words at all, 1-N.E.D. is 1 and the other numbers are 0, as in MMOCR; likewise the recall or precision of no
    characters is 0.

    Source: `eval_ocr_metric` in `mmocr.core.evaluation.ocr_metric`, MMOCR v0.6.3.

    Args:
        names: Which of the numbers are wanted; by default all six.
    """

    def __init__(self, names: Collection[str] = WORD_METRICS) -> None:
        self._names = names
        self._n_words = 0
        self._n_equal = 0
        self._n_equal_ignoring_case = 0
        self._n_equal_ignoring_case_symbol = 0
        self._n_truth_chars = 0
        self._n_predicted_chars = 0
        self._n_common_chars = 0
        self._edit_distances = 0.0

    def add(self, predicted: str, truth: str) -> None:
        """Add one word."""
        predicted_lower, truth_lower = predicted.lower(), truth.lower()
        predicted_plain, truth_plain = _SYMBOLS.sub("", predicted_lower), _SYMBOLS.sub("", truth_lower)
        self._n_words += 1
        self._n_equal += predicted == truth
        self._n_equal_ignoring_case += predicted_lower == truth_lower
        self._n_equal_ignoring_case_symbol += predicted_plain == truth_plain
        self._n_truth_chars += len(truth_plain)
        self._n_predicted_chars += len(predicted_plain)
        self._n_common_chars += _count_common_chars(predicted_plain, truth_plain)
        self._edit_distances += Levenshtein.normalized_distance(predicted_plain, truth_plain)

    def result(self) -> dict[str, float]:
        """Return the numbers that are wanted, 0 to 1, under MMOCR's names."""
        words = _EPSILON + self._n_words
        values = {
            "word_acc": self._n_equal / words,
            "word_acc_ignore_case": self._n_equal_ignoring_case / words,
            "word_acc_ignore_case_symbol": self._n_equal_ignoring_case_symbol / words,
            "char_recall": self._n_common_chars / (_EPSILON + self._n_truth_chars),
            "char_precision": self._n_common_chars / (_EPSILON + self._n_predicted_chars),
            "1-N.E.D": 1 - self._edit_distances / max(1, self._n_words),
        }
        return {name: float(f"{value:.{_DECIMALS}f}") for name, value in values.items() if name in self._names}


def _count_common_chars(predicted: str, truth: str) -> int:
    """Return the number of characters in the blocks that both strings have in common, in the same order."""
    return sum(block.size for block in SequenceMatcher(None, predicted, truth).get_matching_blocks())
