"""Output of a recogniser to text: Connectionist Temporal Classification (Graves et al., 2006), decoded greedily.

Behaves as `CTCConvertor.tensor2idx` and `idx2str` of MMOCR 0.6.3 do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import ShapeError
from ocrdeploy.results import Recognition, Result
from ocrdeploy.steps import Preprocessed
from ocrdeploy.tensors import Dimension, TensorSpec

from .decoder import DecoderPart, MadeUp, Outputs
from .made_up import texts

CTCInput = Literal["logits", "probabilities", "best_classes"]
"""What a CTC decoder is given: a score of every class at each step, before or after the softmax, or the best class
alone and its probability."""


@dataclass(frozen=True, slots=True, eq=False)
class BestClasses:
    """The most probable class of each step of a batch: what a network with softmax and argmax in its graph gives.

    Attributes:
        indices: Shape (N, T), int32: the class, the first one where several are equally probable.
        scores: Shape (N, T), float32: its softmax probability, 0 to 1.
    """

    indices: NDArray[np.int32]
    scores: NDArray[np.float32]


class CTCConvertor(DecoderPart, frozen=True, tag=True):
    """Connectionist Temporal Classification, decoded greedily.

    `dictionary` holds the string of every class in the order of the network's outputs. Class `blank_index` is the
    blank, which MMOCR 0.x has first and 1.x behind the characters; an unknown character, where the model has one, is
    the class `unknown_index`. `reads` says whether the network gives logits, or probabilities, or has softmax and
    argmax in its graph and gives the best class of each step and its probability. With `reads_padding` the steps behind
    the word are read too, as PP-OCR does.
    """

    task: ClassVar[Literal["det", "recog"]] = "recog"

    dictionary: tuple[str, ...]
    unknown_index: int | None = None
    lower: bool = False
    reads: CTCInput = "logits"
    blank_index: int = 0
    reads_padding: bool = False

    def __post_init__(self) -> None:
        """Refuse a dictionary that is too small, or an unknown character outside it."""
        if len(self.dictionary) < 2:
            raise ValueError("a dictionary holds the blank and at least one character")
        if not 0 <= self.blank_index < len(self.dictionary) or self.blank_index == self.unknown_index:
            raise ValueError(f"blank_index {self.blank_index} is outside the dictionary, or the unknown character's")
        if self.unknown_index is not None and not 0 < self.unknown_index < len(self.dictionary):
            raise ValueError(f"unknown_index {self.unknown_index} is outside the dictionary")

    def decode(self, outputs: Outputs, images: Sequence[Preprocessed]) -> list[Result]:
        """Read the text of each image; the valid part of its width is that of the tensor which the network saw."""
        width = max(image.tensor.shape[2] for image in images)
        ratios = [1.0 if self.reads_padding else image.resized_shape[1] / width for image in images]
        return [*decode_ctc(self.read(outputs), self, ratios)]

    def expects(self) -> tuple[TensorSpec, ...]:
        """Return logits, or classes and their scores."""
        return ctc_tensors(("batch", "steps"), len(self.dictionary), self.reads)

    def read(self, outputs: Outputs) -> "NDArray[np.float32] | BestClasses":
        """Return logits N×T×C, or the classes and scores N×T that a network gives in their place."""
        first, *others = outputs.values()
        return BestClasses(first.astype(np.int32, copy=False), others[0]) if others and first.ndim == 2 else first

    def classes(self, outputs: Outputs) -> BestClasses:
        """Return the most probable class of each step, whichever form the network's outputs have."""
        output = self.read(outputs)
        return output if isinstance(output, BestClasses) else best_classes(output, self.reads)

    def made_up(self, other: Self, _channels: int | None, /) -> MadeUp:
        """Yield logits of texts; none where the other reads another number of classes, which is a difference."""
        if len(self.dictionary) == len(other.dictionary):
            for logits, image in texts(len(self.dictionary), self.blank_index):
                yield {"logits": logits}, image


def ctc_tensors(steps: tuple[Dimension, Dimension], classes: int, reads: CTCInput) -> tuple[TensorSpec, ...]:
    """Return the outputs of a network with CTC: logits, or in their place what softmax and argmax give.

    The indices are int32: TensorRT's argmax gives them so, and ONNX Runtime casts them; int64, which ONNX's ArgMax
    gives, TensorRT has had only since version 10, and half of each number would be zeros.

    Args:
        steps: N and T.
        classes: Number of classes.
        reads: Which of the two.
    """
    if reads == "logits":
        return (TensorSpec("logits", (*steps, classes), "CTC logits, a class for each string of the dictionary"),)
    if reads == "probabilities":
        return (TensorSpec("probabilities", (*steps, classes), "CTC probabilities, 0 to 1, a class for each string"),)
    return (
        TensorSpec("indices", steps, "CTC class of each step", "int32"),
        TensorSpec("scores", steps, "probability of that class, 0 to 1"),
    )


def best_classes(logits: NDArray[np.float32], reads: CTCInput = "logits") -> BestClasses:
    """Return the most probable class of each step for logits, or probabilities, of shape (N, T, C)."""
    best = logits.argmax(axis=2)
    largest = np.take_along_axis(logits, best[:, :, None], axis=2)
    if reads == "probabilities":
        return BestClasses(best.astype(np.int32), largest[:, :, 0])
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
    classes = (
        output if isinstance(output, BestClasses) else best_classes(_check_logits(output, settings), settings.reads)
    )
    best, probabilities = _check_classes(classes, settings)
    batch, steps = best.shape
    if len(valid_ratios) != batch:
        raise ValueError(f"{batch} images need as many valid ratios, got {len(valid_ratios)}")
    previous = np.full_like(best, settings.blank_index)
    previous[:, 1:] = best[:, :-1]
    lengths = np.ceil(steps * np.asarray(valid_ratios, np.float64))
    kept = (best != settings.blank_index) & (best != previous) & (np.arange(steps) < lengths[:, None])
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
