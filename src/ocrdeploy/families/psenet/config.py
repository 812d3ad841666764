"""PSENet in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors, image_input, scaled
from ocrdeploy.families.resnet import read_resnet
from ocrdeploy.layers.settings import DetectorSettings, MapHeadSettings
from ocrdeploy.model_spec import ExportOptions, TensorSpec

from .settings import FPNFSettings, PSENetSettings

if TYPE_CHECKING:
    from torch import nn

SIZE_MULTIPLE = 32
"""The deepest feature map is 1/32 of the image."""


def read(parts: NetworkParts) -> PSENetSettings:
    """Read backbone, neck and head."""
    backbone = read_resnet(parts.take("backbone"))
    section = parts.take("neck")
    section.expect_type("FPNF")
    neck = section.build(FPNFSettings, ("in_channels", "out_channels", "fusion_type"))
    section.finish()
    section = parts.take("head")
    section.expect_type("PSEHead")
    head = section.build(MapHeadSettings, ("in_channels", "out_channels", "hidden_channels"))
    section.finish()
    return parts.finish(DetectorSettings, backbone, neck, head)


def tensors(settings: PSENetSettings, _options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the image, and the maps of a quarter of its size."""
    image = image_input(("batch", settings.backbone.in_channels, "height", "width"), shape, SIZE_MULTIPLE)
    batch, _, height, width = image.shape
    maps = batch, settings.head.out_channels, scaled(height, 4), scaled(width, 4)
    return (image,), (TensorSpec("maps", maps, "logits of the text instances' kernels, largest first"),)


def build(settings: PSENetSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import build_psenet

    return build_psenet(settings, options.upsample)


FAMILY = Family(
    "PSENet", {"mmocr0": "PSENet", "mmocr1": "PSENet"}, "det", read, tensors, build, SIZE_MULTIPLE, ("upsample",)
)
