"""What goes to and comes from MMOCR's interpreter: images and arrays as files, results as JSON."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import CheckError, ImageError
from ocrdeploy.images.arrays import check_array, to_color_type
from ocrdeploy.predictor import ImageInput
from ocrdeploy.results import Detection, Recognition, Result

from .session import MmocrSession

SUM_TOLERANCE = 1e-3
"""How far the sum of some thousand probabilities in float32 is from 1 at most."""


class SentImage:
    """An image as a file that MMOCR can read; a context manager that gives its name."""

    def __init__(self, session: MmocrSession, image: ImageInput) -> None:
        self._copy: Path | None = None
        if isinstance(image, np.ndarray):
            self._copy = session.new_file()
            np.save(self._copy, to_color_type(check_array(image), "color"))
            self._file = self._copy
        else:
            self._file = Path(image).absolute()
            if not self._file.is_file():
                raise ImageError(f"the image {image} does not exist", "Check the path.")

    def __enter__(self) -> str:
        return str(self._file)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._copy is not None:
            self._copy.unlink()


def take_array(file: Path) -> NDArray[np.float32]:
    """Return the array that MMOCR's interpreter has written, and remove its file."""
    try:
        array = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CheckError(f"MMOCR wrote no array: {' '.join(str(error).split())}") from error
    file.unlink()
    return np.ascontiguousarray(array, np.float32)


def as_probabilities(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of classes, the last dimension, of what a decoder with attention has given.

    Most give them. The logits that MMOCR 0.x's MASTER gives are told by what no probabilities do.
    """
    if not values.size or (values.min() >= 0 and np.allclose(values.sum(axis=-1), 1, atol=SUM_TOLERANCE)):
        return values
    exponents = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True), np.float32)


def read_result(document: Any, strings: Collection[str] = ()) -> Result:
    """Return one of MMOCR's results; a boundary is `[x1, y1, x2, y2, ..., score]`.

    MMOCR gives a score for each class that it read. A class may stand for several characters, such as `<UKN>` for an
    unknown one; each of them is given the score here, as our decoders do.

    Args:
        document: What MMOCR's interpreter has answered.
        strings: The strings of a recogniser's classes.

    Raises:
        CheckError: It is none, or its scores do not belong to its text.
    """
    try:
        match document:
            case {"boundaries": list(boundaries)}:
                return [
                    Detection(np.array(boundary[:-1], np.float64).reshape(-1, 2), float(boundary[-1]))
                    for boundary in boundaries
                ]
            case {"text": str(text), "scores": list(scores)}:
                return Recognition(text, _score_of_each_character(text, scores, strings))
    except (ValueError, TypeError) as error:
        raise CheckError(f"MMOCR gave a result that is none: {error}") from error
    raise CheckError(f"MMOCR gave a result that is none: {document!r:.200}")


def _score_of_each_character(text: str, scores: Sequence[float], strings: Collection[str]) -> tuple[float, ...]:
    """Return a score for each character of a text, given one for each string that it is made of."""
    long = sorted((re.escape(each) for each in strings if len(each) > 1), key=len, reverse=True)
    parts = re.findall("|".join([*long, "."]), text, re.DOTALL) if len(scores) != len(text) else list(text)
    if len(parts) != len(scores):
        raise ValueError(f"{len(text)} characters, but {len(scores)} scores")
    return tuple(float(score) for part, score in zip(parts, scores, strict=True) for _ in part)
