"""What a comparison of two models is between, and what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ocrdeploy.backends import Array
from ocrdeploy.decoders import Outputs
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.predictor import ImageInput
from ocrdeploy.results import Result
from ocrdeploy.steps import Preprocessed

from .result_difference import ResultsDifference
from .tensor_difference import PreprocessingDifference, TensorDifference


class BackendFacts(Protocol):
    """What is told of the runtime of one side: its name, and the number format that it computes in."""

    @property
    def name(self) -> str:
        """Such as `torch`, `onnxruntime`, `tensorrt` or `mmocr`."""
        ...

    @property
    def precision(self) -> str:
        """Such as `fp32` or `fp16`."""
        ...


class Side(Protocol):
    """One side of a comparison: a `Predictor`, or anything else that goes from an image to its result in these steps.

    The real MMOCR is one too: `mmocr_reference.reference.open_mmocr_reference(config, checkpoint, *, export, python)`
    gives it as a context manager. Its three steps are MMOCR's own code; its `spec` is the one that `build_spec` makes
    of config and checkpoint for `export`.
    """

    @property
    def spec(self) -> ModelSpec:
        """What the model takes, gives and means."""
        ...

    @property
    def backend(self) -> BackendFacts:
        """Name and number format of the runtime."""
        ...

    def prepare(self, image: ImageInput, /) -> Preprocessed:
        """Bring an image (a file, or H×W×3 uint8 BGR) into the form that the network takes.

        Raises:
            ImageError: The image cannot be read.
        """
        ...

    def infer(self, batch: Array, /) -> dict[str, Array]:
        """Run the network on N×C×H×W float32; the outputs have the names in `spec.outputs`.

        Raises:
            ShapeError: The network does not take this shape.
            CheckError: An output holds NaN or infinity.
        """
        ...

    def decode(self, outputs: Outputs, prepared: Sequence[Preprocessed], /) -> list[Result]:
        """Turn the outputs of a batch into a result an image, with polygons in pixels of the original image.

        The outputs, in the form that this side's network gives, may be another side's, and `prepared` what another side
        made of the same images.

        Raises:
            ShapeError: The outputs are none of this decoder.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One image, compared in all three stages; for a report, which draws it.

    Attributes:
        image: The image, a file or pixels.
        prepared: What the reference's pipeline made of it.
        outputs: What decoding reads of both networks, the reference's first, both given `prepared`.
        results: What both sides make of the image from beginning to end, the reference's first.
        max_abs: Largest difference of the outputs; infinite where their shapes differ.
    """

    image: ImageInput
    prepared: Preprocessed
    outputs: tuple[Outputs, Outputs]
    results: tuple[Result, Result]
    max_abs: float

    @property
    def first_outputs(self) -> tuple[Array, Array]:
        """The first output of both networks."""
        first, second = (next(iter(outputs.values())) for outputs in self.outputs)
        return first, second


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What was found.

    Attributes:
        reference: The reference's backend.
        candidate: The candidate's backend.
        precision: The candidate's number format.
        tensors: The networks' outputs, both sides given the reference's input.
        preprocessing: The pipelines, each given the same images.
        results: The results, each side with its own pipeline, network and decoder.
        decoding: The decoders, both given the reference's output.
        settings: What the specs say differently, in words.
        skipped: Images, and batches of noise, of sizes that one of the two does not take.
        drawn: Whether images were drawn, for want of others.
        worst_input: The batch N×C×H×W on which the networks differ most, for finding out where.
    """

    reference: str
    candidate: str
    precision: str
    tensors: tuple[TensorDifference, ...]
    preprocessing: PreprocessingDifference
    results: ResultsDifference
    decoding: ResultsDifference
    settings: tuple[str, ...]
    skipped: int
    drawn: bool
    worst_input: Array

    @property
    def passed(self) -> bool:
        """Whether all three stages passed."""
        return not self.causes

    @property
    def causes(self) -> tuple[str, ...]:
        """The stages that differ by themselves: pre-processing, network, post-processing.

        Results also differ because of what comes before them. They alone are named where no stage is to blame: then
        differences within tolerance have moved a pixel or a score over a threshold.
        """
        verdicts = {
            "pre-processing": self.preprocessing.passed,
            "network": all(tensor.passed for tensor in self.tensors),
            "post-processing": self.decoding.passed,
        }
        causes = tuple(name for name, passed in verdicts.items() if not passed)
        return causes or (() if self.results.passed else ("results",))


def image_name(image: ImageInput) -> str:
    """Return what an image is called: its file's name, or its size."""
    return str(image) if isinstance(image, str | Path) else f"image of {image.shape[0]}×{image.shape[1]}"
