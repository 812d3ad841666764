"""RobustScanner in configs and specs."""

from typing import TYPE_CHECKING, Any

from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.families.words import read_classes, read_resnet31, word_tensors
from ocrdeploy.model_spec import ExportOptions

from .settings import AttentionDecoderSettings, ChannelReductionSettings, RobustScannerSettings

if TYPE_CHECKING:
    from torch import nn

DECODERS = {"hybrid_decoder": "SequenceAttentionDecoder", "position_decoder": "PositionAttentionDecoder"}
SHARED_KEYS = ("dim_input", "dim_model", "encode_value")
"""What MMOCR 0.x says once for both decoders, in place of what each says itself."""
SHARED_DEFAULTS: dict[str, Any] = {"dim_input": 512, "dim_model": 128, "encode_value": False}


def read(parts: NetworkParts) -> RobustScannerSettings:
    """Read backbone, encoder and the decoders with what joins them."""
    parts.expect_none("preprocessor")
    backbone = read_resnet31(parts.take("backbone"))
    section = parts.take("encoder")
    section.expect_type("ChannelReductionEncoder")
    encoder = section.build(ChannelReductionSettings, ("in_channels", "out_channels"))
    section.finish()
    section = parts.take("decoder")
    classes = read_classes(section)
    name = section.type_name()
    match name:
        case "RobustScannerDecoder":
            section.expect("mask", True)
            shared = {key: section.take(key, Any, default) for key, default in SHARED_DEFAULTS.items()}
            hybrid, position = (_read_decoder(section.section(key).with_values(shared), key) for key in DECODERS)
        case "RobustScannerFuser":
            hybrid, position = (_read_decoder(section.section(key), key) for key in DECODERS)
            section.expect("dim", -1)
            section.expect("in_channels", (hybrid.out_channels, position.out_channels), (512, 512))
        case _:
            raise ConfigError(
                f"{section.place}.type = {name!r} cannot be honoured: supported are RobustScannerDecoder, "
                "RobustScannerFuser"
            )
    section.finish()
    has_module = name == "RobustScannerDecoder"
    return parts.finish(RobustScannerSettings, backbone, encoder, hybrid, position, classes, has_module)


def _read_decoder(section: Section, key: str) -> AttentionDecoderSettings:
    """Read one of the two decoders, which have the classes of the whole."""
    section.expect_type(DECODERS[key])
    section.expect("mask", True)
    section.skip("dropout", "return_feature")
    settings = section.build(AttentionDecoderSettings, ("rnn_layers", *SHARED_KEYS))
    section.finish()
    return settings


def tensors(settings: RobustScannerSettings, options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the word, the part of it that is no padding, and the probabilities of each step."""
    word = image_input(("batch", settings.backbone.base_channels, "height", "width"), shape)
    return word_tensors(word, settings.classes, options, is_masked=True)


def build(settings: RobustScannerSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import RobustScanner

    return RobustScanner(settings, decode_in_graph=options.decode_in_graph)


FAMILY = Family(
    "RobustScanner",
    {"mmocr0": "RobustScanner", "mmocr1": "RobustScanner"},
    "recog",
    read,
    tensors,
    build,
    options=("decode_in_graph",),
)
