"""CRNN in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.decoders.classes import ClassInput
from ocrdeploy.decoders.ctc import ctc_tensors
from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.rectification import read_tps
from ocrdeploy.layers.settings import LEAST_SIDE
from ocrdeploy.model_spec import ExportOptions

from .settings import HEIGHT, MIN_WIDTH, CRNNDecoderSettings, CRNNSettings, VeryDeepVggSettings

if TYPE_CHECKING:
    from torch import nn


def read(parts: NetworkParts) -> CRNNSettings:
    """Read preprocessor, backbone and decoder."""
    parts.expect_none("encoder")
    part = parts.take_if_there("preprocessor")
    preprocessor = None if part is None else read_tps(part)
    section = parts.take("backbone")
    section.expect_type("VeryDeepVgg")
    backbone = section.build(VeryDeepVggSettings, ("leaky_relu", "input_channels"))
    section.finish()
    section = parts.take("decoder")
    section.expect_type("CRNNDecoder")
    decoder = section.build(CRNNDecoderSettings, ("in_channels", "num_classes", "rnn_flag"))
    section.finish()
    return parts.finish(CRNNSettings, backbone, decoder, preprocessor)


def tensors(settings: CRNNSettings, options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the word, which may have any height where it is straightened, and what CTC reads at each step."""
    channels, tps = settings.backbone.input_channels, settings.preprocessor
    if tps is None:
        word = image_input(("batch", channels, HEIGHT, "width"), shape, least_width=MIN_WIDTH)
        width = word.shape[3]
    else:
        word = image_input(("batch", channels, "height", "width"), shape, least_width=LEAST_SIDE)
        width = tps.rectified_img_size[1]
    batch = word.shape[0]
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
