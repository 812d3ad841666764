"""Whether a deployed model is the model that was trained: pre-processing, network and results, told apart."""

from collections.abc import Callable, Sequence

import numpy as np

from ocrdeploy.backends import Array
from ocrdeploy.decoders import Outputs
from ocrdeploy.errors import NonFiniteError, ShapeError, UsageError
from ocrdeploy.predictor import ImageInput, check_shape
from ocrdeploy.results import Recognition, Result
from ocrdeploy.steps import Preprocessed

from .comparison import Case, Comparison, Side, image_name
from .inputs import (
    MAX_PIXELS,
    SEED,
    drawn_images,
    noise_inputs,
    prepare_drawn,
    sized_images,
    static_shape,
)
from .output_difference import OutputDifference
from .result_difference import DetectionDifference, RecognitionDifference, ResultsDifference
from .spec_differences import decoder_differences, pipeline_differences
from .tensor_difference import PreprocessingDifference
from .tolerances import Tolerance, ToleranceRules, score_tolerance_of_precision

__all__ = ["Case", "Comparison", "Side", "count_inputs", "verify"]


def verify(
    reference: Side,
    candidate: Side,
    images: Sequence[ImageInput],
    tolerance: Tolerance | ToleranceRules | None = None,
    on_input: Callable[[], None] = lambda: None,
    on_case: Callable[[Case], None] = lambda _case: None,
    *,
    seed: int = SEED,
    explain: Callable[[Side, Array], str] = lambda _side, _batch: "",
) -> Comparison:
    """Compare two models.

    Each image runs alone, the first one also in a batch with its mirror image; then come batches of noise, see
    `noise_inputs`. Where there is no image that both models take, some are drawn. The pipelines are compared on further
    sizes, see `sized_images`.

    Args:
        reference: What the model should be; its spec and the candidate's are each used for their own side.
        candidate: The model in question.
        images: Real images, on which results are compared as well.
        tolerance: How far the networks' outputs may be apart; by default what follows from the candidate's precision.
        on_input: Called after each image and each batch; there are `count_inputs` of them or, with drawn images, more.
        on_case: Called with each image that was compared.
        seed: Makes the noise and the drawn images.
        explain: Given a side and the batch for which its network gives NaN or infinity, returns what the error of it is
            to say beside.

    Raises:
        InputError: An image cannot be read, or the models are not for one task.
        NonFiniteError: An output is not finite; names the input.
    """
    rules = ToleranceRules() if tolerance is None else tolerance
    comparer = _Comparer(reference, candidate, rules, on_case, explain)
    for image in images:
        comparer.add_image(image)
        on_input()
    drawn = comparer.preprocessing.images == 0
    if drawn:
        specs = candidate.spec, reference.spec
        static_spec = next((spec for spec in specs if static_shape(spec)), reference.spec)
        static = static_shape(static_spec)
        for pixels in drawn_images(static_spec, seed):
            if static is None:
                comparer.add_image(pixels)
            else:
                comparer.add(pixels, *(prepare_drawn(pixels, side.spec, static) for side in (reference, candidate)))
            on_input()
    for pixels in sized_images(reference.spec, seed):
        comparer.preprocessing.add_size(reference.prepare(pixels), candidate.prepare(pixels))
    for noise in noise_inputs(reference.spec, candidate.spec, seed):
        comparer.add_batch(noise.make(), f"{noise.label} noise")
        on_input()
    return comparer.comparison(drawn=drawn)


def count_inputs(reference: Side, candidate: Side, images: Sequence[ImageInput]) -> int:
    """Return how many inputs `verify` compares if it need not draw images because those given do not fit."""
    n_images = len(images) or len(drawn_images(candidate.spec))
    return n_images + len(noise_inputs(reference.spec, candidate.spec))


class _Comparer:
    """Runs both sides and keeps the differences."""

    def __init__(
        self,
        reference: Side,
        candidate: Side,
        tolerance: Tolerance | ToleranceRules,
        on_case: Callable[[Case], None],
        explain: Callable[[Side, Array], str],
    ) -> None:
        if reference.spec.task != candidate.spec.task:
            raise UsageError(
                f"models of one task can be compared, not {reference.spec.task!r} with {candidate.spec.task!r}"
            )
        self.reference = reference
        self.candidate = candidate
        self.on_case = on_case
        self.explain = explain
        self.preprocessing = PreprocessingDifference()
        precision = candidate.backend.precision
        self.outputs = OutputDifference(
            reference.spec,
            candidate.spec,
            lambda name: tolerance if isinstance(tolerance, Tolerance) else tolerance.of(name, precision),
        )
        scores = score_tolerance_of_precision(precision)
        self.results, self.decoding = (
            DetectionDifference(scores) if reference.spec.task == "det" else RecognitionDifference(scores)
            for _ in range(2)
        )
        self.skipped = 0
        self.worst: tuple[float, Array] | None = None
        self._batched = False

    def comparison(self, *, drawn: bool) -> Comparison:
        """Return what was found."""
        specs = self.reference.spec, self.candidate.spec
        tensors = tuple(tensor for tensor in self.outputs.tensors if tensor.shapes)
        if not tensors or self.worst is None:
            shapes = (" × ".join(map(str, spec.input.shape)) for spec in specs)
            raise ShapeError(f"no input has a shape that both models take: {' and '.join(shapes)}")
        return Comparison(
            reference=self.reference.backend.name,
            candidate=self.candidate.backend.name,
            precision=self.candidate.backend.precision,
            tensors=tensors,
            preprocessing=self.preprocessing,
            results=self.results,
            decoding=self.decoding,
            settings=(*pipeline_differences(*specs), *decoder_differences(*specs)),
            skipped=self.skipped,
            drawn=drawn,
            worst_input=self.worst[1],
        )

    def add_image(self, image: ImageInput) -> None:
        """Compare all three stages on one image."""
        self.add(image, self.reference.prepare(image), self.candidate.prepare(image))

    def add(self, image: ImageInput, reference: Preprocessed, candidate: Preprocessed) -> None:
        """Compare all three stages on one prepared image."""
        if not (_takes(self.candidate, reference) and _takes(self.reference, reference)):
            self.skipped += 1
            return
        self.preprocessing.add(reference, candidate)
        label = image_name(image)
        compared = self._compare_outputs(self._batch_of(reference), label)
        if compared is None:
            return
        max_abs, expected, actual = compared
        own = actual
        if not _takes(self.candidate, candidate):
            # The fault of its pipeline is known already; the rest is compared as if it had none.
            candidate = reference
        elif not np.array_equal(reference.tensor, candidate.tensor):
            outputs = self._infer(self.candidate, self._batch_of(candidate), label)
            own = self.candidate.spec.read_outputs(outputs, 1)
        wanted = self.reference.decode(expected, [reference])[0]
        found = self.candidate.decode(own, [candidate])[0]
        _compare_results(self.results, wanted, found)
        _compare_results(self.decoding, wanted, self.candidate.decode(expected, [reference])[0])
        self.on_case(Case(image, reference, self.outputs.shown(expected, actual), (wanted, found), max_abs))
        self._add_pair(reference, label)

    def add_batch(self, batch: Array, label: str) -> None:
        """Compare the networks' outputs for one batch; a shape that one of them does not take is skipped."""
        self._compare_outputs(batch, label)

    def _add_pair(self, prepared: Preprocessed, label: str) -> None:
        """Compare the outputs for a batch of an image and its mirror image, once, if both models take such a batch."""
        fixed = any(isinstance(side.spec.input.shape[0], int) for side in (self.reference, self.candidate))
        if self._batched or fixed or prepared.tensor[0].size > MAX_PIXELS:
            return
        self._batched = True
        pair = np.stack([prepared.tensor, prepared.tensor[:, :, ::-1]])
        self._compare_outputs(pair, f"{label} and its mirror image")

    def _batch_of(self, prepared: Preprocessed) -> Array:
        """Return the batch that holds an image alone; where a model is static, as often as it takes images at once."""
        lengths = [side.spec.input.shape[0] for side in (self.reference, self.candidate)]
        n = next((length for length in lengths if isinstance(length, int)), 1)
        return np.repeat(prepared.tensor[None], n, axis=0)

    def _infer(self, side: Side, batch: Array, label: str) -> dict[str, Array]:
        """Run a network; where it gives no finite numbers, the error says on what, and what is known of it."""
        try:
            return side.infer(batch)
        except NonFiniteError as error:
            known = self.explain(side, batch)
            error.message += f"; the input is {label}" + (f"; {known}" if known else "")
            raise

    def _compare_outputs(self, batch: Array, label: str) -> tuple[float, Outputs, Outputs] | None:
        """Run both networks on a batch; return the largest difference and, of the first image, what is decoded."""
        try:
            expected, actual = (self._infer(side, batch, label) for side in (self.reference, self.candidate))
        except ShapeError:
            self.skipped += 1
            return None
        worst = self.outputs.add(expected, actual, label)
        if self.worst is None or worst > self.worst[0]:
            self.worst = worst, batch
        return worst, self.reference.spec.read_outputs(expected, 1), self.candidate.spec.read_outputs(actual, 1)


def _compare_results(difference: ResultsDifference, expected: Result, actual: Result) -> None:
    """Compare the decoded results of one image."""
    match difference, expected, actual:
        case DetectionDifference() as detections, list(), list():
            detections.add(expected, actual)
        case RecognitionDifference() as recognitions, Recognition(), Recognition():
            recognitions.add(expected, actual)
        case _:
            raise TypeError("both sides of a comparison have the same task")


def _takes(side: Side, prepared: Preprocessed) -> bool:
    """Tell whether a model takes an image of this size; a static one takes it as often as its batch is long."""
    n = side.spec.input.shape[0]
    try:
        check_shape((n if isinstance(n, int) else 1, *prepared.tensor.shape), side.spec)
    except ShapeError:
        return False
    return True
