"""ASTER in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.rectification import read_stn
from ocrdeploy.families.word_resnet import read_word_resnet
from ocrdeploy.families.words import read_classes, word_tensors
from ocrdeploy.model_spec import ExportOptions

from .settings import ASTERDecoderSettings, ASTEREncoderSettings, ASTERSettings

if TYPE_CHECKING:
    from torch import nn


def read(parts: NetworkParts) -> ASTERSettings:
    """Read preprocessor, backbone, encoder and decoder."""
    preprocessor = read_stn(parts.take("preprocessor"))
    backbone = read_word_resnet(parts.take("backbone"))
    section = parts.take("encoder")
    section.expect_type("ASTEREncoder")
    encoder = section.build(ASTEREncoderSettings, ("in_channels", "num_layers"))
    section.finish()
    section = parts.take("decoder")
    section.expect_type("ASTERDecoder")
    classes = read_classes(section)
    decoder = section.build(ASTERDecoderSettings, ("in_channels", "emb_dims", "attn_dims", "hidden_size"))
    section.finish()
    return parts.finish(ASTERSettings, preprocessor, backbone, encoder, decoder, classes)


def tensors(settings: ASTERSettings, options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the word, which may have any size, and the probabilities of each step."""
    word = image_input(("batch", settings.backbone.in_channels, "height", "width"), shape)
    return word_tensors(word, settings.classes, options, is_masked=False)


def build(settings: ASTERSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import ASTER

    return ASTER(settings, decode_in_graph=options.decode_in_graph)


FAMILY = Family("ASTER", {"mmocr1": "ASTER"}, "recog", read, tensors, build, options=("decode_in_graph",))
