"""How far the outputs of two networks are apart, whichever form they have."""

from collections.abc import Callable, Mapping

from ocrdeploy.backends import Array
from ocrdeploy.decoders import Outputs, TextDecoder
from ocrdeploy.decoders.classes import BestClasses
from ocrdeploy.model_spec import ModelSpec

from .tensor_difference import TensorDifference
from .tolerances import Tolerance


class OutputDifference:
    """The differences of all outputs of two networks over several inputs.

    Which outputs are compared, and under which names, `compared_outputs` tells. Where one side gives classes and the
    other scores of all of them, softmax and argmax are done here, and the classes are compared.

    Args:
        reference: What the reference gives.
        candidate: What the candidate gives.
        tolerance_of: How far an output of a name may be from the reference.
        judged: Whether what is further fails; else it is told only.

    Attributes:
        tensors: The difference of each output.
    """

    def __init__(
        self,
        reference: ModelSpec,
        candidate: ModelSpec,
        tolerance_of: Callable[[str], Tolerance],
        *,
        judged: bool = True,
    ) -> None:
        self._specs = reference, candidate
        self._gives_classes = gives_classes(reference) or gives_classes(candidate)
        names = compared_outputs(reference, candidate)
        self.tensors = [TensorDifference(name, tolerance_of(name), judged) for name in names]

    def add(self, reference: Mapping[str, Array], candidate: Mapping[str, Array], label: str) -> float:
        """Take both sides' outputs for one more batch into account, and return their largest difference."""
        if self._gives_classes:
            first, second = (
                to_classes(spec.read_outputs(outputs), spec)
                for spec, outputs in zip(self._specs, (reference, candidate), strict=True)
            )
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

    def shown(self, reference: Outputs, candidate: Outputs) -> tuple[Outputs, Outputs]:
        """Return what reports show of both sides' outputs; where one of them gives classes, both sides' scores."""
        if not self._gives_classes:
            return reference, candidate
        first, second = to_classes(reference, self._specs[0]), to_classes(candidate, self._specs[1])
        return {"scores": first.scores}, {"scores": second.scores}


def compared_outputs(reference: ModelSpec, candidate: ModelSpec) -> tuple[str, ...]:
    """Return the names of the outputs of two networks that are compared, the one that is decoded first.

    Where a side gives classes, these are its names: the reference's, or else the candidate's. All other networks
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
    """Return whether a recogniser's softmax and argmax are in the network."""
    return isinstance(spec.postprocessing, TextDecoder) and spec.postprocessing.reads == "best_classes"


def to_classes(outputs: Outputs, spec: ModelSpec) -> BestClasses:
    """Return the classes of a recogniser, which gives these or scores N×T×C of all of them."""
    if not isinstance(spec.postprocessing, TextDecoder):
        raise TypeError("classes are those of recognisers alone")
    return spec.postprocessing.classes(outputs)
