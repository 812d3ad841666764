"""TextSnake in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.decoders.textsnake import CHANNELS, textsnake_maps
from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.resnet import read_resnet
from ocrdeploy.layers.settings import DetectorSettings
from ocrdeploy.model_spec import ExportOptions

from .settings import FPNUNetSettings, TextSnakeHeadSettings, TextSnakeSettings

if TYPE_CHECKING:
    from torch import nn

SIZE_MULTIPLE = 32
"""The deepest feature map is 1/32 of the image."""


def read(parts: NetworkParts) -> TextSnakeSettings:
    """Read backbone, neck and head."""
    backbone = read_resnet(parts.take("backbone"))
    section = parts.take("neck")
    section.expect_type("FPN_UNet")
    neck = section.build(FPNUNetSettings, ("in_channels", "out_channels"))
    section.finish()
    section = parts.take("head")
    section.expect_type("TextSnakeHead")
    section.expect("out_channels", CHANNELS)
    head = section.build(TextSnakeHeadSettings, ("in_channels",))
    section.finish()
    return parts.finish(DetectorSettings, backbone, neck, head)


def tensors(settings: TextSnakeSettings, _options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the image, and the maps of its size."""
    image = image_input(("batch", settings.backbone.in_channels, "height", "width"), shape, SIZE_MULTIPLE)
    batch, _, height, width = image.shape
    return (image,), (textsnake_maps((batch, CHANNELS, height, width)),)


def build(settings: TextSnakeSettings, _options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import build_textsnake

    return build_textsnake(settings)


FAMILY = Family("TextSnake", {"mmocr0": "TextSnake", "mmocr1": "TextSnake"}, "det", read, tensors, build, SIZE_MULTIPLE)
