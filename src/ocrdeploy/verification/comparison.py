"""What a comparison of two models is between, and what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from ocrdeploy.backends import Array, Batch
from ocrdeploy.decoders import Outputs
from ocrdeploy.hardware import Device
from ocrdeploy.model_spec import ModelSpec, ShapeProfile
from ocrdeploy.predictor import ImageInput
from ocrdeploy.results import Result
from ocrdeploy.steps import Preprocessed

from .result_difference import ResultsDifference
from .tensor_difference import PreprocessingDifference, TensorDifference
from .tolerances import PrecisionRule, coarser, rule_of


class BackendFacts(Protocol):
    """What is told of the runtime of one side: its name, the number format that it computes in, and where it runs."""

    @property
    def name(self) -> str:
        """Such as `torch`, `onnxruntime`, `tensorrt` or `mmocr`."""
        ...

    @property
    def precision(self) -> str:
        """Such as `fp32` or `fp16`."""
        ...

    @property
    def device(self) -> Device:
        """Where it runs."""
        ...

    @property
    def tf32(self) -> bool:
        """Whether it may compute float32 products in TF32."""
        ...


@runtime_checkable
class Profiled(Protocol):
    """A backend that takes the shapes of some profiles alone, as an engine does."""

    @property
    def profiles(self) -> tuple[ShapeProfile, ...]:
        """The shapes."""
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

    def infer(self, batch: Batch, /) -> dict[str, Array]:
        """Run the network on arrays for its inputs; the outputs have the names in `spec.outputs`.

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


@dataclass(frozen=True, slots=True)
class SideFacts:
    """What one side computed with.

    Attributes:
        backend: Such as `torch`, `onnxruntime`, `tensorrt` or `mmocr`.
        precision: Such as `fp32` or `fp16`.
        device: Such as `cpu` or `cuda:0`.
        tf32: Whether float32 products were computed in TF32.
    """

    backend: str
    precision: str
    device: str
    tf32: bool = False

    @property
    def text(self) -> str:
        """All of it in words."""
        return f"{self.backend} {self.precision}{' with TF32' if self.tf32 else ''} on {self.device}"

    @property
    def rule(self) -> PrecisionRule:
        """What its number format allows."""
        return rule_of(self.precision, tf32=self.tf32)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An image that was not compared.

    Attributes:
        image: What it is called.
        reason: Why, in words.
    """

    image: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What was found.

    Attributes:
        reference: What the reference computed with.
        candidate: What the candidate computed with.
        rule: What is allowed: the coarser number format of both decides.
        tensors: The networks' outputs, both sides given the reference's input.
        preprocessing: The pipelines, each given the same images.
        results: The results, each side with its own pipeline, network and decoder.
        decoding: The decoders, both given the reference's output, and made-up outputs.
        pipeline_settings: What the specs say differently of pre-processing, in words.
        decoder_settings: What they say differently of post-processing.
        given: How many images were given.
        left_out: Those of them whose size one of the two does not take.
        unreadable: Those of them that cannot be read.
        batches_left_out: Batches of noise, and drawn images, of sizes that one of the two does not take.
        drawn: Whether images were drawn, for want of others.
        worst_input: The batch of images on which the networks differ most, for finding out where.
    """

    reference: SideFacts
    candidate: SideFacts
    rule: PrecisionRule
    tensors: tuple[TensorDifference, ...]
    preprocessing: PreprocessingDifference
    results: ResultsDifference
    decoding: ResultsDifference
    pipeline_settings: tuple[str, ...]
    decoder_settings: tuple[str, ...]
    given: int
    left_out: tuple[LeftOut, ...]
    unreadable: tuple[LeftOut, ...]
    batches_left_out: int
    drawn: bool
    worst_input: Sequence[Preprocessed]

    @property
    def passed(self) -> bool:
        """Whether there was something to judge by, and it passed."""
        return not self.causes

    @property
    def settings(self) -> tuple[str, ...]:
        """What the specs say differently, in words."""
        return (*self.pipeline_settings, *self.decoder_settings)

    @property
    def skipped(self) -> int:
        """Images, and batches of noise, of sizes that one of the two does not take."""
        return len(self.left_out) + self.batches_left_out

    @property
    def shows_nothing(self) -> bool:
        """Whether there is nothing to judge by.

        That is so where no image was compared, or none of those given; and where results alone are judged, if neither
        side found any.
        """
        none = self.results.images == 0 or (self.given > 0 and self.drawn)
        return none or not (self.rule.judges_tensors or self.results.compared)

    @property
    def pipelines_agree(self) -> bool:
        """Whether pre-processing is the same by its settings and by what it makes of images."""
        return self.preprocessing.passed and not self.pipeline_settings

    @property
    def networks_agree(self) -> bool | None:
        """Whether all outputs are within tolerance; None where that is told only."""
        verdicts = [tensor.passed for tensor in self.tensors]
        return False if False in verdicts else None if None in verdicts else True

    @property
    def decoders_agree(self) -> bool:
        """Whether post-processing is the same by its settings and by what it makes of outputs."""
        return self.decoding.passed and not self.decoder_settings

    @property
    def causes(self) -> tuple[str, ...]:
        """The stages that differ by themselves: pre-processing, network, post-processing; and images that fail.

        Results also differ because of what comes before them. They alone are named where no stage is to blame: then
        differences within tolerance have moved a pixel or a score over a threshold, or tensors are not judged.
        """
        verdicts = {
            "images": not (self.shows_nothing or self.unreadable),
            "pre-processing": self.pipelines_agree,
            "network": self.networks_agree is not False,
            "post-processing": self.decoders_agree,
        }
        causes = tuple(name for name, passed in verdicts.items() if not passed)
        blamed = any(cause != "images" for cause in causes)
        return causes if blamed or self.results.passed else (*causes, "results")

    @property
    def notes(self) -> tuple[str, ...]:
        """What the verdict does not say, in words."""
        sides = (("reference", self.reference), ("candidate", self.candidate))
        return tuple(
            f"the {name} is a float16 model on a CPU, where ONNX Runtime keeps float32 between its nodes: it is judged "
            "for the rounding of its weights only, and may overflow on hardware that computes in float16"
            for name, side in sides
            if (side.backend, side.precision, side.device) == ("onnxruntime", "fp16", "cpu")
        )


def facts_of(side: Side) -> SideFacts:
    """Return what a side computes with."""
    backend = side.backend
    return SideFacts(backend.name, backend.precision, str(backend.device), backend.tf32)


def rule_of_sides(reference: Side, candidate: Side) -> PrecisionRule:
    """Return what two sides may differ by: what the coarser number format of both allows."""
    return coarser(facts_of(reference).rule, facts_of(candidate).rule)


def image_name(image: ImageInput) -> str:
    """Return what an image is called: its file's name, or its size."""
    return str(image) if isinstance(image, str | Path) else f"image of {image.shape[0]}×{image.shape[1]}"
