"""What every decoder can do: a decoder is its thresholds, as data, and what it does with them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.results import Detection, Result
from ocrdeploy.spec_part import SpecPart
from ocrdeploy.steps import Preprocessed
from ocrdeploy.steps.geometry import Size
from ocrdeploy.tensors import TensorSpec

from .made_up import prepared, rectangles

Map = NDArray[np.float32]
Outputs = Mapping[str, NDArray[np.float32]]
"""What a network gives for a batch, by name, in the order of the spec's outputs; an entry an image. CTC's classes are
int32."""
MadeUp = Iterator[tuple[Outputs, Preprocessed]]
"""Outputs for one image each, with what the image would have been prepared to."""
TextRepr = Literal["quad", "poly"]
MAPS = TensorSpec("maps", ("batch", "channels", "height", "width"), "maps of a detector")


class DecoderPart(SpecPart, frozen=True):
    """A decoder of one kind of output."""

    task: ClassVar[Literal["det", "recog"]] = "det"

    def decode(self, outputs: Outputs, images: Sequence[Preprocessed]) -> list[Result]:
        """Return a result an image, with polygons in pixels of the original images.

        Args:
            outputs: What the network gave for the images, with finite values. It is not written to.
            images: The images of the batch, in its order.

        Raises:
            ShapeError: The outputs are none that this decoder reads.
        """
        raise NotImplementedError

    def expects(self) -> tuple[TensorSpec, ...]:
        """Return the outputs that it reads, in order; lengths that may be any have names."""
        return (MAPS,)

    def maps(self, _outputs: Outputs, /) -> dict[str, Map]:
        """Return what of the first image's outputs can be seen: maps H×W of values from 0 to 1, by what they show."""
        return {}

    def map_sizes(self, _size: Size, /) -> tuple[Size, ...]:
        """Return (height, width) of each map that it reads, in order, for a network's input of a size.

        Outputs that are no maps, and those that are not decoded, have none.
        """
        return ()

    def made_up(self, _other: Self, _channels: int | None, /) -> MadeUp:
        """Yield outputs that show how this decoder and another one of its kind differ.

        Args:
            _other: The other decoder.
            _channels: Number of channels of the first output; None where it is not known.
        """
        return iter(())


def decode_each(
    outputs: Outputs, images: Sequence[Preprocessed], downsample_ratio: float, find: Callable[[Map], list[Detection]]
) -> list[Result]:
    """Find the text of each image in the maps of the first output.

    Args:
        outputs: The first is N×C×H×W.
        images: N images.
        downsample_ratio: Size of the maps, divided by that of the network's input.
        find: Finds the text in C×H×W maps, with polygons in pixels of the maps.

    Returns:
        The text of each image, with polygons in pixels of the original image.
    """
    first = next(iter(outputs.values()))
    return [
        [to_original(item, image, downsample_ratio) for item in find(maps)]
        for maps, image in zip(first, images, strict=True)
    ]


def scaled_size(size: Size, ratio: float) -> Size:
    """Return the (height, width) of a network's input, times the ratio of its maps."""
    return int(size[0] * ratio), int(size[1] * ratio)


def made_up_maps(thresholds: Sequence[float], downsample_ratio: float, maps: Callable[[Map], Map]) -> MadeUp:
    """Yield one output with rectangles whose scores lie beside each threshold.

    Args:
        thresholds: Those of both decoders.
        downsample_ratio: Size of the maps, divided by that of the network's input.
        maps: Makes the output 1×C×H×W of a map H×W of probabilities.
    """
    probabilities = rectangles(thresholds)
    height, width = probabilities.shape
    yield {"maps": maps(probabilities)}, prepared((round(height / downsample_ratio), round(width / downsample_ratio)))


def to_original(item: Detection, image: Preprocessed, downsample_ratio: float = 1) -> Detection:
    """Bring a polygon from the maps to the original image; padding is at the right and bottom."""
    polygon = item.polygon if downsample_ratio == 1 else item.polygon / downsample_ratio
    return Detection(polygon if image.scale_factor is None else polygon * (1 / image.scale_factor), item.score)
