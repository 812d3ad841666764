"""SVTR in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.decoders.classes import ClassInput
from ocrdeploy.decoders.ctc import ctc_tensors
from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.rectification import read_stn
from ocrdeploy.model_spec import ExportOptions

from .settings import SVTRDecoderSettings, SVTREncoderSettings, SVTRSettings

if TYPE_CHECKING:
    from torch import nn

ENCODER_KEYS = (
    "img_size", "in_channels", "embed_dims", "depth", "num_heads", "mixer_types", "window_size", "mlp_ratio",
    "out_channels", "max_seq_len",
)  # fmt: skip


def read(parts: NetworkParts) -> SVTRSettings:
    """Read preprocessor, encoder and decoder."""
    parts.expect_none("backbone")
    preprocessor = read_stn(parts.take("preprocessor"))
    section = parts.take("encoder")
    section.expect_type("SVTREncoder")
    section.expect("merging_types", "Conv")
    section.expect("prenorm", False, True)
    section.expect("qkv_bias", True)
    section.expect("qk_scale", None)
    section.expect("num_layers", 2)
    section.skip("drop_rate", "last_drop", "attn_drop_rate", "drop_path_rate")
    encoder = section.build(SVTREncoderSettings, ENCODER_KEYS)
    section.finish()
    section = parts.take("decoder")
    section.expect_type("SVTRDecoder")
    decoder = section.build(SVTRDecoderSettings, ("in_channels", "num_classes"))
    section.finish()
    return parts.finish(SVTRSettings, preprocessor, encoder, decoder)


def tensors(settings: SVTRSettings, options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the word, which may have any size, and what CTC reads at each step."""
    word = image_input(("batch", settings.encoder.in_channels, "height", "width"), shape)
    reads: ClassInput = "best_classes" if options.decode_in_graph else "logits"
    steps = (word.shape[0], settings.encoder.max_seq_len)
    return (word,), ctc_tensors(steps, settings.decoder.num_classes, reads)


def build(settings: SVTRSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import SVTR

    return SVTR(settings, decode_in_graph=options.decode_in_graph)


FAMILY = Family("SVTR", {"mmocr1": "SVTR"}, "recog", read, tensors, build, options=("decode_in_graph",))
