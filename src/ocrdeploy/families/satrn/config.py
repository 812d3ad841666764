"""SATRN in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.words import read_classes, read_transformer_decoder, word_tensors
from ocrdeploy.model_spec import ExportOptions

from .settings import STRIDE, SATRNEncoderSettings, SATRNSettings, ShallowCNNSettings

if TYPE_CHECKING:
    from torch import nn

ENCODER_KEYS = ("n_layers", "n_head", "d_k", "d_v", "d_model", "d_inner", "n_position")


def read(parts: NetworkParts) -> SATRNSettings:
    """Read backbone, encoder and decoder."""
    parts.expect_none("preprocessor")
    section = parts.take("backbone")
    section.expect_type("ShallowCNN")
    backbone = section.build(ShallowCNNSettings, ("input_channels", "hidden_dim"))
    section.finish()
    encoder = _read_encoder(parts.take("encoder"))
    section = parts.take("decoder")
    classes = read_classes(section)
    return parts.finish(SATRNSettings, backbone, encoder, read_transformer_decoder(section), classes)


def _read_encoder(section: Section) -> SATRNEncoderSettings:
    """Read the encoder, whose generation is told by its name."""
    name = section.type_name()
    if name not in ("SatrnEncoder", "SATRNEncoder"):
        raise ConfigError(f"{section.place}.type = {name!r} cannot be honoured: only SATRNEncoder is supported")
    section.skip("dropout")
    settings = section.build(SATRNEncoderSettings, ENCODER_KEYS, {"adds_features": name == "SatrnEncoder"})
    section.finish()
    return settings


def tensors(settings: SATRNSettings, options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the word, the part of it that is no padding, and the probabilities of each step."""
    word = image_input(("batch", settings.backbone.input_channels, "height", "width"), shape, least_width=STRIDE)
    return word_tensors(word, settings.classes, options, is_masked=True)


def build(settings: SATRNSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import SATRN

    return SATRN(settings, decode_in_graph=options.decode_in_graph)


FAMILY = Family(
    "SATRN", {"mmocr0": "SATRN", "mmocr1": "SATRN"}, "recog", read, tensors, build, options=("decode_in_graph",)
)
