"""FCENet in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.decoders.fcenet import fce_maps
from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.fpn import read_fpn
from ocrdeploy.families.resnet import read_resnet
from ocrdeploy.layers.settings import DetectorSettings
from ocrdeploy.model_spec import Dimension, ExportOptions

from .settings import FCEHeadSettings, FCENetSettings

if TYPE_CHECKING:
    from torch import nn

SIZE_MULTIPLE = 32
"""The deepest feature map is 1/32 of the image."""


def read(parts: NetworkParts) -> FCENetSettings:
    """Read backbone, neck and head."""
    backbone = read_resnet(parts.take("backbone"))
    neck = read_fpn(parts.take("neck"))
    section = parts.take("head")
    section.expect_type("FCEHead")
    head = section.build(FCEHeadSettings, ("in_channels", "fourier_degree"))
    section.finish()
    return parts.finish(DetectorSettings, backbone, neck, head)


def tensors(settings: FCENetSettings, _options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the image, and class logits and Fourier coefficients of each level."""
    image = image_input(("batch", settings.backbone.in_channels, "height", "width"), shape, SIZE_MULTIPLE)
    batch, _, height, width = image.shape
    strides = [4 * 2**index for index in settings.backbone.out_indices]
    levels = [(stride, _length(height, stride), _length(width, stride)) for stride in strides]
    return (image,), fce_maps(batch, levels, settings.head.fourier_degree)


def _length(length: Dimension, stride: int) -> Dimension:
    """Return the length of a map; open ones have names of their own, since each level has another size."""
    return length // stride if isinstance(length, int) else f"{length}_{stride}"


def build(settings: FCENetSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import build_fcenet

    return build_fcenet(settings, options.upsample)


FAMILY = Family(
    "FCENet", {"mmocr0": "FCENet", "mmocr1": "FCENet"}, "det", read, tensors, build, SIZE_MULTIPLE, ("upsample",)
)
