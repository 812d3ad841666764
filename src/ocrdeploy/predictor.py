"""Predictor: image in, result out, the same on every backend."""

import contextlib
from collections.abc import Generator, Iterable, Sequence
from functools import partial
from itertools import islice
from types import TracebackType
from typing import NoReturn, Self, cast, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.backends import Array, Backend, Batch
from ocrdeploy.batch_choice import BatchChoice
from ocrdeploy.batches import as_batch, check_shape
from ocrdeploy.batching import batches_of_like_width, batches_of_one_size
from ocrdeploy.datasets import ImageSource
from ocrdeploy.decoders import Outputs
from ocrdeploy.errors import ImageError, InputError, ItemError, OcrDeployError, UsageError
from ocrdeploy.hardware import core_count
from ocrdeploy.image_inputs import (
    AnyImage,
    ColorOrder,
    ImageInput,
    ImageList,
    StreamItem,
    check_color,
    in_bgr,
    is_one_image,
    item_name,
    many_images,
    read_pixels,
)
from ocrdeploy.inference import SIDE_WORKERS, Inference
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.results import Result
from ocrdeploy.steps import Preprocessed, Step, color_type_of, output_size, preprocess
from ocrdeploy.steps.tensor_buffers import Allocate, ThreadBuffers, new_tensor
from ocrdeploy.streaming import Named, Outcome, Schedule, Stages, naming, stream_outcomes
from ocrdeploy.whole_numbers import check_batch_size, check_threads

__all__ = ["SIDE_WORKERS", "ImageInput", "Predictor", "StreamItem", "check_shape"]

SAMPLE_IMAGES = 16
"""How many images are looked at when the batch size is chosen."""

WINDOW_BATCHES = {"det": 1, "recog": 16}
"""How many batches' worth of images are looked through for images of one size.

Words come in every width, so a batch of one width is found only among many; detection images are large, and mostly
of one size as they are.
"""


class Predictor:
    """A model that is ready to use; a context manager that closes it.

    Args:
        spec: What the model takes, gives and means.
        backend: The network.
        threads: Number of cores to use, for all stages together; None takes those that this process may use.
        name: What errors call the model, such as its file.

    Attributes:
        spec: As given.
        backend: As given.
        name: As given.
        threads: Number of cores.
        color_type: How image files are read.
        inference: The network, as streams use it.
    """

    def __init__(
        self, spec: ModelSpec, backend: Backend, threads: int | None = None, name: str = "the network"
    ) -> None:
        self.spec = spec
        self.backend = backend
        self.name = name
        self.threads = check_threads(threads) or core_count()
        self.color_type = color_type_of(spec.preprocessing)
        self.inference = Inference(spec, backend, self.threads, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = ", closed" if self.inference.lifetime.is_closed else ""
        backend = self.backend
        what = f"{self.spec.architecture} on {backend.name} {backend.precision}, {backend.device}"
        return f"<Predictor of {self.name}: {what}, {self.threads} thread{'' if self.threads == 1 else 's'}{state}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied.

        Raises:
            UsageError: Always: a network cannot be sent to another process.
        """
        raise UsageError(f"the predictor of {self.name} cannot be pickled or copied", "Open it in each process.")

    def with_steps(self, steps: Sequence[Step]) -> "Predictor":
        """Return a predictor on the same backend whose images go through another pipeline; either may be closed."""
        spec = msgspec.structs.replace(self.spec, preprocessing=tuple(steps))
        return Predictor(spec, self.backend, self.threads, self.name)

    def close(self) -> None:
        """Close the backend; once it is closed, nothing happens."""
        if not self.inference.lifetime.is_closed:
            self.inference.lifetime.is_closed = True
            self.backend.close()

    @overload
    def __call__(
        self, images: AnyImage, *, color: ColorOrder = "bgr", score_threshold: float | None = None
    ) -> Result: ...

    @overload
    def __call__(
        self, images: ImageList, *, color: ColorOrder = "bgr", score_threshold: float | None = None
    ) -> list[Result]: ...

    def __call__(
        self, images: AnyImage | ImageList, *, color: ColorOrder = "bgr", score_threshold: float | None = None
    ) -> Result | list[Result]:
        """Return the result of one image, or a list of results for several images, in order.

        It may be called from several threads at a time.

        Args:
            images: An image: its file's path, the file's bytes, the file opened for reading bytes, an image of Pillow's
                or an array, H×W×3 uint8 in the order BGR, or H×W or H×W×1 uint8 in grey (which a pipeline that reads
                colour takes as an image whose channels are equal). Or a list or whatever else gives several of them.
            color: The order of the channels of arrays: `bgr`, as OpenCV has them, or `rgb`. All other images know it
                themselves.
            score_threshold: Leave out instances of text whose score is smaller, 0 to 1; for text detection alone.

        Raises:
            ImageError: An image cannot be read, or is none.
            ShapeError: The model is static and has another size.
            NonFiniteError: The network's output is not finite.
            UsageError: The predictor is closed, or an option has a value that does not exist.
        """
        self.inference.check_usable()
        self.check_threshold(score_threshold)
        check_color(color)
        if is_one_image(images):
            return above(self._predict_one(in_bgr(cast("AnyImage", images), color)), score_threshold)
        several = many_images(images)
        if isinstance(several, Sequence) and len(several) == 1:
            return [above(self._predict_one(in_bgr(several[0], color)), score_threshold)]
        return list(self.stream(several, color=color, score_threshold=score_threshold))

    def stream(
        self,
        images: Iterable[StreamItem],
        batch_size: int = 1,
        *,
        pad_batches: bool = False,
        color: ColorOrder = "bgr",
        score_threshold: float | None = None,
    ) -> Generator[Result, None, None]:
        """Yield a result an image, in order; see `stream_outcomes`, and for the other options `__call__`.

        Raises:
            OcrDeployError: The first that is wrong with an image, in its place.
        """
        self.check_threshold(score_threshold)
        check_color(color)
        turned = images if color == "bgr" or is_one_image(images) else (in_bgr(each, color) for each in images)
        results = _results(self.stream_outcomes(turned, batch_size, pad_batches=pad_batches))
        return results if score_threshold is None else (above(result, score_threshold) for result in results)

    def check_threshold(self, score_threshold: float | None) -> None:
        """Refuse a score threshold that makes no sense.

        Raises:
            UsageError: It is no number from 0 to 1, or the model reads words, each of which is a result.
        """
        if score_threshold is None:
            return
        if self.spec.task == "recog":
            raise UsageError(f"score_threshold leaves out detections, and {self.name} reads words", "Leave it out.")
        if not 0 <= score_threshold <= 1:
            raise UsageError(f"a score threshold is a number from 0 to 1, got {score_threshold}")

    def stream_outcomes(
        self, images: Iterable[StreamItem], batch_size: int = 1, *, pad_batches: bool = False
    ) -> Generator[Outcome, None, None]:
        """Yield each image's result, or the error of an image that has none, in order.

        Reading, inference and decoding of different images overlap, on `threads` cores in all; a few images a core are
        held at a time (with batches: three windows), however many there are. Images are batched with others of exactly
        their size, so a batch gives each image the result it has alone.

        Args:
            images: The images, several. They are taken from the calling thread, and the stages run in others.
            batch_size: Most images in a batch; a static model has its own number.
            pad_batches: For recognition, also batch words of different widths, padded at their right to the widest.
                That is faster and changes results, because a bidirectional LSTM reads the padding too.

        Raises:
            UsageError: The batch size is no number of images, or the predictor is closed.
            ImageError: What was given is not several images.
            MachineError: The machine lacks something, such as a device that is no longer there.
            ModelError: The network gives something else than its spec says.
        """
        size = self.inference.batch_size(check_batch_size(batch_size))
        if is_one_image(images):
            raise ImageError("a stream takes several images, and one was given", "Give it in a list.")
        pads = pad_batches and self.spec.task == "recog"
        window = 1 if size == 1 else self.window_size(batch_size)
        workers, run = self.inference.choose_run()
        # A worker that takes an image the whole way is done with its tensor before it begins the next.
        allocate = ThreadBuffers() if window == 1 and run is not None else new_tensor
        stages: Stages[StreamItem] = Stages(
            prepare=partial(self._prepare_item, allocate=allocate, beside=1 if run is None else workers),
            infer=partial(self.inference.infer, run=run),
            decode=self.decode,
            overlaps=run is not None,
        )
        batches = partial(batches_of_like_width if pads else batches_of_one_size, batch_size=size)
        named = (Named(item_name(item, index), item) for index, item in enumerate(many_images(images)))
        return stream_outcomes(named, stages, Schedule(workers, window, batches))

    def window_size(self, batch_size: int = 1) -> int:
        """Return how many images `stream` looks through at once; what follows is batched without regard to them."""
        return self.inference.batch_size(batch_size) * WINDOW_BATCHES[self.spec.task]

    def prepare(self, image: AnyImage) -> Preprocessed:
        """Read an image if it is a file, and bring it into the form that the network takes."""
        return self._prepare_item(image)

    def read(self, image: AnyImage | ImageSource) -> NDArray[np.uint8]:
        """Return the pixels that the pipeline starts from: H×W×3 uint8 BGR, or H×W uint8 where it reads grey images.

        Raises:
            ImageError: The image cannot be read, or is an array of another form.
        """
        return read_pixels(image, self.color_type)

    def preprocess(self, pixels: NDArray[np.uint8], allocate: Allocate = new_tensor) -> Preprocessed:
        """Bring an image that `read` gave into the form that the network takes, in memory that `allocate` gives."""
        return preprocess(pixels, self.spec.preprocessing, allocate)

    def warm_up(self) -> None:
        """Run the network as a stream does, once and on a small input, so that what that sets up is not measured."""
        self.inference.warm_up()

    def choose_batch_size(self, images: Iterable[StreamItem]) -> BatchChoice:
        """Return how many images `stream` had best run together: see `Inference.choose_batch_size`.

        It takes up to a second, and another measurement may choose another size; the results of a batch are those of
        its images up to the last bits of float32.

        Args:
            images: What is to be streamed, of which the first images are read; those that cannot be are passed over.
                A list or the like: what can be gone through once alone would lose these images.

        Raises:
            UsageError: The images can be gone through only once.
        """
        if iter(images) is images:
            raise UsageError(
                "a batch size is chosen by the first images, which this iterator could not give again", "Give a list."
            )
        prepared: list[Preprocessed] = []
        for item in islice(images, SAMPLE_IMAGES):
            if self.spec.task == "recog":
                with contextlib.suppress(InputError, ItemError), naming([""]):
                    prepared.append(self._prepare_item(item))
        return self.inference.choose_batch_size(prepared)

    def infer(self, batch: Array | Batch) -> dict[str, Array]:
        """Run the network.

        Args:
            batch: An array for each input that `spec.inputs` names; or the images alone, N×C×H×W float32, already
                normalised, for a network that takes nothing else.

        Returns:
            The outputs by name.

        Raises:
            ShapeError: The model does not take these inputs or shapes.
            NonFiniteError: An output holds NaN or infinity.
        """
        return self.inference.outputs(as_batch(batch, self.spec))

    def infer_prepared(self, prepared: Sequence[Preprocessed]) -> Outputs:
        """Run images as one batch, on all cores, and return what decoding reads: the outputs, an entry an image.

        Words of different widths are padded to the widest.
        """
        return self.inference.infer(prepared)

    def decode(self, outputs: Outputs, prepared: Sequence[Preprocessed]) -> list[Result]:
        """Turn what `infer_prepared` gave for images into their results, with polygons in pixels of the originals."""
        return self.spec.postprocessing.decode(outputs, prepared)

    def _predict_one(self, image: AnyImage) -> Result:
        """Return one image's result, in the calling thread, with all cores at work on each stage."""
        with naming([item_name(image, None)]):
            prepared = self.prepare(image)
            return self.decode(self.infer_prepared([prepared]), [prepared])[0]

    def _prepare_item(self, item: StreamItem, allocate: Allocate = new_tensor, beside: int = 1) -> Preprocessed:
        """Prepare an item of a stream, with so many beside it at a time."""
        match item:
            case Preprocessed():
                return item
            case OcrDeployError():
                raise item
            case _:
                pixels = self.read(item)
                size = pixels.shape[0], pixels.shape[1]
                self.inference.check_memory((1, *output_size(size, self.spec.preprocessing)), beside)
                return self.preprocess(pixels, allocate)


def above(result: Result, score_threshold: float | None) -> Result:
    """Return a result without the instances whose score is smaller than a threshold; None leaves all."""
    if score_threshold is None or not isinstance(result, list):
        return result
    return [detection for detection in result if detection.score >= score_threshold]


def _results(outcomes: Iterable[Outcome]) -> Generator[Result, None, None]:
    """Yield results until there is an error in the place of one.

    Raises:
        OcrDeployError: That error.
    """
    for outcome in outcomes:
        if isinstance(outcome, OcrDeployError):
            raise outcome
        yield outcome
