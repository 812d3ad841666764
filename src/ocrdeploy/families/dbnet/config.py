"""DBNet in configs and specs."""

from typing import TYPE_CHECKING, Any

from ocrdeploy.decoders.db import db_map
from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.resnet import read_resnet
from ocrdeploy.layers.settings import DetectorSettings
from ocrdeploy.model_spec import ExportOptions

from .settings import DBHeadSettings, DBNetSettings, FPNCSettings

if TYPE_CHECKING:
    from torch import nn

SIZE_MULTIPLE = 32
"""The deepest feature map is 1/32 of the image."""
ATTENTION = "ScaleChannelSpatial"


def read(parts: NetworkParts) -> DBNetSettings:
    """Read backbone, neck and head."""
    backbone = read_resnet(parts.take("backbone"))
    section = parts.take("neck")
    section.expect_type("FPNC")
    keys: tuple[str, ...] = ("in_channels", "lateral_channels", "out_channels", "bias_on_lateral", "bn_re_on_lateral")
    keys += ("bias_on_smooth", "bn_re_on_smooth", "conv_after_concat")
    neck = section.build(FPNCSettings, keys, {"fuses_scales": _fuses_scales(section)})
    section.finish()
    section = parts.take("head")
    section.expect_type("DBHead")
    head = section.build(DBHeadSettings, ("in_channels", "with_bias"))
    section.finish()
    return parts.finish(DetectorSettings, backbone, neck, head)


def _fuses_scales(section: Section) -> bool:
    """Tell whether the neck is DBNet++'s; MMOCR knows one kind of attention."""
    value = section.take("asf_cfg", Any, None)
    if value is None:
        return False
    attention = Section(value, f"{section.place}.asf_cfg")
    kind = attention.take("attention_type", str)
    if kind != ATTENTION:
        raise ConfigError(
            f"{attention.place}.attention_type = {kind!r} cannot be honoured: only {ATTENTION!r} is supported"
        )
    attention.finish()
    return True


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
