"""DBNet in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.decoders.db import db_map
from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.resnet import read_resnet
from ocrdeploy.layers.settings import DetectorSettings
from ocrdeploy.model_spec import ExportOptions

from .settings import DBHeadSettings, DBNetSettings, FPNCSettings

if TYPE_CHECKING:
    from torch import nn

SIZE_MULTIPLE = 32
"""The deepest feature map is 1/32 of the image."""


def read(parts: NetworkParts) -> DBNetSettings:
    """Read backbone, neck and head."""
    backbone = read_resnet(parts.take("backbone"))
    section = parts.take("neck")
    section.expect_type("FPNC")
    section.expect("asf_cfg", None)
    keys: tuple[str, ...] = ("in_channels", "lateral_channels", "out_channels", "bias_on_lateral", "bn_re_on_lateral")
    keys += ("bias_on_smooth", "bn_re_on_smooth", "conv_after_concat")
    neck = section.build(FPNCSettings, keys)
    section.finish()
    section = parts.take("head")
    section.expect_type("DBHead")
    head = section.build(DBHeadSettings, ("in_channels", "with_bias"))
    section.finish()
    return parts.finish(DetectorSettings, backbone, neck, head)


def tensors(settings: DBNetSettings, options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the image, and the probability of text, with all outputs also what training needs."""
    image = image_input(("batch", settings.backbone.in_channels, "height", "width"), shape, SIZE_MULTIPLE)
    batch, _, height, width = image.shape
    return (image,), (db_map((batch, height, width), all_outputs=options.all_outputs),)


def build(settings: DBNetSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import build_dbnet

    return build_dbnet(settings, options.upsample, all_outputs=options.all_outputs)


FAMILY = Family(
    "DBNet",
    {"mmocr0": "DBNet", "mmocr1": "DBNet"},
    "det",
    read,
    tensors,
    build,
    SIZE_MULTIPLE,
    ("upsample", "all_outputs"),
)
