"""What a model says of one image, in the words of its task."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_POLYGON_POINTS = 3


@dataclass(frozen=True, slots=True)
class Detection:
    """One text instance that was found.

    Attributes:
        polygon: Shape (K, 2), float64, K >= 3: the corners as (x, y), in pixels. Decoders give them in pixels of
            the map that they read, predictors in pixels of the original image. Corners may lie outside the image,
            as in MMOCR. The first corner and the direction of travel carry no meaning.
        score: Mean confidence of the instance, 0 to 1.

    Raises:
        ValueError: The polygon has another shape, or a number is not finite.
    """

    polygon: NDArray[np.float64]
    score: float

    def __post_init__(self) -> None:
        """Refuse what is no polygon."""
        if self.polygon.ndim != 2 or self.polygon.shape[1] != 2 or len(self.polygon) < MIN_POLYGON_POINTS:
            raise ValueError(f"a polygon has shape (K, 2) with K >= 3, not {self.polygon.shape}")
        if not np.isfinite(self.polygon).all() or not np.isfinite(self.score):
            raise ValueError("a polygon's corners and its score are finite numbers")

    def to_dict(self) -> dict[str, Any]:
        """Return the instance as what JSON can hold: `polygon`, x and y of each corner one after another, `score`."""
        return {"polygon": self.polygon.ravel().tolist(), "score": float(self.score)}

    def __repr__(self) -> str:
        corners = ", ".join(f"({x:.1f}, {y:.1f})" for x, y in self.polygon)
        return f"Detection(score={self.score:.3f}, polygon=[{corners}])"


@dataclass(frozen=True, slots=True)
class Recognition:
    """The text that was read in one image of a word.

    Attributes:
        text: The decoded string; may be empty.
        char_scores: One confidence a character of `text`, 0 to 1, in the same order.

    Raises:
        ValueError: The number of scores is not the number of characters.
    """

    text: str
    char_scores: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse scores that do not belong to the text."""
        if len(self.text) != len(self.char_scores):
            raise ValueError(f"{len(self.text)} characters, but {len(self.char_scores)} scores")

    @property
    def score(self) -> float:
        """Mean of the characters' confidences, 0 to 1; 0 where the text is empty."""
        return float(sum(self.char_scores) / len(self.char_scores)) if self.char_scores else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the text as what JSON can hold: `text`, `score` and `char_scores`."""
        return {"text": self.text, "score": self.score, "char_scores": [float(each) for each in self.char_scores]}

    def __repr__(self) -> str:
        return f"Recognition({self.text!r}, score={self.score:.3f})"


Result = list[Detection] | Recognition
"""What a predictor returns for one image: every text instance (detection), or the text (recognition)."""


@dataclass(frozen=True, slots=True, eq=False)
class SceneText:
    """A text in an image, as it is labelled or as it was read.

    Attributes:
        polygon: Shape (K, 2), float64, K >= 3: corners as (x, y) in pixels.
        text: What it says.
        is_ignored: Whether a truth is not cared for; no meaning for a result.
    """

    polygon: NDArray[np.float64]
    text: str
    is_ignored: bool = False
