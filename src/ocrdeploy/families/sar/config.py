"""SAR in configs and specs."""

from typing import TYPE_CHECKING

from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.words import read_classes, read_resnet31, word_tensors
from ocrdeploy.model_spec import ExportOptions

from .settings import SARDecoderSettings, SAREncoderSettings, SARSettings

if TYPE_CHECKING:
    from torch import nn

DECODERS = ("ParallelSARDecoder", "SequentialSARDecoder")


def read(parts: NetworkParts) -> SARSettings:
    """Read backbone, encoder and decoder."""
    parts.expect_none("preprocessor")
    backbone = read_resnet31(parts.take("backbone"))
    section = parts.take("encoder")
    section.expect_type("SAREncoder")
    _expect_plain(section, "enc_bi_rnn", "enc_gru")
    section.skip("enc_do_rnn", "rnn_dropout")
    encoder = section.build(SAREncoderSettings, ("d_model", "d_enc"))
    section.finish()
    section = parts.take("decoder")
    classes = read_classes(section)
    return parts.finish(SARSettings, backbone, encoder, _read_decoder(section), classes)


def _read_decoder(section: Section) -> SARDecoderSettings:
    """Read one of the two decoders."""
    name = section.type_name()
    if name not in DECODERS:
        raise ConfigError(f"{section.place}.type = {name!r} cannot be honoured: supported are {', '.join(DECODERS)}")
    _expect_plain(section, "enc_bi_rnn", "dec_bi_rnn", "dec_gru")
    section.skip("dec_do_rnn", "dec_rnn_dropout", "pred_dropout")
    given = {"is_sequential": name == "SequentialSARDecoder"}
    settings = section.build(SARDecoderSettings, ("d_model", "d_enc", "d_k", "pred_concat"), given)
    section.finish()
    return settings


def _expect_plain(section: Section, *keys: str) -> None:
    """Take options of which all of MMOCR's configs have the same: LSTMs of one direction, and padding is masked."""
    for key in keys:
        section.expect(key, False)
    section.expect("mask", True)


def tensors(settings: SARSettings, options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the word, the part of it that is no padding, and the probabilities of each step."""
    word = image_input(("batch", settings.backbone.base_channels, "height", "width"), shape)
    return word_tensors(word, settings.classes, options, is_masked=True)


def build(settings: SARSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import SAR

    return SAR(settings, decode_in_graph=options.decode_in_graph)


FAMILY = Family(
    "SAR", {"mmocr0": "SARNet", "mmocr1": "SARNet"}, "recog", read, tensors, build, options=("decode_in_graph",)
)
