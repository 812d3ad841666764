"""Logits of a recogniser to text: Connectionist Temporal Classification (Graves et al., 2006), decoded greedily.

Behaves as `CTCConvertor.tensor2idx` and `idx2str` of MMOCR 0.6.3 do.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import ShapeError
from ocrdeploy.model_spec import CTCConvertor
from ocrdeploy.results import Recognition

BLANK = 0
"""The class that stands for no character."""


def decode_ctc(logits: NDArray[np.float32], settings: CTCConvertor, valid_ratios: Sequence[float]) -> list[Recognition]:
    """Read the text of each image of a batch.

    The most probable class of each step counts, the first one where several are equally probable. Of a run of equal
    classes the first step is kept, blanks are dropped, and the score of a character is its softmax probability at
    the step that was kept. A class whose string has several characters, such as `<UKN>` for an unknown one, gives
    each of them its score: MMOCR gives one score for the whole string.

    Args:
        logits: Shape (N, T, C), float32, finite: a score of each class at each step, before the softmax. N and T may
            be zero.
        settings: The dictionary, one string a class.
        valid_ratios: N numbers: the part of each image's width that is not padding. Steps from
            `ceil(T * valid_ratio)` on are not read.

    Returns:
        N texts, which may be empty.

    Raises:
        ShapeError: The logits have other dimensions, or another number of classes than the dictionary.
        ValueError: There is not one valid ratio an image.
    """
    if logits.ndim != 3 or logits.shape[2] != len(settings.dictionary):
        raise ShapeError(
            f"expected logits of shape N x T x {len(settings.dictionary)}, a class for each string of the dictionary, "
            f"got shape {tuple(logits.shape)}",
            "Check that the spec's dictionary belongs to this network.",
        )
    batch, steps, _ = logits.shape
    if len(valid_ratios) != batch:
        raise ValueError(f"{batch} images need as many valid ratios, got {len(valid_ratios)}")
    best = logits.argmax(axis=2)
    largest = np.take_along_axis(logits, best[:, :, None], axis=2)
    probabilities = 1 / np.exp(logits - largest).sum(axis=2)
    previous = np.full_like(best, BLANK)
    previous[:, 1:] = best[:, :-1]
    lengths = np.ceil(steps * np.asarray(valid_ratios, np.float64))
    kept = (best != BLANK) & (best != previous) & (np.arange(steps) < lengths[:, None])
    return [
        _read(best[index, kept[index]].tolist(), probabilities[index, kept[index]].tolist(), settings.dictionary)
        for index in range(batch)
    ]


def _read(classes: list[int], probabilities: list[float], dictionary: tuple[str, ...]) -> Recognition:
    """Return the text of the classes that were kept, with a score for each of its characters."""
    strings = [dictionary[index] for index in classes]
    scores = (
        probability for string, probability in zip(strings, probabilities, strict=True) for _ in range(len(string))
    )
    return Recognition("".join(strings), tuple(scores))
