"""What decoders of recognisers share: the best class of each step, and texts of classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import ShapeError
from ocrdeploy.results import Recognition
from ocrdeploy.tensors import Dimension, TensorSpec

from .decoder import Outputs

ClassInput = Literal["logits", "probabilities", "best_classes"]
"""What a decoder is given: a score of every class at each step, before or after the softmax, or the best class alone
and its probability."""


@dataclass(frozen=True, slots=True, eq=False)
class BestClasses:
    """The most probable class of each step of a batch: what a network with softmax and argmax in its graph gives.

    Attributes:
        indices: Shape (N, T), int32: the class, the first one where several are equally probable.
        scores: Shape (N, T), float32: its softmax probability, 0 to 1.
    """

    indices: NDArray[np.int32]
    scores: NDArray[np.float32]


def class_tensors(
    steps: tuple[Dimension, Dimension], classes: Dimension, reads: ClassInput, kind: str
) -> tuple[TensorSpec, ...]:
    """Return the outputs of a recogniser: a score of every class, or in its place what softmax and argmax give.

    The indices are int32: TensorRT's argmax gives them so, and ONNX Runtime casts them; int64, which ONNX's ArgMax
    gives, TensorRT has had only since version 10, and half of each number would be zeros.

    Args:
        steps: N and T.
        classes: Number of classes.
        reads: Which of the three.
        kind: What the classes are of, such as `CTC`.
    """
    match reads:
        case "logits":
            meaning = f"{kind} logits, a class for each string of the dictionary"
            return (TensorSpec("logits", (*steps, classes), meaning),)
        case "probabilities":
            meaning = f"{kind} probabilities, 0 to 1, a class for each string"
            return (TensorSpec("probabilities", (*steps, classes), meaning),)
        case "best_classes":
            return (
                TensorSpec("indices", steps, f"{kind} class of each step", "int32"),
                TensorSpec("scores", steps, "probability of that class, 0 to 1"),
            )


def given_classes(outputs: Outputs) -> "NDArray[np.float32] | BestClasses":
    """Return scores N×T×C of all classes, or the classes and scores N×T that a network gives in their place."""
    first, *others = outputs.values()
    return BestClasses(first.astype(np.int32, copy=False), others[0]) if others and first.ndim == 2 else first


def best_classes(values: NDArray[np.float32], reads: ClassInput = "logits") -> BestClasses:
    """Return the most probable class of each step for logits, or probabilities, of shape (N, T, C)."""
    best = values.argmax(axis=2)
    largest = np.take_along_axis(values, best[:, :, None], axis=2)
    if reads == "probabilities":
        return BestClasses(best.astype(np.int32), largest[:, :, 0])
    return BestClasses(best.astype(np.int32), 1 / np.exp(values - largest).sum(axis=2))


def check_classes(classes: BestClasses, count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return indices and scores, N×T each.

    Raises:
        ShapeError: They are none, or of more than `count` classes.
    """
    indices, scores = classes.indices, classes.scores
    if indices.ndim != 2 or indices.shape != scores.shape:
        raise ShapeError(
            f"expected classes and their scores, each of shape N x T, got shapes {tuple(indices.shape)} and "
            f"{tuple(scores.shape)}"
        )
    if indices.size and not 0 <= indices.min() <= indices.max() < count:
        raise ShapeError(
            f"expected classes from 0 to {count - 1}, one for each string of the dictionary, got "
            f"{indices.min()} to {indices.max()}",
            "Check that the spec's dictionary belongs to this network.",
        )
    return indices, scores


def texts_of(
    best: NDArray[np.int32], scores: NDArray[np.float32], kept: NDArray[np.bool_], dictionary: Sequence[str]
) -> list[Recognition]:
    """Return the text of each image, of the steps that are kept.

    A class whose string has several characters, such as `<UKN>` for an unknown one, gives each of them its score.

    Args:
        best: The class of each step, N×T.
        scores: Its probability, N×T.
        kept: Which steps are read, N×T.
        dictionary: The string of each class.
    """
    return [
        _text(best[index, kept[index]].tolist(), scores[index, kept[index]].tolist(), dictionary)
        for index in range(len(best))
    ]


def _text(classes: list[int], probabilities: list[float], dictionary: Sequence[str]) -> Recognition:
    """Return the text of the classes that were kept, with a score for each of its characters."""
    strings = [dictionary[index] for index in classes]
    scores = (
        probability for string, probability in zip(strings, probabilities, strict=True) for _ in range(len(string))
    )
    return Recognition("".join(strings), tuple(scores))
