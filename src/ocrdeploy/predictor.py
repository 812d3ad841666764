"""Predictor: image in, result out, the same on every backend."""

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.backends import Array, Backend, ParallelBackend
from ocrdeploy.batching import batches_of_like_width, batches_of_one_size
from ocrdeploy.datasets import ImageFile, ImageSource, LmdbImage, read_bytes
from ocrdeploy.errors import CheckError, InputError, ShapeError
from ocrdeploy.hardware import core_count
from ocrdeploy.images.reading import check_array, decode_image, read_image, to_color_type
from ocrdeploy.model_spec import OUTPUT_STRIDE, ModelSpec, color_type_of, shape_text
from ocrdeploy.postprocessing.decoding import decode_batch
from ocrdeploy.preprocessing import Preprocessed, preprocess
from ocrdeploy.results import Detection, Recognition, Result
from ocrdeploy.streaming import Named, Outcome, Schedule, Stages, naming, stream_outcomes

ImageInput = str | Path | NDArray[np.uint8]
"""An image's file, or the image itself: H×W×3 uint8, channels in the order BGR."""

StreamItem = ImageInput | ImageSource | Preprocessed | InputError
"""What a stream takes: an image, where one is, one that is ready, or the error that stands in the place of one."""

ImageList = list[str] | list[Path] | list[NDArray[np.uint8]] | list[ImageInput]

WARM_UP_LENGTH = 64
"""Height and width, where they are open, of the input that warms a network up."""

MAX_WORKERS = 8
"""Most images that are in work at once on the CPU: each takes the memory of a whole run of the network. With more
cores than that, each run takes several."""

SIDE_WORKERS = 2
"""Threads that read and decode beside a network that runs one batch at a time."""

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

    Attributes:
        spec: As given.
        backend: As given.
        threads: Number of cores.
        color_type: How image files are read.
    """

    def __init__(self, spec: ModelSpec, backend: Backend, threads: int | None = None) -> None:
        self.spec = spec
        self.backend = backend
        self.threads = threads or core_count()
        self.color_type = color_type_of(spec.preprocessing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the backend."""
        self.backend.close()

    @overload
    def __call__(self, images: ImageInput) -> Result: ...

    @overload
    def __call__(self, images: ImageList) -> list[Result]: ...

    def __call__(self, images: ImageInput | ImageList) -> Result | list[Result]:
        """Return the result of one image, or a list of results for a list of images, in order.

        Raises:
            ImageError: An image cannot be read, or an array is not H×W×3 uint8.
            ShapeError: The model is static and has another size.
            CheckError: The network's output is not finite.
        """
        if isinstance(images, str | Path | np.ndarray):
            return self._predict_one(images)
        if len(images) == 1:
            return [self._predict_one(images[0])]
        return list(self.stream(images))

    def stream(
        self, images: Iterable[StreamItem], batch_size: int = 1, *, pad_batches: bool = False
    ) -> Generator[Result, None, None]:
        """Yield a result an image, in order; see `stream_outcomes`.

        Raises:
            InputError: An image cannot be read.
        """
        for outcome in self.stream_outcomes(images, batch_size, pad_batches=pad_batches):
            if isinstance(outcome, InputError):
                raise outcome
            yield outcome

    def stream_outcomes(
        self, images: Iterable[StreamItem], batch_size: int = 1, *, pad_batches: bool = False
    ) -> Generator[Outcome, None, None]:
        """Yield each image's result, or the error of an image that cannot be read, in order.

        Reading, inference and decoding of different images overlap, on `threads` cores in all; a few images a core are
        held at a time (with batches: three windows), however many there are. Images are batched with others of exactly
        their size, so a batch gives each image the result it has alone.

        Args:
            images: The images. They are taken from the calling thread, and the stages run in others.
            batch_size: Most images in a batch; a static model has its own number.
            pad_batches: For recognition, also batch words of different widths, padded at their right to the widest.
                That is faster and changes results, because a bidirectional LSTM reads the padding too.

        Raises:
            OcrDeployError: Inference or decoding failed; the message names the image.
        """
        size = self._batch_size(batch_size)
        pads = pad_batches and self.spec.task == "recog"
        workers, run = self._choose_run()
        stages: Stages[StreamItem] = Stages(
            prepare=self._prepare_item,
            infer=partial(self._infer_images, self.backend.run if run is None else run),
            decode=self.decode_prepared,
            overlaps=run is not None,
        )
        batches = partial(batches_of_like_width if pads else batches_of_one_size, batch_size=size)
        window = 1 if size == 1 else self.window_size(batch_size)
        named = (Named(_name(item, index), item) for index, item in enumerate(images))
        return stream_outcomes(named, stages, Schedule(workers, window, batches))

    def window_size(self, batch_size: int = 1) -> int:
        """Return how many images `stream` looks through at once; what follows is batched without regard to them."""
        return self._batch_size(batch_size) * WINDOW_BATCHES[self.spec.task]

    def prepare(self, image: ImageInput) -> Preprocessed:
        """Read an image if it is a file, and bring it into the form that the network takes."""
        return self.preprocess(self.read(image))

    def read(self, image: ImageInput | ImageSource) -> NDArray[np.uint8]:
        """Return the pixels that the pipeline starts from: H×W×3 uint8 BGR, or H×W uint8 where it reads grey images.

        Raises:
            ImageError: The image cannot be read, or is an array of another form.
        """
        match image:
            case np.ndarray():
                return to_color_type(check_array(image), self.color_type)
            case LmdbImage(folder, key):
                return decode_image(read_bytes(image), self.color_type, f"{folder}: {key}")
            case ImageFile(path):
                return read_image(path, self.color_type)
            case _:
                return read_image(Path(image), self.color_type)

    def preprocess(self, pixels: NDArray[np.uint8]) -> Preprocessed:
        """Bring an image that `read` gave into the form that the network takes."""
        return preprocess(pixels, self.spec.preprocessing)

    def warm_up(self) -> None:
        """Run the network as a stream does, once and on a small input, so that what that sets up is not measured."""
        shape = self.spec.input.shape
        lengths = [length if isinstance(length, int) else WARM_UP_LENGTH for length in shape[1:]]
        batch = shape[0] if isinstance(shape[0], int) else 1
        _, run = self._choose_run()
        # An engine whose profiles leave this size out has warmed up when it was opened.
        with contextlib.suppress(ShapeError):
            (self.backend.run if run is None else run)(np.zeros((batch, *lengths), np.float32))

    def infer(self, batch: Array) -> dict[str, Array]:
        """Run the network.

        Args:
            batch: N×C×H×W float32, already normalised.

        Returns:
            The outputs by name.

        Raises:
            ShapeError: The model does not take this shape.
            CheckError: An output holds NaN or infinity.
        """
        return self._checked_run(self.backend.run, batch)

    def _checked_run(self, run: Callable[[Array], dict[str, Array]], batch: Array) -> dict[str, Array]:
        """Run the network by one of the backend's functions; see `infer`."""
        check_shape(batch.shape, self.spec)
        outputs = run(batch)
        for name, output in outputs.items():
            if not np.isfinite(output).all():
                raise CheckError(
                    f"the network's output {name!r} holds NaN or infinity on {self.backend.name}, so it means nothing",
                    "Check the checkpoint, or the precision that the model was built with.",
                )
        return outputs

    def decode(self, output: Array, prepared: Sequence[Preprocessed], width: int | None = None) -> list[Result]:
        """Turn the first output of a batch into results, with polygons in pixels of the original images.

        Args:
            output: What the network gave.
            prepared: The images of the batch, in its order.
            width: Width of the batch, where it is not that of the images.
        """
        width = width or prepared[0].tensor.shape[2]
        # As in MMOCR, the valid part of a word's width is that of the tensor which the network saw.
        valid_ratios = [item.resized_shape[1] / width for item in prepared]
        decoded: Sequence[list[Detection] | Recognition] = decode_batch(output, self.spec.postprocessing, valid_ratios)
        return [_to_original(result, item) for result, item in zip(decoded, prepared, strict=True)]

    def infer_prepared(self, prepared: Sequence[Preprocessed]) -> Array:
        """Run images as one batch, on all cores, and return the network's first output: N×..., an entry an image.

        Words of different widths are padded to the widest.
        """
        return self._infer_images(self.backend.run, prepared)

    def decode_prepared(self, output: Array, prepared: Sequence[Preprocessed]) -> list[Result]:
        """Turn what `infer_prepared` gave for images into their results; see `decode`."""
        return self.decode(output, prepared, max(item.tensor.shape[2] for item in prepared))

    def _batch_size(self, wanted: int) -> int:
        """Return the batch size to use: a static model has its own."""
        fixed = self.spec.input.shape[0]
        return fixed if isinstance(fixed, int) else wanted

    def _choose_run(self) -> tuple[int, Callable[[Array], dict[str, Array]] | None]:
        """Return how many threads a stream has, and how each runs the network; None where one does for all."""
        workers = min(self.threads, MAX_WORKERS)
        run = self.backend.parallel_run(workers) if isinstance(self.backend, ParallelBackend) else None
        return (SIDE_WORKERS, None) if run is None else (workers, run)

    def _predict_one(self, image: ImageInput) -> Result:
        """Return one image's result, in the calling thread, with all cores at work on each stage."""
        with naming([_name(image, None)]):
            prepared = self.prepare(image)
            return self.decode_prepared(self.infer_prepared([prepared]), [prepared])[0]

    def _prepare_item(self, item: StreamItem) -> Preprocessed:
        """Prepare an item of a stream."""
        match item:
            case Preprocessed():
                return item
            case InputError():
                raise item
            case _:
                return self.preprocess(self.read(item))

    def _infer_images(self, run: Callable[[Array], dict[str, Array]], prepared: Sequence[Preprocessed]) -> Array:
        """Run images as one batch, padded to the widest, and return the network's first output."""
        width = max(item.tensor.shape[2] for item in prepared)
        tensors = [_pad_width(item.tensor, width) for item in prepared]
        missing = self._batch_size(len(tensors)) - len(tensors)
        # A static batch is filled up with an image that is there; what it gives is dropped.
        batch = tensors[0][None] if len(tensors) + missing == 1 else np.stack(tensors + tensors[-1:] * missing)
        return self._checked_run(run, batch)[self.spec.outputs[0].name][: len(tensors)]


def check_shape(shape: tuple[int, ...], spec: ModelSpec) -> None:
    """Refuse a batch that the model does not take.

    Raises:
        ShapeError: Names the shape that was expected and the one that was got.
    """
    expected = spec.input.shape
    fits = len(shape) == len(expected) and all(
        not isinstance(length, int) or length == actual for length, actual in zip(expected, shape, strict=True)
    )
    if not fits:
        raise ShapeError(
            f"the model's input {spec.input.name!r} has shape {shape_text(expected)}, got {shape_text(shape)}",
            "Export the model with --dynamic to run images of other sizes.",
        )
    if spec.task == "det" and any(length % OUTPUT_STRIDE for length in shape[2:]):
        raise ShapeError(
            f"height and width must be multiples of {OUTPUT_STRIDE}, got {shape_text(shape)}",
            f"Pad the image at its right and bottom to the next multiple of {OUTPUT_STRIDE}.",
        )


def _name(item: StreamItem, index: int | None) -> str:
    """Return what errors call an image: its file, or its place among the images that were given, from 1."""
    match item:
        case ImageFile(path):
            return str(path)
        case LmdbImage(folder, key):
            return f"{folder}: {key}"
        case str() | Path():
            return str(item)
        case InputError():
            return ""
    return "" if index is None else f"image {index + 1}"


def _pad_width(tensor: Array, width: int) -> Array:
    """Return C×H×W padded at the right to a width with zeros, as MMOCR pads batches: the mean grey once normalised."""
    missing = width - tensor.shape[2]
    return np.pad(tensor, ((0, 0), (0, 0), (0, missing))) if missing else tensor


def _to_original(result: list[Detection] | Recognition, prepared: Preprocessed) -> Result:
    """Bring polygons from the network's input to the original image; padding is at the right and bottom."""
    if isinstance(result, Recognition) or prepared.scale_factor is None:
        return result
    inverse = 1 / prepared.scale_factor
    return [Detection(item.polygon * inverse, item.score) for item in result]
