"""Predictor: image in, result out, the same on every backend."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.backends import Array, Backend
from ocrdeploy.batching import batches_of_like_width, batches_of_one_size
from ocrdeploy.datasets import ImageFile, ImageSource, LmdbImage, read_bytes
from ocrdeploy.errors import CheckError, ShapeError
from ocrdeploy.images import check_array, decode_image, read_image, to_color_type
from ocrdeploy.model_spec import LoadImageFromFile, ModelSpec
from ocrdeploy.postprocessing.decoding import decode_batch
from ocrdeploy.preprocessing import Preprocessed, preprocess
from ocrdeploy.results import Detection, Recognition, Result

ImageInput = str | Path | NDArray[np.uint8]
"""An image's file, or the image itself: H×W×3 uint8, channels in the order BGR."""

ImageList = list[str] | list[Path] | list[NDArray[np.uint8]] | list[ImageInput]

OUTPUT_STRIDE = 32
"""Detectors take heights and widths that are multiples of it: their deepest feature map is 1/32 of the image."""

WARM_UP_LENGTH = 64
"""Height and width, where they are open, of the input that warms a network up."""

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

    Attributes:
        spec: As given.
        backend: As given.
        color_type: How image files are read.
    """

    def __init__(self, spec: ModelSpec, backend: Backend) -> None:
        self.spec = spec
        self.backend = backend
        first = spec.preprocessing[0]
        self.color_type = first.color_type if isinstance(first, LoadImageFromFile) else "color"

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
            return next(self.stream([images]))
        return list(self.stream(images))

    def stream(
        self, images: Iterable[ImageInput], batch_size: int = 1, *, pad_batches: bool = False
    ) -> Iterator[Result]:
        """Yield a result an image, in order, without holding more than a window of images; see `stream_prepared`."""
        return self.stream_prepared(map(self.prepare, images), batch_size, pad_batches=pad_batches)

    def stream_prepared(
        self, prepared: Iterable[Preprocessed], batch_size: int = 1, *, pad_batches: bool = False
    ) -> Iterator[Result]:
        """Yield a result for each preprocessed image, in order.

        Images are batched with others of exactly their size, so a batch gives each image the result it has alone.

        Args:
            prepared: The images.
            batch_size: Most images in a batch; a static model has its own number.
            pad_batches: For recognition, also batch words of different widths, padded at their right to the widest.
                That is faster and changes results, because a bidirectional LSTM reads the padding too.
        """
        iterator = iter(prepared)
        size = self._batch_size(batch_size)
        pads = pad_batches and self.spec.task == "recog"
        while window := list(islice(iterator, size * WINDOW_BATCHES[self.spec.task])):
            results: list[Result | None] = [None] * len(window)
            shapes = [item.tensor.shape for item in window]
            for members in batches_of_like_width(shapes, size) if pads else batches_of_one_size(shapes, size):
                decoded = self._predict_batch([window[index] for index in members])
                for index, result in zip(members, decoded, strict=True):
                    results[index] = result
            yield from (result for result in results if result is not None)

    def prepare(self, image: ImageInput) -> Preprocessed:
        """Read an image if it is a file, and bring it into the form that the network takes."""
        if isinstance(image, np.ndarray):
            check_array(image)
            pixels = to_color_type(image, self.color_type)
        else:
            pixels = read_image(Path(image), self.color_type)
        return preprocess(pixels, self.spec.preprocessing)

    def prepare_source(self, source: ImageSource) -> Preprocessed:
        """Read an image of a data set, and bring it into the form that the network takes."""
        match source:
            case ImageFile(path):
                return self.prepare(path)
            case LmdbImage(folder, key):
                pixels = decode_image(read_bytes(source), self.color_type, f"{folder}: {key}")
                return preprocess(pixels, self.spec.preprocessing)

    def warm_up(self) -> None:
        """Run the network once on a small input, so that what the first run sets up is not measured."""
        shape = self.spec.input.shape
        lengths = [length if isinstance(length, int) else WARM_UP_LENGTH for length in shape[1:]]
        batch = shape[0] if isinstance(shape[0], int) else 1
        self.backend.run(np.zeros((batch, *lengths), np.float32))

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
        check_shape(batch.shape, self.spec)
        outputs = self.backend.run(batch)
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

    def _batch_size(self, wanted: int) -> int:
        """Return the batch size to use: a static model has its own."""
        fixed = self.spec.input.shape[0]
        return fixed if isinstance(fixed, int) else wanted

    def _predict_batch(self, prepared: Sequence[Preprocessed]) -> list[Result]:
        """Run images of one size through the network and decode them."""
        width = max(item.tensor.shape[2] for item in prepared)
        tensors = [_pad_width(item.tensor, width) for item in prepared]
        missing = self._batch_size(len(tensors)) - len(tensors)
        # A static batch is filled up with an image that is there; what it gives is dropped.
        batch = tensors[0][None] if len(tensors) + missing == 1 else np.stack(tensors + tensors[-1:] * missing)
        output = self.infer(batch)[self.spec.outputs[0].name]
        return self.decode(output[: len(tensors)], prepared, width)


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
            f"the model's input {spec.input.name!r} has shape {_shape_text(expected)}, got {_shape_text(shape)}",
            "Export the model with --dynamic to run images of other sizes.",
        )
    if spec.task == "det" and any(length % OUTPUT_STRIDE for length in shape[2:]):
        raise ShapeError(
            f"height and width must be multiples of {OUTPUT_STRIDE}, got {_shape_text(shape)}",
            f"Pad the image at its right and bottom to the next multiple of {OUTPUT_STRIDE}.",
        )


def _shape_text(shape: Sequence[int | str]) -> str:
    """Return a shape as N×C×H×W."""
    return "×".join(str(length) for length in shape)


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
