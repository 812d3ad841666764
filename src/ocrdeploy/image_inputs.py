"""What predictors are given: images in all their forms, and the batches that networks take."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Union, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.datasets import ImageFile, ImageSource, LmdbImage, read_bytes
from ocrdeploy.errors import ImageError, OcrDeployError, ShapeError
from ocrdeploy.images.arrays import check_array, is_pil_image, pil_pixels, to_color_type
from ocrdeploy.images.reading import MAX_BYTES, decode_image, read_image
from ocrdeploy.model_spec import ModelSpec, shape_text
from ocrdeploy.steps import ColorType, Preprocessed

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage


@runtime_checkable
class OpenFile(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most so many bytes."""
        ...


ImageInput = str | Path | NDArray[np.uint8]
"""An image that can be read again: its file's path, or an array: H×W×3 uint8 in the order BGR, or H×W or H×W×1 uint8 in
grey."""

AnyImage = Union[ImageInput, os.PathLike[str], bytes, bytearray, memoryview, OpenFile, "PilImage"]
"""An image: also the file's bytes, the file opened for reading bytes, or an image of Pillow's."""

ImageList = (
    list[str] | list[Path] | list[NDArray[np.uint8]] | list[AnyImage] | tuple[AnyImage, ...] | Iterator[AnyImage]
)
"""Several images."""

StreamItem = AnyImage | ImageSource | Preprocessed | OcrDeployError
"""What a stream takes: an image, where one is, one that is ready, or the error that stands in the place of one."""

Encoded = bytes | bytearray | memoryview
KINDS = "a path, encoded bytes, a file opened for reading bytes, an image of Pillow's or an array H x W x 3 of uint8"


def is_one_image(given: object) -> bool:
    """Tell whether this is one image, and not several."""
    return isinstance(
        given, str | os.PathLike | Encoded | np.ndarray | OpenFile | ImageFile | LmdbImage
    ) or is_pil_image(given)


def many_images(given: object) -> Iterable[StreamItem]:
    """Return several images: a list, a tuple, or whatever gives one after the other.

    Raises:
        ImageError: It is nothing of the kind.
    """
    # Arrays of other libraries give their rows, and what is a set has no order.
    is_other = isinstance(given, Mapping | Set) or hasattr(given, "__array__")
    if is_other or not isinstance(given, Iterable):
        raise _no_image(given)
    return given


def item_name(item: StreamItem, index: int | None) -> str:
    """Return what errors call an image: its file, or its place among the images that were given, from 1."""
    match item:
        case ImageFile(path):
            return str(path)
        case LmdbImage(folder, key):
            return f"{folder}: {key}"
        case str() | os.PathLike():
            return os.fspath(item) or "an image without a name"
        case OcrDeployError():
            return ""
    return "" if index is None else f"image {index + 1}"


def read_pixels(image: AnyImage | ImageSource, color_type: ColorType) -> NDArray[np.uint8]:
    """Return the pixels that a pipeline starts from: H×W×3 uint8 BGR, or H×W uint8 where it reads grey images.

    Raises:
        ImageError: The image cannot be read, or is none.
    """
    match image:
        case np.ndarray():
            return to_color_type(check_array(image), color_type)
        case _ if is_pil_image(image):
            return to_color_type(pil_pixels(image, color_type), color_type)
        case ImageFile(path):
            return read_image(path, color_type)
        case str() | os.PathLike() if image != "":
            return read_image(Path(image), color_type)
    data, origin = _encoded(image)
    return decode_image(data, color_type, origin)


def _encoded(image: AnyImage | ImageSource) -> tuple[bytes, str]:
    """Return the bytes of an image's file, and where they are.

    Raises:
        ImageError: It is no image.
    """
    match image:
        case LmdbImage(folder, key):
            return read_bytes(image), f"{folder}: {key}"
        case "":
            raise ImageError("an image file was expected, and its name is empty", "Name a file.")
        case bytes() | bytearray() | memoryview():
            return bytes(image), "in memory"
        case OpenFile():
            return _read_open_file(image), str(getattr(image, "name", "in an open file"))
    raise _no_image(image)


def _read_open_file(file: OpenFile) -> bytes:
    """Return what is left in a file, which is not closed."""
    data = file.read(MAX_BYTES + 1)
    if not isinstance(data, bytes):
        raise ImageError(
            f"an image file gives bytes, and this one gave {type(data).__name__}", "Open it for reading bytes: 'rb'."
        )
    if len(data) > MAX_BYTES:
        raise ImageError(f"an image file has at most {MAX_BYTES} bytes, and this one more", "Scale it down.")
    return data


def _no_image(given: object) -> ImageError:
    return ImageError(f"an image is {KINDS}, got {type(given).__name__}", "Give several images as a list.")


def stack_batch(prepared: Sequence[Preprocessed], size: int) -> NDArray[np.float32]:
    """Return images as a batch N×C×H×W, padded to the widest of them.

    Args:
        prepared: The images, at least one.
        size: N, at least the number of images. A batch that is not full is filled up with an image that is there.

    Raises:
        ShapeError: There are more images than that, or none, or they differ in height.
    """
    if not 1 <= len(prepared) <= size:
        raise ShapeError(f"a batch of this model holds 1 to {size} images, got {len(prepared)}")
    if len({item.tensor.shape[:2] for item in prepared}) > 1:
        shapes = ", ".join(shape_text(item.tensor.shape) for item in prepared)
        raise ShapeError(f"the images of one batch have one height and number of channels, got {shapes}")
    width = max(item.tensor.shape[2] for item in prepared)
    tensors = [_pad_width(item.tensor, width) for item in prepared]
    return tensors[0][None] if size == 1 else np.stack(tensors + tensors[-1:] * (size - len(tensors)))


def check_batch(batch: object, spec: ModelSpec) -> None:
    """Refuse what is no batch for the model: by its type, the type of its elements, or its shape.

    Raises:
        ShapeError: Names what was expected and what was got.
    """
    if not isinstance(batch, np.ndarray) or batch.dtype.name != spec.input.dtype:
        got = f"{batch.dtype}" if isinstance(batch, np.ndarray) else type(batch).__name__
        raise ShapeError(
            f"the model's input {spec.input.name!r} is an array of {spec.input.dtype}, got {got}",
            f"Convert it with numpy.asarray(batch, numpy.{spec.input.dtype}).",
        )
    check_shape(batch.shape, spec)


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
            _remedy(shape, spec),
        )
    if min(shape) < 1:
        raise ShapeError(f"a batch holds at least one image of one pixel, got {shape_text(shape)}")
    multiple = spec.size_multiple
    if any(length % multiple for length in shape[2:]):
        raise ShapeError(
            f"height and width must be multiples of {multiple}, got {shape_text(shape)}",
            f"Pad the image at its right and bottom to the next multiple of {multiple}.",
        )
    least = spec.input.least_width
    if least is not None and shape[3] < least:
        raise ShapeError(f"the model reads images at least {least} wide, got {shape_text(shape)}")


def _remedy(shape: tuple[int, ...], spec: ModelSpec) -> str:
    """Return what to do about a shape that a model does not take: --dynamic opens batch and sizes, but not channels."""
    opened = (0, 2, 3) if spec.task == "det" else (0, 3)
    expected = spec.input.shape
    is_static = all(isinstance(length, int) for length in expected)
    if not is_static or len(shape) != len(expected):
        return ""
    fits_then = all(axis in opened for axis, length in enumerate(expected) if length != shape[axis])
    return "Export the model with --dynamic to run images of other sizes." if fits_then else ""


def _pad_width(tensor: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return C×H×W padded at the right to a width with zeros, as MMOCR pads batches: the mean grey once normalised."""
    missing = width - tensor.shape[2]
    return np.pad(tensor, ((0, 0), (0, 0), (0, missing))) if missing else tensor
