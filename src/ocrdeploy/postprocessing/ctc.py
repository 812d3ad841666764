"""Output of a recogniser to text: Connectionist Temporal Classification (Graves et al., 2006), decoded greedily.

Behaves as `CTCConvertor.tensor2idx` and `idx2str` of MMOCR 0.6.3 do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import ShapeError
from ocrdeploy.model_spec import CTCConvertor
from ocrdeploy.results import Recognition

BLANK = 0
"""The class that stands for no character."""


@dataclass(frozen=True, slots=True, eq=False)
class BestClasses:
    """The most probable class of each step of a batch: what a network with softmax and argmax in its graph gives.

    Attributes:
        indices: Shape (N, T), int32: the class, the first one where several are equally probable.
        scores: Shape (N, T), float32: its softmax probability, 0 to 1.
    """

    indices: NDArray[np.int32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.indices)

    def __getitem__(self, images: slice) -> "BestClasses":
        """Return some of the images."""
        return BestClasses(self.indices[images], self.scores[images])


def best_classes(logits: NDArray[np.float32]) -> BestClasses:
    """Return the most probable class of each step for logits of shape (N, T, C)."""
    best = logits.argmax(axis=2)
    largest = np.take_along_axis(logits, best[:, :, None], axis=2)
    return BestClasses(best.astype(np.int32), 1 / np.exp(logits - largest).sum(axis=2))


def decode_ctc(
    output: NDArray[np.float32] | BestClasses, settings: CTCConvertor, valid_ratios: Sequence[float]
) -> list[Recognition]:
    """Read the text of each image of a batch.

    The most probable class of each step counts, the first one where several are equally probable. Of a run of equal
    classes the first step is kept, blanks are dropped, and the score of a character is its softmax probability at
    the step that was kept. A class whose string has several characters, such as `<UKN>` for an unknown one, gives
    each of them its score: MMOCR gives one score for the whole string.

    Args:
        output: Shape (N, T, C), float32, finite: a score of each class at each step, before the softmax; or the most
            probable class of each step, which gives the same texts. N and T may be zero.
        settings: The dictionary, one string a class.
        valid_ratios: N numbers: the part of each image's width that is not padding. Steps from
            `ceil(T * valid_ratio)` on are not read.

    Returns:
        N texts, which may be empty.

    Raises:
        ShapeError: The output has other dimensions, or another number of classes than the dictionary.
        ValueError: There is not one valid ratio an image.
    """
    classes = output if isinstance(output, BestClasses) else best_classes(_check_logits(output, settings))
    best, probabilities = _check_classes(classes, settings)
    batch, steps = best.shape
    if len(valid_ratios) != batch:
        raise ValueError(f"{batch} images need as many valid ratios, got {len(valid_ratios)}")
    previous = np.full_like(best, BLANK)
    previous[:, 1:] = best[:, :-1]
    lengths = np.ceil(steps * np.asarray(valid_ratios, np.float64))
    kept = (best != BLANK) & (best != previous) & (np.arange(steps) < lengths[:, None])
    return [
        _read(best[index, kept[index]].tolist(), probabilities[index, kept[index]].tolist(), settings.dictionary)
        for index in range(batch)
    ]


def _check_logits(logits: NDArray[np.float32], settings: CTCConvertor) -> NDArray[np.float32]:
    """Return logits, or refuse them."""
    if logits.ndim != 3 or logits.shape[2] != len(settings.dictionary):
        raise ShapeError(
            f"expected logits of shape N x T x {len(settings.dictionary)}, a class for each string of the dictionary, "
            f"got shape {tuple(logits.shape)}",
            "Check that the spec's dictionary belongs to this network.",
        )
    return logits


def _check_classes(classes: BestClasses, settings: CTCConvertor) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return indices and scores, or refuse them."""
    indices, scores = classes.indices, classes.scores
    if indices.ndim != 2 or indices.shape != scores.shape:
        raise ShapeError(
            f"expected classes and their scores, each of shape N x T, got shapes {tuple(indices.shape)} and "
            f"{tuple(scores.shape)}"
        )
    if indices.size and not 0 <= indices.min() <= indices.max() < len(settings.dictionary):
        raise ShapeError(
            f"expected classes from 0 to {len(settings.dictionary) - 1}, one for each string of the dictionary, got "
            f"{indices.min()} to {indices.max()}",
            "Check that the spec's dictionary belongs to this network.",
        )
    return indices, scores


def _read(classes: list[int], probabilities: list[float], dictionary: tuple[str, ...]) -> Recognition:
    """Return the text of the classes that were kept, with a score for each of its characters."""
    strings = [dictionary[index] for index in classes]
    scores = (
        probability for string, probability in zip(strings, probabilities, strict=True) for _ in range(len(string))
    )
    return Recognition("".join(strings), tuple(scores))
