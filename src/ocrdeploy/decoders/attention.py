"""Output of a recogniser with attention to text: a class a step, until the word has ended.

Behaves as `AttnConvertor` and `ABIConvertor` of MMOCR 0.6.3 (`tensor2idx`, `idx2str`) and `AttentionPostprocessor` of
MMOCR 1.0.1 do. What differs: scores are probabilities also for MASTER, whose logits MMOCR 0.x gives in their place.
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
from .made_up import prepared, steps_of, words


class AttentionPostprocessor(DecoderPart, frozen=True, tag=True):
    """A class a step, until the end class.

    `dictionary` holds the string of every class. Networks that never give the padding class, which then is the last
    one, have one class less. Steps of the classes in `ignored` are left out; of others, those from the first step of
    class `end_index` on are not read. `reads` says whether the network gives logits, probabilities, or the best class
    of each step and its probability.
    """

    task: ClassVar[Literal["det", "recog"]] = "recog"

    dictionary: tuple[str, ...]
    end_index: int | None = None
    ignored: tuple[int, ...] = ()
    reads: ClassInput = "probabilities"

    def __post_init__(self) -> None:
        """Refuse a dictionary without characters, and classes outside it."""
        given = [each for each in (self.end_index, *self.ignored) if each is not None]
        outside = [each for each in given if not 0 <= each < len(self.dictionary)]
        if outside:
            raise ValueError(f"classes {outside} are outside the dictionary of {len(self.dictionary)}")
        if len(set(given)) >= len(self.dictionary):
            raise ValueError("a dictionary holds at least one character that is read")

    def decode(self, outputs: Outputs, _images: Sequence[Preprocessed], /) -> list[Result]:
        """Read the text of each image; the network itself has left out what is no word."""
        return [*decode_attention(given_classes(outputs), self)]

    def expects(self) -> tuple[TensorSpec, ...]:
        """Return scores of all classes, or the best classes and their scores."""
        return attention_tensors(("batch", "steps"), "classes", self.reads)

    def classes(self, outputs: Outputs) -> BestClasses:
        """Return the most probable class of each step, whichever form the network's outputs have."""
        output = given_classes(outputs)
        return output if isinstance(output, BestClasses) else best_classes(output, self.reads)

    def made_up(self, other: Self, _channels: int | None, /) -> MadeUp:
        """Yield probabilities, of texts with all classes and with every class that is not read.

        There are none where the other reads another number of classes, which is a difference.
        """
        if len(self.dictionary) != len(other.dictionary):
            return
        special = {*self.ignored, *other.ignored, self.end_index, other.end_index} - {None}
        for steps in words(len(self.dictionary), sorted(each for each in special if each is not None)):
            logits = steps_of(steps, len(self.dictionary))
            name = "logits" if self.reads == "logits" else "probabilities"
            exponents = np.exp(logits)
            values = logits if name == "logits" else exponents / exponents.sum(axis=2, keepdims=True)
            yield {name: values}, prepared((32, 4 * len(steps)))


def attention_tensors(
    steps: tuple[Dimension, Dimension], classes: Dimension, reads: ClassInput = "probabilities"
) -> tuple[TensorSpec, ...]:
    """Return the outputs of a recogniser with attention.

    Args:
        steps: N, and T: at most the decoder's `max_seq_len`.
        classes: Number of classes that the network scores.
        reads: Which of the three forms.
    """
    return class_tensors(steps, classes, reads, "attention")


def end_words(probabilities: NDArray[np.float32], end_index: int | None) -> NDArray[np.float32]:
    """Return probabilities N×T×C that say nothing behind the end of a word, as this package's networks give them.

    MMOCR computes steps behind the end too, which nobody reads: there the end class has the probability 1 instead.
    """
    if end_index is None:
        return probabilities
    is_end = probabilities.argmax(axis=2) == end_index
    behind = np.logical_or.accumulate(is_end, axis=1)[:, :-1]
    ended = probabilities.copy()
    ended[:, 1:][behind] = np.arange(probabilities.shape[2]) == end_index
    return ended


def decode_attention(output: NDArray[np.float32] | BestClasses, settings: AttentionPostprocessor) -> list[Recognition]:
    """Read the text of each image of a batch.

    The most probable class of each step counts, the first one where several are equally probable, and its probability
    is the character's score. A class whose string has several characters, such as `<UKN>` for an unknown one, gives
    each of them its score: MMOCR gives one score for the whole string.

    Args:
        output: Shape (N, T, C), float32, finite: what `settings.reads` says of each class at each step; or the most
            probable class of each step. N and T may be zero. C is the size of the dictionary, or one less.
        settings: The dictionary, and what is not read.

    Returns:
        N texts, which may be empty.

    Raises:
        ShapeError: The output has other dimensions, or another number of classes than the dictionary.
    """
    count = len(settings.dictionary)
    if not isinstance(output, BestClasses):
        if output.ndim != 3 or output.shape[2] not in (count - 1, count):
            raise ShapeError(
                f"expected {settings.reads} of shape N x T x {count}, or one class less, got shape "
                f"{tuple(output.shape)}",
                "Check that the spec's dictionary belongs to this network.",
            )
        output = best_classes(output, settings.reads)
    best, scores = check_classes(output, count)
    is_ignored = np.isin(best, settings.ignored)
    # MMOCR looks whether a class is ignored before it looks whether it is the end.
    is_end = (best == (-1 if settings.end_index is None else settings.end_index)) & ~is_ignored
    before_end = ~np.logical_or.accumulate(is_end, axis=1)
    return texts_of(best, scores, before_end & ~is_ignored, settings.dictionary)
