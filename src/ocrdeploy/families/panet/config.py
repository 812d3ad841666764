"""PANet in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors
from ocrdeploy.families.map_head import SIZE_MULTIPLE, map_tensors, read_map_head
from ocrdeploy.families.resnet import read_resnet
from ocrdeploy.layers.settings import DetectorSettings
from ocrdeploy.model_spec import ExportOptions

from .settings import FPEMFFMSettings, PANetSettings

if TYPE_CHECKING:
    from torch import nn


def read(parts: NetworkParts) -> PANetSettings:
    """Read backbone, neck and head."""
    backbone = read_resnet(parts.take("backbone"))
    section = parts.take("neck")
    section.expect_type("FPEM_FFM")
    neck = section.build(FPEMFFMSettings, ("in_channels", "conv_out", "fpem_repeat", "align_corners"))
    section.finish()
    return parts.finish(DetectorSettings, backbone, neck, read_map_head(parts, "PANHead"))


def tensors(settings: PANetSettings, _options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the image, and the maps of a quarter of its size."""
    meaning = "logits of text and of its kernels, then the embedding"
    return map_tensors(settings.backbone.in_channels, settings.head, shape, meaning)


def build(settings: PANetSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import build_panet

    return build_panet(settings, options.upsample)


FAMILY = Family(
    "PANet", {"mmocr0": "PANet", "mmocr1": "PANet"}, "det", read, tensors, build, SIZE_MULTIPLE, ("upsample",)
)
