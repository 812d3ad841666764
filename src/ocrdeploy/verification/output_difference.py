"""How far the outputs of two networks are apart, whichever form they have."""

from collections.abc import Callable, Mapping

import numpy as np

from ocrdeploy.backends import Array
from ocrdeploy.model_spec import CTCConvertor, ModelSpec
from ocrdeploy.postprocessing.ctc import BestClasses, best_classes
from ocrdeploy.postprocessing.decoding import DecoderInput, decoder_input

from .tensor_difference import TensorDifference
from .tolerances import Tolerance


class OutputDifference:
    """The differences of all outputs of two networks over several inputs.

    Which outputs are compared, and under which names, `compared_outputs` tells. Where one side gives CTC's classes and
    the other logits, softmax and argmax are done here, and the classes are compared.

    Args:
        reference: What the reference gives.
        candidate: What the candidate gives.
        tolerance_of: How far an output of a name may be from the reference.

    Attributes:
        tensors: The difference of each output.
    """

    def __init__(self, reference: ModelSpec, candidate: ModelSpec, tolerance_of: Callable[[str], Tolerance]) -> None:
        self._specs = reference, candidate
        self._gives_classes = gives_classes(reference) or gives_classes(candidate)
        names = compared_outputs(reference, candidate)
        self.tensors = [TensorDifference(name, tolerance_of(name)) for name in names]

    def add(self, reference: Mapping[str, Array], candidate: Mapping[str, Array], label: str) -> float:
        """Take both sides' outputs for one more batch into account, and return their largest difference."""
        if self._gives_classes:
            first, second = self._classes(reference, self._specs[0]), self._classes(candidate, self._specs[1])
            indices, scores = self.tensors
            return max(
                indices.add_classes(first.indices, second.indices, first.scores, second.scores, label),
                scores.add(first.scores, second.scores, label),
            )
        worst = 0.0
        for place, difference in enumerate(self.tensors):
            # Names may differ between exporters; the first output is the one that is decoded.
            name = self._specs[0].outputs[0].name if place == 0 else difference.name
            worst = max(worst, difference.add(reference[name], candidate[difference.name], label))
        return worst

    def _classes(self, outputs: Mapping[str, Array], spec: ModelSpec) -> BestClasses:
        """Return the classes of a side that gives them, or gives logits."""
        return to_classes(decoder_input(outputs, spec))


def compared_outputs(reference: ModelSpec, candidate: ModelSpec) -> tuple[str, ...]:
    """Return the names of the outputs of two networks that are compared, the one that is decoded first.

    Where a side gives CTC's classes, these are its names: the reference's, or else the candidate's. All other networks
    are compared under the candidate's names, in what both give; the first output is the one that is decoded, whatever
    each side calls it.
    """
    for spec in (reference, candidate):
        if gives_classes(spec):
            return tuple(output.name for output in spec.outputs)
    known = {output.name for output in reference.outputs}
    first, *others = (output.name for output in candidate.outputs)
    return first, *(name for name in others if name in known)


def gives_classes(spec: ModelSpec) -> bool:
    """Return whether CTC's softmax and argmax are in the network."""
    return isinstance(spec.postprocessing, CTCConvertor) and spec.postprocessing.reads == "best_classes"


def to_classes(output: DecoderInput) -> BestClasses:
    """Return CTC's classes for what is either these or logits N×T×C."""
    return output if isinstance(output, BestClasses) else best_classes(np.asarray(output))


def shown_arrays(reference: DecoderInput, candidate: DecoderInput) -> tuple[Array, Array]:
    """Return the arrays that reports show of both sides; where one of them gives classes, both sides' scores."""
    if isinstance(reference, BestClasses) or isinstance(candidate, BestClasses):
        return to_classes(reference).scores, to_classes(candidate).scores
    return reference, candidate
