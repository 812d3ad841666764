"""What is read in a photo, and how."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import UsageError

MIN_SCORE = 0.5
"""Words that are read with less confidence are left out, as RapidOCR does."""


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """A word that was read.

    Attributes:
        polygon: Shape (K, 2), float64: its corners as (x, y), in pixels of the image as it is shown.
        text: What it says.
        score: The mean of `char_scores`, 0 to 1.
        char_scores: One confidence a character of `text`.
        detection_score: Confidence that there is text, 0 to 1.
        line: Its line of text, counted from 0 from top to bottom.
    """

    polygon: NDArray[np.float64]
    text: str
    score: float
    char_scores: tuple[float, ...]
    detection_score: float
    line: int


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """What was read in an image.

    Attributes:
        words: The words in reading order.
        height: Height of the image in pixels, as it is shown.
        width: Its width.
        orientation: The EXIF tag that it was turned by, from 2 to 8; None where it was not turned.
        seconds: Time by stage: `read`, `detect`, `crop`, `recognise`.
    """

    words: list[Word]
    height: int
    width: int
    orientation: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """How words are read.

    Attributes:
        min_score: Words below it are left out, and words of blanks alone.
        tight: Compute only the columns that a word has, in place of PP-OCR's canvas of at least 320: half the work, and
            some texts in a hundred change.
        auto_orient: Turn an image as its EXIF tag says.
    """

    min_score: float = MIN_SCORE
    tight: bool = False
    auto_orient: bool = True

    def __post_init__(self) -> None:
        """Refuse a score that none can be."""
        if not 0 <= self.min_score <= 1:
            raise UsageError(f"a least score is from 0 to 1, got {self.min_score}")
