"""Output of a recogniser to text: Connectionist Temporal Classification (Graves et al., 2006), decoded greedily.

Behaves as `CTCConvertor.tensor2idx` and `idx2str` of MMOCR 0.6.3 do.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import ShapeError
from ocrdeploy.results import Recognition, Result
from ocrdeploy.steps import Preprocessed
from ocrdeploy.tensors import Dimension, TensorSpec

from .classes import BestClasses, ClassInput, best_classes, check_classes, class_tensors, given_classes, texts_of
from .decoder import DecoderPart, MadeUp, Outputs
from .made_up import texts


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
    reads: ClassInput = "logits"
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
        return [*decode_ctc(given_classes(outputs), self, ratios)]

    def expects(self) -> tuple[TensorSpec, ...]:
        """Return logits, or classes and their scores."""
        return ctc_tensors(("batch", "steps"), len(self.dictionary), self.reads)

    def classes(self, outputs: Outputs) -> BestClasses:
        """Return the most probable class of each step, whichever form the network's outputs have."""
        output = given_classes(outputs)
        return output if isinstance(output, BestClasses) else best_classes(output, self.reads)

    def made_up(self, other: Self, _channels: int | None, /) -> MadeUp:
        """Yield logits of texts; none where the other reads another number of classes, which is a difference."""
        if len(self.dictionary) == len(other.dictionary):
            for logits, image in texts(len(self.dictionary), self.blank_index):
                yield {"logits": logits}, image


def ctc_tensors(steps: tuple[Dimension, Dimension], classes: int, reads: ClassInput) -> tuple[TensorSpec, ...]:
    """Return the outputs of a network with CTC; see `class_tensors`."""
    return class_tensors(steps, classes, reads, "CTC")


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
    best, probabilities = check_classes(classes, len(settings.dictionary))
    batch, steps = best.shape
    if len(valid_ratios) != batch:
        raise ValueError(f"{batch} images need as many valid ratios, got {len(valid_ratios)}")
    previous = np.full_like(best, settings.blank_index)
    previous[:, 1:] = best[:, :-1]
    lengths = np.ceil(steps * np.asarray(valid_ratios, np.float64))
    kept = (best != settings.blank_index) & (best != previous) & (np.arange(steps) < lengths[:, None])
    return texts_of(best, probabilities, kept, settings.dictionary)


def _check_logits(logits: NDArray[np.float32], settings: CTCConvertor) -> NDArray[np.float32]:
    """Return logits, or refuse them."""
    if logits.ndim != 3 or logits.shape[2] != len(settings.dictionary):
        raise ShapeError(
            f"expected logits of shape N x T x {len(settings.dictionary)}, a class for each string of the dictionary, "
            f"got shape {tuple(logits.shape)}",
            "Check that the spec's dictionary belongs to this network.",
        )
    return logits
