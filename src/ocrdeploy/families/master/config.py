"""MASTER in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.word_resnet import read_word_resnet
from ocrdeploy.families.words import read_classes, word_tensors
from ocrdeploy.model_spec import ExportOptions

from .settings import MASTERDecoderSettings, MASTERSettings

if TYPE_CHECKING:
    from torch import nn


def read(parts: NetworkParts) -> MASTERSettings:
    """Read backbone and decoder."""
    parts.expect_none("preprocessor", "encoder")
    backbone = read_word_resnet(parts.take("backbone"))
    section = parts.take("decoder")
    section.expect_type("MasterDecoder")
    # Its last layer has all classes in both generations.
    classes = read_classes(section.with_values({"scores_padding": True}))
    section.skip("num_classes", "start_idx", "end_idx", "padding_idx", "scores_padding", "max_seq_len")
    section.skip("attn_drop", "ffn_drop", "feat_pe_drop")
    decoder = section.build(MASTERDecoderSettings, ("n_layers", "n_head", "d_model", "feat_size", "d_inner"))
    section.finish()
    return parts.finish(MASTERSettings, backbone, decoder, classes)


def tensors(settings: MASTERSettings, options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the word, and the probabilities of each step."""
    width = settings.backbone.stride[1]
    word = image_input(("batch", settings.backbone.in_channels, "height", "width"), shape, least_width=width)
    return word_tensors(word, settings.classes, options, is_masked=False)


def build(settings: MASTERSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import MASTER

    return MASTER(settings, decode_in_graph=options.decode_in_graph)


FAMILY = Family(
    "MASTER", {"mmocr0": "MASTER", "mmocr1": "MASTER"}, "recog", read, tensors, build, options=("decode_in_graph",)
)
