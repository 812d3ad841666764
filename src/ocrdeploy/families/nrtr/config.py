"""NRTR in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.dialects.section import Section
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.words import read_classes, read_resnet31, read_transformer_decoder, word_tensors
from ocrdeploy.layers.recogniser_settings import ResNet31Settings
from ocrdeploy.model_spec import ExportOptions

from .settings import HEIGHT, ModalityTransformSettings, NRTREncoderSettings, NRTRSettings

if TYPE_CHECKING:
    from torch import nn

ENCODER_KEYS = ("n_layers", "n_head", "d_k", "d_v", "d_model", "d_inner")


def read(parts: NetworkParts) -> NRTRSettings:
    """Read backbone, encoder and decoder."""
    parts.expect_none("preprocessor")
    backbone = _read_backbone(parts.take("backbone"))
    section = parts.take("encoder")
    section.expect_type("NRTREncoder")
    section.skip("dropout")
    encoder = section.build(NRTREncoderSettings, ENCODER_KEYS)
    section.finish()
    section = parts.take("decoder")
    classes = read_classes(section)
    return parts.finish(NRTRSettings, backbone, encoder, read_transformer_decoder(section), classes)


def _read_backbone(section: Section) -> ModalityTransformSettings | ResNet31Settings:
    """Read one of the two backbones."""
    if section.peek_type() != "NRTRModalityTransform":
        return read_resnet31(section)
    section.skip("type")
    # MMOCR 0.x has the older name.
    channels = section.take("input_channels", int, 3)
    settings = ModalityTransformSettings(section.take("in_channels", int, channels))
    section.finish()
    return settings


def tensors(settings: NRTRSettings, options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the word, the part of it that is no padding, and the probabilities of each step."""
    word = image_input(("batch", settings.in_channels, HEIGHT, "width"), shape)
    return word_tensors(word, settings.classes, options, is_masked=True)


def build(settings: NRTRSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import NRTR

    return NRTR(settings, decode_in_graph=options.decode_in_graph)


FAMILY = Family(
    "NRTR", {"mmocr0": "NRTR", "mmocr1": "NRTR"}, "recog", read, tensors, build, options=("decode_in_graph",)
)
