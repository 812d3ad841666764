"""What predictors are given: images in all their forms."""

import os
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, Union, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.datasets import ImageFile, ImageSource, LmdbImage, read_bytes
from ocrdeploy.errors import ImageError, OcrDeployError, UsageError
from ocrdeploy.images.arguments import is_url
from ocrdeploy.images.arrays import check_array, is_pil_image, pil_pixels, to_color_type
from ocrdeploy.images.reading import MAX_BYTES, decode_image, read_image
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

ColorOrder = Literal["bgr", "rgb"]
"""The order of the channels of an array."""

Item = TypeVar("Item")
Encoded = bytes | bytearray | memoryview
KINDS = "a path, encoded bytes, a file opened for reading bytes, an image of Pillow's or an array H x W x 3 of uint8"


def is_one_image(given: object) -> bool:
    """Tell whether this is one image, and not several."""
    return isinstance(
        given, str | os.PathLike | Encoded | np.ndarray | OpenFile | ImageFile | LmdbImage
    ) or is_pil_image(given)


def check_color(color: str) -> None:
    """Refuse an order of channels that does not exist.

    Raises:
        UsageError: Names both that do.
    """
    if color not in ("bgr", "rgb"):
        raise UsageError(f"the colour order of arrays is 'bgr' or 'rgb', got {color!r}")


def in_bgr(image: Item, color: ColorOrder) -> Item:
    """Return an image whose channels are in the order BGR: an array that has them in RGB turned, all else as it is."""
    if color == "rgb" and isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[2] == 3:
        return cast("Item", np.ascontiguousarray(image[..., ::-1]))
    return image


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
        case str() if is_url(image):
            raise ImageError(f"{image} is a URL, and an image is {KINDS}", "Download it, and give its bytes.")
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
