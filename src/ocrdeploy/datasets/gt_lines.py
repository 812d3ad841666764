"""Lines of ground truth files of text detection: the forms of ICDAR's challenges, RCTW and Total-Text."""

import math
import re
from collections.abc import Iterable
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import AnnotationError

from .segmentation import to_polygon

Polygon = NDArray[np.float64]

SCRIPTS = frozenset(
    ("arabic", "bangla", "bengali", "chinese", "devanagari", "hindi", "japanese", "korean", "latin", "mixed", "none",
     "symbols", "tamil", "telugu", "thai"),
)  # fmt: skip
"""Names of scripts that MLT's lines have between corners and text."""

_QUAD = 8
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_IS_NUMBER = re.compile(rf"\s*(?:{_NUMBER}|nan|[+-]?inf)\s*")
_RECTANGLE = re.compile(rf'({_NUMBER})[,\s]+({_NUMBER})[,\s]+({_NUMBER})[,\s]+({_NUMBER})[,\s]+"(.*)"')
_TOTAL_TEXT = re.compile(
    r"x:\s*\[\[([-\d.\s]+)\]\],\s*y:\s*\[\[([-\d.\s]+)\]\],\s*ornt:\s*\[u?'(.*?)'\],"
    r"\s*transcriptions:\s*\[u?(['\"])(.*)\4\]"
)
_LOOKS_LIKE_ONE = re.compile(rf"\s*(?:x:\s*\[\[|{_NUMBER}(?:[,\s]+{_NUMBER}){{3}}\s*[,\s])")
_FORM = "x1,y1,x2,y2,x3,y3,x4,y4,TEXT"
_LINES_FOR_SCRIPTS = 1000
_SHARE_OF_SCRIPTS = 0.9
# A point so far from the one before, in steps between the first corners and in pixels, is no corner but a text.
_FAR_STEPS = 8
_FAR_PIXELS = 150


def looks_like_ground_truth(line: str) -> bool:
    """Tell whether a line begins as one of the forms does."""
    return _LOOKS_LIKE_ONE.match(line) is not None


def have_scripts(lines: Iterable[str]) -> bool:
    """Tell whether lines are MLT's, which have the name of a script between corners and text.

    Some lines may have a script whose name is not known, and a text may begin like a script; what nearly all of the
    first lines have decides.
    """
    looked_at = [_has_script(line) for line in islice(lines, _LINES_FOR_SCRIPTS)]
    return bool(looked_at) and sum(looked_at) >= _SHARE_OF_SCRIPTS * len(looked_at)


def parse_gt_line(text: str, origin: str, *, has_script: bool) -> tuple[Polygon, bool]:
    """Return the polygon of a line, and whether it is to be ignored.

    Forms are `x1,y1,...,x4,y4,TEXT` (ICDAR 2015), the same with a script before the text (MLT 2017 and 2019) or with
    a flag of difficulty before a quoted text (RCTW 2017), more than four corners before the text, `x1, y1, x2, y2,
    "TEXT"` (ICDAR 2013, commas or blanks) and Total-Text's `x: [[...]], y: [[...]], ornt: [...], transcriptions:
    [...]` on one line. Numbers behind the fourth corner are further corners where they are near it and a text
    follows; otherwise they are the text, as in `12,34`. A text of at least three hashes, in quotation marks or not,
    is ignored, as is Total-Text's single one.

    Args:
        text: The line.
        origin: Where it is written, for messages.
        has_script: Whether the name of a script stands before the text.

    Returns:
        Shape (K, 2), float64, K >= 4: corners as (x, y) in pixels; and the flag.

    Raises:
        AnnotationError: It has none of these forms, or its corners are no polygon.
    """
    line = text.strip()
    if line.startswith("x:"):
        return _total_text(line, origin)
    fields = line.split(",")
    n_numbers = next((i for i, field in enumerate(fields) if not _IS_NUMBER.fullmatch(field)), len(fields))
    if n_numbers < _QUAD:
        return _rectangle(line, origin)
    if len(fields) == _QUAD:
        raise AnnotationError(f"{origin}: expected {_FORM}, got {len(fields)} fields")
    numbers = [float(field) for field in fields[:n_numbers]]
    if has_script:
        if len(fields) < _QUAD + 2:
            raise AnnotationError(f"{origin}: expected a script before the text, as in the other lines, got {line!r}")
        return to_polygon(numbers[:_QUAD], origin), _is_ignored(",".join(fields[_QUAD + 1 :]))
    rest = ",".join(fields[_QUAD:])
    if fields[_QUAD].strip() in ("0", "1") and rest.partition(",")[2].strip()[:1] == '"':
        return to_polygon(numbers[:_QUAD], origin), fields[_QUAD].strip() == "1"
    n_corners = _count_corners(numbers, len(fields), line, origin)
    return to_polygon(numbers[: 2 * n_corners], origin), _is_ignored(",".join(fields[2 * n_corners :]))


def _count_corners(numbers: list[float], n_fields: int, line: str, origin: str) -> int:
    """Return how many corners a line of at least eight numbers has.

    Raises:
        AnnotationError: It cannot be told: all is numbers, and they would do as corners.
    """
    n_corners = min(len(numbers), n_fields - 1) // 2
    if 2 * n_corners <= _QUAD:
        return _QUAD // 2
    points = list(zip(numbers[: 2 * n_corners : 2], numbers[1 : 2 * n_corners : 2], strict=True))
    steps = [math.dist(first, second) for first, second in pairwise(points)]
    if max(steps[3:]) > max(_FAR_STEPS * max(steps[:3]), _FAR_PIXELS):
        return _QUAD // 2
    if len(numbers) == n_fields and n_fields % 2 == 0:
        raise AnnotationError(f"{origin}: expected a text behind the corners, got numbers alone: {line!r}")
    return n_corners


def _has_script(line: str) -> bool:
    fields = line.strip().split(",")
    if len(fields) < _QUAD + 2 or fields[_QUAD].strip().lower() not in SCRIPTS:
        return False
    return all(_IS_NUMBER.fullmatch(field) for field in fields[:_QUAD])


def _is_ignored(text: str) -> bool:
    bare = text.strip().strip('"').strip()
    return len(bare) >= 3 and set(bare) == {"#"}


def _rectangle(line: str, origin: str) -> tuple[Polygon, bool]:
    match = _RECTANGLE.fullmatch(line)
    if match is None:
        raise AnnotationError(
            f"{origin}: expected {_FORM}, got {line!r}",
            'Rectangles are x1, y1, x2, y2, "TEXT", the text in quotation marks.',
        )
    left, top, right, bottom = (float(match[index]) for index in range(1, 5))
    if left > right or top > bottom:
        raise AnnotationError(f"{origin}: expected the upper left and the lower right corner, got {line!r}")
    return to_polygon([left, top, right, top, right, bottom, left, bottom], origin), _is_ignored(match[5])


def _total_text(line: str, origin: str) -> tuple[Polygon, bool]:
    match = _TOTAL_TEXT.fullmatch(line)
    if match is None:
        raise AnnotationError(
            f"{origin}: expected a line of Total-Text, x: [[...]], y: [[...]], ornt: [...], transcriptions: [...], got "
            f"{line!r}",
            "Write each text on one line.",
        )
    try:
        x, y = ([float(number) for number in match[index].split()] for index in (1, 2))
    except ValueError as error:
        raise AnnotationError(f"{origin}: expected numbers as corners, got {line!r}") from error
    if len(x) != len(y):
        raise AnnotationError(f"{origin}: expected as many y as x, got {len(y)} and {len(x)}")
    numbers = [number for point in zip(x, y, strict=True) for number in point]
    return to_polygon(numbers, origin), match[3] == "#" or match[5] == "#" or _is_ignored(match[5])
