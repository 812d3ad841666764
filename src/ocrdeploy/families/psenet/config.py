"""PSENet in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors
from ocrdeploy.families.map_head import SIZE_MULTIPLE, map_tensors, read_map_head
from ocrdeploy.families.resnet import read_resnet
from ocrdeploy.layers.settings import DetectorSettings
from ocrdeploy.model_spec import ExportOptions

from .settings import FPNFSettings, PSENetSettings

if TYPE_CHECKING:
    from torch import nn


def read(parts: NetworkParts) -> PSENetSettings:
    """Read backbone, neck and head."""
    backbone = read_resnet(parts.take("backbone"))
    section = parts.take("neck")
    section.expect_type("FPNF")
    neck = section.build(FPNFSettings, ("in_channels", "out_channels", "fusion_type"))
    section.finish()
    return parts.finish(DetectorSettings, backbone, neck, read_map_head(parts, "PSEHead"))


def tensors(settings: PSENetSettings, _options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the image, and the maps of a quarter of its size."""
    meaning = "logits of the text instances' kernels, largest first"
    return map_tensors(settings.backbone.in_channels, settings.head, shape, meaning)


def build(settings: PSENetSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import build_psenet

    return build_psenet(settings, options.upsample)


FAMILY = Family(
    "PSENet", {"mmocr0": "PSENet", "mmocr1": "PSENet"}, "det", read, tensors, build, SIZE_MULTIPLE, ("upsample",)
)
