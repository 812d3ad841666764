"""What PSENet and PANet have in common in configs and specs: a head that gives all maps in one output."""

from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Shape, Tensors, image_input, scaled
from ocrdeploy.layers.settings import MapHeadSettings
from ocrdeploy.model_spec import TensorSpec

SIZE_MULTIPLE = 32
"""The deepest feature map is 1/32 of the image."""


def read_map_head(parts: NetworkParts, kind: str) -> MapHeadSettings:
    """Read a head of this type: convolutions to maps, in MMOCR 1.x with a hidden layer."""
    section = parts.take("head")
    section.expect_type(kind)
    head = section.build(MapHeadSettings, ("in_channels", "out_channels", "hidden_channels"))
    section.finish()
    return head


def map_tensors(in_channels: int, head: MapHeadSettings, shape: Shape | None, meaning: str) -> Tensors:
    """Return the image, and the maps of a quarter of its size."""
    image = image_input(("batch", in_channels, "height", "width"), shape, SIZE_MULTIPLE)
    batch, _, height, width = image.shape
    maps = batch, head.out_channels, scaled(height, 4), scaled(width, 4)
    return (image,), (TensorSpec("maps", maps, meaning),)
