"""Shapes on the command line: four words, or one such as `1x3x640x640` or `1,3,640,640`."""

import re
from collections.abc import Sequence

from ocrdeploy.errors import UsageError

SHAPE_OPTIONS = ("--shape", "--min-shape", "--opt-shape", "--max-shape")
LENGTHS = 4


def split_shapes(arguments: Sequence[str]) -> list[str]:
    """Return a command line with each shape that is one word as the four words that the parser takes.

    Raises:
        UsageError: Such a word is no shape of four lengths.
    """
    words: list[str] = []
    for place, argument in enumerate(arguments):
        if argument == "--":
            return [*words, *arguments[place:]]
        option, equals, value = argument.partition("=")
        if equals and option in SHAPE_OPTIONS and _is_one_word(value):
            words += [option, *_lengths(option, value)]
        elif words and words[-1] in SHAPE_OPTIONS and _is_one_word(argument):
            words += _lengths(words[-1], argument)
        else:
            words.append(argument)
    return words


def _is_one_word(text: str) -> bool:
    """Tell whether a word is more than one length."""
    return not text.startswith("--") and any(each in text.lower() for each in "x×,")


def _lengths(option: str, text: str) -> list[str]:
    """Return the lengths of a shape."""
    lengths = re.split(r"\s*x\s*|\s*×\s*", text.lower()) if "," not in text else re.split(r"\s*,\s*", text)
    if len(lengths) != LENGTHS or not all(re.fullmatch(r"\s*[0-9]+\s*", each) for each in lengths):
        raise UsageError(
            f"{option} takes a shape N C H W as four words, as 1x3x640x640 or as 1,3,640,640, got {text!r}"
        )
    return [each.strip() for each in lengths]
