"""CRNN in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.decoders.classes import ClassInput
from ocrdeploy.decoders.ctc import ctc_tensors
from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.model_spec import ExportOptions

from .settings import HEIGHT, MIN_WIDTH, CRNNDecoderSettings, CRNNSettings, VeryDeepVggSettings

if TYPE_CHECKING:
    from torch import nn


def read(parts: NetworkParts) -> CRNNSettings:
    """Read backbone and decoder."""
    parts.expect_none("preprocessor", "encoder")
    section = parts.take("backbone")
    section.expect_type("VeryDeepVgg")
    backbone = section.build(VeryDeepVggSettings, ("leaky_relu", "input_channels"))
    section.finish()
    section = parts.take("decoder")
    section.expect_type("CRNNDecoder")
    decoder = section.build(CRNNDecoderSettings, ("in_channels", "num_classes", "rnn_flag"))
    section.finish()
    return parts.finish(CRNNSettings, backbone, decoder)


def tensors(settings: CRNNSettings, options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the word, and what CTC reads at each step."""
    word = image_input(("batch", settings.backbone.input_channels, HEIGHT, "width"), shape, least_width=MIN_WIDTH)
    batch, _, _, width = word.shape
    steps = width // 4 + 1 if isinstance(width, int) else "sequence"
    reads: ClassInput = "best_classes" if options.decode_in_graph else "logits"
    return (word,), ctc_tensors((batch, steps), settings.decoder.num_classes, reads)


def build(settings: CRNNSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import build_crnn

    return build_crnn(settings, decode_in_graph=options.decode_in_graph)


FAMILY = Family(
    "CRNN", {"mmocr0": "CRNNNet", "mmocr1": "CRNN"}, "recog", read, tensors, build, options=("decode_in_graph",)
)
