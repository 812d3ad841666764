"""Output of a classifier to the orientation of a line of text: PP-OCR's, as RapidOCR 3.10 uses it."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from ocrdeploy.errors import ShapeError
from ocrdeploy.results import Recognition, Result
from ocrdeploy.spec_part import Share
from ocrdeploy.steps import Preprocessed
from ocrdeploy.tensors import TensorSpec

from .decoder import DecoderPart, Outputs

UPSIDE_DOWN = "180"


class OrientationPostprocessor(DecoderPart, frozen=True, tag="ppocr.ClsPostProcess"):
    """The orientation of a line of text: the most probable of `labels`, which are degrees.

    A line counts as upside down where its label is 180 and its probability above `threshold`.
    """

    task: ClassVar[Literal["det", "recog"]] = "recog"

    labels: Annotated[tuple[str, ...], Meta(min_length=2)] = ("0", UPSIDE_DOWN)
    threshold: Share = 0.9

    def decode(self, outputs: Outputs, images: Sequence[Preprocessed]) -> list[Result]:
        """Return the label of each image as its text; the score of each character is the label's probability."""
        probabilities = next(iter(outputs.values()))
        if probabilities.shape != (len(images), len(self.labels)):
            raise ShapeError(
                f"expected probabilities of shape {len(images)} x {len(self.labels)}, a class for each of "
                f"{', '.join(self.labels)}, got shape {tuple(probabilities.shape)}"
            )
        best = probabilities.argmax(axis=1)
        scores = np.take_along_axis(probabilities, best[:, None], axis=1)[:, 0].tolist()
        labels = [self.labels[index] for index in best.tolist()]
        return [Recognition(label, (score,) * len(label)) for label, score in zip(labels, scores, strict=True)]

    def expects(self) -> tuple[TensorSpec, ...]:
        """Return a probability of each label."""
        return (TensorSpec("probabilities", ("batch", len(self.labels)), "probability of each label, 0 to 1"),)

    def is_upside_down(self, result: Result) -> bool:
        """Tell whether what `decode` gave for a line says that it is to be turned."""
        return isinstance(result, Recognition) and result.text == UPSIDE_DOWN and result.char_scores[0] > self.threshold
