"""What predictors are given: images in all their forms, and the batches that networks take."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.datasets import ImageFile, ImageSource, LmdbImage, read_bytes
from ocrdeploy.errors import InputError, ShapeError
from ocrdeploy.images.reading import check_array, decode_image, read_image, to_color_type
from ocrdeploy.model_spec import OUTPUT_STRIDE, ModelSpec, shape_text
from ocrdeploy.steps import ColorType, Preprocessed

ImageInput = str | Path | NDArray[np.uint8]
"""An image's file, or the image itself: H×W×3 uint8, channels in the order BGR."""

StreamItem = ImageInput | ImageSource | Preprocessed | InputError
"""What a stream takes: an image, where one is, one that is ready, or the error that stands in the place of one."""

ImageList = list[str] | list[Path] | list[NDArray[np.uint8]] | list[ImageInput]


def item_name(item: StreamItem, index: int | None) -> str:
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


def read_pixels(image: ImageInput | ImageSource, color_type: ColorType) -> NDArray[np.uint8]:
    """Return the pixels that a pipeline starts from: H×W×3 uint8 BGR, or H×W uint8 where it reads grey images.

    Raises:
        ImageError: The image cannot be read, or is an array of another form.
    """
    match image:
        case np.ndarray():
            return to_color_type(check_array(image), color_type)
        case LmdbImage(folder, key):
            return decode_image(read_bytes(image), color_type, f"{folder}: {key}")
        case ImageFile(path):
            return read_image(path, color_type)
        case _:
            return read_image(Path(image), color_type)


def stack_batch(prepared: Sequence[Preprocessed], size: int) -> NDArray[np.float32]:
    """Return images as a batch N×C×H×W, padded to the widest of them.

    Args:
        prepared: The images, at least one.
        size: N, at least the number of images. A batch that is not full is filled up with an image that is there.
    """
    width = max(item.tensor.shape[2] for item in prepared)
    tensors = [_pad_width(item.tensor, width) for item in prepared]
    return tensors[0][None] if size == 1 else np.stack(tensors + tensors[-1:] * (size - len(tensors)))


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


def _pad_width(tensor: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return C×H×W padded at the right to a width with zeros, as MMOCR pads batches: the mean grey once normalised."""
    missing = width - tensor.shape[2]
    return np.pad(tensor, ((0, 0), (0, 0), (0, missing))) if missing else tensor
