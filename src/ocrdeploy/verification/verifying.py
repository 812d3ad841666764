"""Whether a deployed model is the model that was trained: pre-processing, network and results, told apart."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ocrdeploy.backends import Array, Batch
from ocrdeploy.batches import check_shape, make_batch
from ocrdeploy.decoders import Outputs
from ocrdeploy.errors import ImageError, NonFiniteError, ShapeError, UsageError
from ocrdeploy.predictor import ImageInput
from ocrdeploy.results import Recognition, Result
from ocrdeploy.spec_differences import decoder_differences, pipeline_differences
from ocrdeploy.steps import Preprocessed

from .comparison import Case, Comparison, LeftOut, Profiled, Side, facts_of, image_name, rule_of_sides
from .inputs import (
    MAX_PIXELS,
    SEED,
    NoiseInput,
    Pixels,
    Shape,
    drawn_images,
    made_up_outputs,
    noise_inputs,
    prepare_drawn,
    sized_images,
    static_shape,
)
from .output_difference import OutputDifference
from .result_difference import DetectionDifference, RecognitionDifference, ResultsDifference
from .tensor_difference import PreprocessingDifference
from .tolerances import ResultTolerance, Tolerance, ToleranceRules

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
    explain: Callable[[Side, Batch], str] = lambda _side, _batch: "",
) -> Comparison:
    """Compare two models.

    Each image runs alone, the first one also in a batch with its mirror image; then come batches of noise, see
    `noise_inputs`. Where there is no image that both models take, some are drawn; but if images were given, that fails.
    The pipelines are compared on further sizes, see `sized_images`, and the decoders on made-up outputs, see
    `made_up_outputs`. Settings of pre- and post-processing that differ fail by themselves.

    Args:
        reference: What the model should be; its spec and the candidate's are each used for their own side.
        candidate: The model in question.
        images: Real images, on which results are compared as well.
        tolerance: How far the networks' outputs may be apart; by default what follows from the coarser precision of
            both.
        on_input: Called after each image and each batch; there are `count_inputs` of them or, with drawn images, more.
        on_case: Called with each image that was compared.
        seed: Makes the noise and the drawn images.
        explain: Given a side and the batch for which its network gives NaN or infinity, returns what the error of it is
            to say beside.

    Raises:
        InputError: No image can be read, or the models are not for one task.
        NonFiniteError: An output is not finite; names the input.
    """
    rules = ToleranceRules() if tolerance is None else tolerance
    comparer = _Comparer(reference, candidate, rules, on_case, explain)
    for image in images:
        comparer.add_image(image)
        on_input()
    drawn = comparer.results.images == 0
    if drawn:
        comparer.refuse_unreadable()
        specs = candidate.spec, reference.spec
        static_spec = next((spec for spec in specs if static_shape(spec)), reference.spec)
        static = static_shape(static_spec)
        for pixels in drawn_images(static_spec, seed):
            comparer.add_drawn(pixels, static)
            on_input()
    for pixels in sized_images(reference.spec, seed):
        comparer.preprocessing.add_size(reference.prepare(pixels), candidate.prepare(pixels))
    for output, prepared in made_up_outputs(reference.spec, candidate.spec):
        comparer.compare_decoders(output, prepared)
    for noise in _noise(reference, candidate, seed):
        comparer.add_batch(noise.make(), f"{noise.label} noise")
        on_input()
    return comparer.comparison(given=len(images), drawn=drawn)


def count_inputs(reference: Side, candidate: Side, images: Sequence[ImageInput]) -> int:
    """Return how many inputs `verify` compares if it need not draw images because those given do not fit."""
    n_images = len(images) or len(drawn_images(candidate.spec))
    return n_images + len(_noise(reference, candidate))


def _noise(reference: Side, candidate: Side, seed: int = SEED) -> list[NoiseInput]:
    """Return the batches of noise that two sides are compared on."""
    backends = reference.backend, candidate.backend
    profiles = [profile for backend in backends if isinstance(backend, Profiled) for profile in backend.profiles]
    return noise_inputs(reference.spec, candidate.spec, seed, profiles)


class _Comparer:
    """Runs both sides and keeps the differences."""

    def __init__(
        self,
        reference: Side,
        candidate: Side,
        tolerance: Tolerance | ToleranceRules,
        on_case: Callable[[Case], None],
        explain: Callable[[Side, Batch], str],
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
        self.rule = rule_of_sides(reference, candidate)
        self.outputs = OutputDifference(
            reference.spec,
            candidate.spec,
            lambda name: tolerance if isinstance(tolerance, Tolerance) else tolerance.of(name, self.rule),
            judged=self.rule.judges_tensors,
        )
        allowed = self.rule.results if isinstance(tolerance, Tolerance) else tolerance.of_results(self.rule)
        is_detector = reference.spec.task == "det"
        # Decoders are given the same numbers, so no number format is an excuse.
        self.results, self.decoding = (
            DetectionDifference(bounds) if is_detector else RecognitionDifference(bounds)
            for bounds in (allowed, ResultTolerance())
        )
        self.left_out: list[LeftOut] = []
        self.unreadable: list[LeftOut] = []
        self.batches_left_out = 0
        self.first_unreadable: ImageError | None = None
        self.worst: tuple[float, Sequence[Preprocessed]] | None = None
        self._batched = False

    def comparison(self, *, given: int, drawn: bool) -> Comparison:
        """Return what was found."""
        specs = self.reference.spec, self.candidate.spec
        tensors = tuple(tensor for tensor in self.outputs.tensors if tensor.shapes)
        if not tensors or self.worst is None:
            shapes = (" × ".join(map(str, spec.input.shape)) for spec in specs)
            raise ShapeError(f"no input has a shape that both models take: {' and '.join(shapes)}")
        return Comparison(
            reference=facts_of(self.reference),
            candidate=facts_of(self.candidate),
            rule=self.rule,
            tensors=tensors,
            preprocessing=self.preprocessing,
            results=self.results,
            decoding=self.decoding,
            pipeline_settings=tuple(pipeline_differences(*specs)),
            decoder_settings=tuple(decoder_differences(*specs)),
            given=given,
            left_out=tuple(self.left_out),
            unreadable=tuple(self.unreadable),
            batches_left_out=self.batches_left_out,
            drawn=drawn,
            worst_input=self.worst[1],
        )

    def add_image(self, image: ImageInput) -> None:
        """Compare all three stages on one image; one that cannot be read, or is not taken, is kept in mind."""
        try:
            reference, candidate = self.reference.prepare(image), self.candidate.prepare(image)
        except ImageError as error:
            self.first_unreadable = self.first_unreadable or error
            self.unreadable.append(LeftOut(image_name(image), str(error)))
            return
        try:
            self._add(image, reference, candidate)
        except ShapeError as error:
            self.left_out.append(LeftOut(image_name(image), error.message))

    def add_drawn(self, pixels: Pixels, static: Shape | None) -> None:
        """Compare all three stages on a drawn image; see `prepare_drawn`."""
        sides = self.reference, self.candidate
        try:
            if static is None:
                self._add(pixels, *(side.prepare(pixels) for side in sides))
            else:
                self._add(pixels, *(prepare_drawn(pixels, side.spec, static) for side in sides))
        except ShapeError:
            self.batches_left_out += 1

    def refuse_unreadable(self) -> None:
        """Raise the error of the first image that cannot be read, if none of them can."""
        if self.first_unreadable is not None and not self.left_out:
            raise self.first_unreadable

    def add_batch(self, batch: Sequence[Preprocessed], label: str) -> None:
        """Compare the networks' outputs for one batch of images; a shape that one of them does not take is skipped."""
        try:
            self._compare_outputs(batch, label)
        except ShapeError:
            self.batches_left_out += 1

    def compare_decoders(self, outputs: Outputs, prepared: Preprocessed) -> Result:
        """Compare what both decoders make of one image's outputs; return what the reference's makes of them."""
        wanted, found = (side.decode(outputs, [prepared])[0] for side in (self.reference, self.candidate))
        _compare_results(self.decoding, wanted, found)
        return wanted

    def _add(self, image: ImageInput, reference: Preprocessed, candidate: Preprocessed) -> None:
        """Compare all three stages on one prepared image.

        Raises:
            ShapeError: One side's network does not take it.
        """
        self.preprocessing.add(reference, candidate)
        for side in (self.candidate, self.reference):
            _check_takes(side, reference)
        label = image_name(image)
        max_abs, expected, actual = self._compare_outputs(self._batch_of(reference), label)
        wanted = self.compare_decoders(expected, reference)
        own, taken = actual, candidate
        if not np.array_equal(reference.tensor, candidate.tensor):
            try:
                _check_takes(self.candidate, candidate)
                outputs = self._infer(self.candidate, self._batch_of(candidate), label)
                own = self.candidate.spec.read_outputs(outputs, 1)
            except ShapeError:
                # The fault of its pipeline is known already; the rest is compared as if it had none.
                taken = reference
        found = self.candidate.decode(own, [taken])[0]
        _compare_results(self.results, wanted, found)
        self.on_case(Case(image, reference, self.outputs.shown(expected, actual), (wanted, found), max_abs))
        self._add_pair(reference, label)

    def _add_pair(self, prepared: Preprocessed, label: str) -> None:
        """Compare the outputs for a batch of an image and its mirror image, once, if both models take such a batch."""
        fixed = any(isinstance(side.spec.input.shape[0], int) for side in (self.reference, self.candidate))
        if self._batched or fixed or prepared.tensor[0].size > MAX_PIXELS:
            return
        self._batched = True
        mirrored = replace(prepared, tensor=prepared.tensor[:, :, ::-1])
        self.add_batch([prepared, mirrored], f"{label} and its mirror image")

    def _batch_of(self, prepared: Preprocessed) -> list[Preprocessed]:
        """Return the batch that holds an image alone; where a model is static, as often as it takes images at once."""
        lengths = [side.spec.input.shape[0] for side in (self.reference, self.candidate)]
        n = next((length for length in lengths if isinstance(length, int)), 1)
        return [prepared] * n

    def _infer(self, side: Side, images: Sequence[Preprocessed], label: str) -> dict[str, Array]:
        """Run a network; where it gives no finite numbers, the error says on what, and what is known of it."""
        batch = make_batch(images, side.spec, len(images))
        try:
            return side.infer(batch)
        except NonFiniteError as error:
            known = self.explain(side, batch)
            error.message += f"; the input is {label}" + (f"; {known}" if known else "")
            raise

    def _compare_outputs(self, batch: Sequence[Preprocessed], label: str) -> tuple[float, Outputs, Outputs]:
        """Run both networks on a batch; return the largest difference and, of the first image, what is decoded.

        Raises:
            ShapeError: One of them does not take the shape.
        """
        expected, actual = (self._infer(side, batch, label) for side in (self.reference, self.candidate))
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


def _check_takes(side: Side, prepared: Preprocessed) -> None:
    """Raise ShapeError unless a model takes an image of this size; a static one takes it as often as it is long."""
    n = side.spec.input.shape[0]
    check_shape((n if isinstance(n, int) else 1, *prepared.tensor.shape), side.spec)
