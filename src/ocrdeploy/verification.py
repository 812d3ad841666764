"""Whether a deployed model is the model that was trained: pre-processing, network and results, told apart."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ocrdeploy.backends import Array
from ocrdeploy.comparing import DetectionDifference, RecognitionDifference, TensorDifference, Tolerance
from ocrdeploy.errors import ShapeError
from ocrdeploy.predictor import ImageInput, Predictor, check_shape
from ocrdeploy.preprocessing import Preprocessed
from ocrdeploy.results import Recognition, Result
from ocrdeploy.verification_inputs import drawn_images, noise_batches, prepare_drawn, static_shape


@dataclass(slots=True)
class PreprocessingDifference:
    """The difference of two pipelines over several images.

    Attributes:
        images: How many images were compared.
        max_abs: Largest absolute difference of the tensors; infinite where their sizes differ.
    """

    images: int = 0
    max_abs: float = 0.0

    def add(self, reference: Preprocessed, candidate: Preprocessed) -> None:
        """Compare what both made of one image."""
        self.images += 1
        if reference.tensor.shape != candidate.tensor.shape:
            self.max_abs = np.inf
        else:
            self.max_abs = max(self.max_abs, float(np.abs(reference.tensor - candidate.tensor).max(initial=0)))

    @property
    def passed(self) -> bool:
        """Whether the tensors are equal to the last bit, as they are when the same steps made them."""
        return self.max_abs == 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found.

    Attributes:
        reference: The reference's backend.
        candidate: The candidate's backend.
        tensors: The network's outputs, both sides given the reference's input.
        preprocessing: The pipelines.
        results: The decoded results, each side with its own pipeline and decoder.
        skipped: Images of sizes that a static candidate does not take.
    """

    reference: str
    candidate: str
    tensors: tuple[TensorDifference, ...]
    preprocessing: PreprocessingDifference
    results: DetectionDifference | RecognitionDifference
    skipped: int

    @property
    def passed(self) -> bool:
        """Whether all three stages passed."""
        return self.preprocessing.passed and self.results.passed and all(tensor.passed for tensor in self.tensors)


def verify(
    reference: Predictor,
    candidate: Predictor,
    images: Iterable[ImageInput],
    tolerance: Tolerance,
    on_image: Callable[[], None] = lambda: None,
) -> Comparison:
    """Compare two models.

    Each image runs alone; a dynamic candidate is then also given batches of several sizes of noise, and a batch that
    holds the first image and its mirror image. Where there is no image that a static candidate takes, one is drawn.

    Args:
        reference: What the model should be; its spec and the candidate's are each used for their own side.
        candidate: The model in question.
        images: Real images, on which results are compared as well.
        tolerance: How far the network's outputs may be apart.
        on_image: Called after each image.

    Raises:
        InputError: An image cannot be read.
        CheckError: An output is not finite.
    """
    comparer = _Comparer(reference, candidate, tolerance)
    for image in images:
        comparer.add_image(image)
        on_image()
    if comparer.preprocessing.images == 0:
        for drawn in drawn_images(candidate.spec):
            comparer.add(
                *(prepare_drawn(drawn, side.spec, static_shape(candidate.spec)) for side in (reference, candidate))
            )
    for noise in noise_batches(candidate.spec):
        comparer.add_batch(noise)
    return comparer.comparison()


class _Comparer:
    """Runs both sides and keeps the differences."""

    def __init__(self, reference: Predictor, candidate: Predictor, tolerance: Tolerance) -> None:
        self.reference = reference
        self.candidate = candidate
        self.preprocessing = PreprocessingDifference()
        self.tensor = TensorDifference(candidate.spec.outputs[0].name, tolerance)
        self.results: DetectionDifference | RecognitionDifference = (
            DetectionDifference() if reference.spec.task == "det" else RecognitionDifference()
        )
        self.skipped = 0
        self._batched = False

    def add_image(self, image: ImageInput) -> None:
        """Compare all three stages on one image."""
        self.add(self.reference.prepare(image), self.candidate.prepare(image))

    def add_batch(self, batch: Array) -> None:
        """Compare the network's outputs for one batch, and return nothing of it."""
        self._compare_outputs(batch)

    def comparison(self) -> Comparison:
        """Return what was found."""
        return Comparison(
            reference=self.reference.backend.name,
            candidate=self.candidate.backend.name,
            tensors=(self.tensor,),
            preprocessing=self.preprocessing,
            results=self.results,
            skipped=self.skipped,
        )

    def add(self, reference: Preprocessed, candidate: Preprocessed) -> None:
        """Compare all three stages on one prepared image."""
        if not _takes(self.candidate, candidate) or not _takes(self.candidate, reference):
            self.skipped += 1
            return
        self.preprocessing.add(reference, candidate)
        expected, actual = self._compare_outputs(reference.tensor[None])
        if not np.array_equal(reference.tensor, candidate.tensor):
            actual = self.candidate.infer(candidate.tensor[None])[self.candidate.spec.outputs[0].name]
        self._compare_results(
            self.reference.decode(expected, [reference])[0], self.candidate.decode(actual, [candidate])[0]
        )
        if not self._batched and not isinstance(self.candidate.spec.input.shape[0], int):
            self._batched = True
            self._compare_outputs(np.stack([reference.tensor, reference.tensor[:, :, ::-1]]))

    def _compare_outputs(self, batch: Array) -> tuple[Array, Array]:
        """Run both networks on a batch, and return both outputs."""
        expected = self.reference.infer(batch)[self.reference.spec.outputs[0].name]
        actual = self.candidate.infer(batch)[self.candidate.spec.outputs[0].name]
        self.tensor.add(expected, actual)
        return expected, actual

    def _compare_results(self, expected: Result, actual: Result) -> None:
        """Compare the decoded results of one image."""
        match self.results, expected, actual:
            case DetectionDifference() as detections, list(), list():
                detections.add(expected, actual)
            case RecognitionDifference() as recognitions, Recognition(), Recognition():
                recognitions.add(expected, actual)
            case _:
                raise TypeError("both sides of a comparison have the same task")


def _takes(predictor: Predictor, prepared: Preprocessed) -> bool:
    """Tell whether a model takes an image of this size."""
    try:
        check_shape((1, *prepared.tensor.shape), predictor.spec)
    except ShapeError:
        return False
    return True
