"""ABINet in configs and specs."""

from typing import TYPE_CHECKING, Any

from ocrdeploy.decoders.attention import attention_tensors
from ocrdeploy.decoders.classes import ClassInput
from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.layers.recogniser_settings import ResNetABISettings
from ocrdeploy.model_spec import ExportOptions

from .settings import ABINetSettings, LanguageDecoderSettings, TransformerSettings, VisionDecoderSettings

if TYPE_CHECKING:
    from torch import nn

DEFAULT_STEPS = 40
"""Most characters that MMOCR's ABINet reads, unless its config says."""
CLASS_KEYS = ("num_classes", "start_idx", "end_idx", "padding_idx", "scores_padding")
"""What the dictionary says, which MMOCR 0.x's decoder does not look at."""
TRAINING_KEYS = ("init_cfg", "dropout", "detach_tokens", "use_result")
"""Keys of ABINet's parts that no network reads when it is tested."""

PREFIXES1 = (
    ("encoder.", "encoder.encoder."),
    ("decoder.vision_decoder.", "encoder.decoder."),
    ("decoder.language_decoder.", "decoder."),
    ("decoder.", "fuser."),
)


def read(parts: NetworkParts) -> ABINetSettings:
    """Read the parts of either generation: MMOCR 1.x has both decoders in its ABIFuser."""
    parts.expect_none("preprocessor")
    section = parts.take("backbone")
    section.expect_type("ResNetABI")
    for key, only in (("strides", (2, 1, 2, 1, 1)), ("out_indices", None)):
        section.expect(key, only)
    section.skip("last_stage_pool")
    backbone = section.build(ResNetABISettings, ("in_channels", "stem_channels", "base_channels", "arch_settings"))
    section.finish()
    encoder = parts.take("encoder")
    if encoder.peek_type() == "ABIVisionModel":
        return _read_older(parts, backbone, encoder)
    return _read_newer(parts, backbone, encoder)


def _read_older(parts: NetworkParts, backbone: ResNetABISettings, model: Section) -> ABINetSettings:
    """Read what MMOCR 0.x has behind the backbone; without a decoder there is no language model."""
    model.expect_type("ABIVisionModel")
    encoder = _read_encoder(model.section("encoder"), "TransformerEncoder")
    vision = _read_vision(model.section("decoder"), {})
    model.finish()
    iterations = parts.value("iter_size", int, 1)
    section, fuser = parts.take_if_there("decoder"), parts.take_if_there("fuser")
    if (section is None) != (fuser is None):
        raise ConfigError("an ABINet of MMOCR 0.x has both a decoder and a fuser, or neither")
    language = None
    if section is not None and fuser is not None:
        section.skip(*CLASS_KEYS)
        language = _read_language(section, {})
        _check_fuser(fuser, language)
    return parts.finish(ABINetSettings, backbone, encoder, vision, language, iterations)


def _read_newer(parts: NetworkParts, backbone: ResNetABISettings, section: Section) -> ABINetSettings:
    """Read what MMOCR 1.x has behind the backbone."""
    encoder = _read_encoder(section, "ABIEncoder")
    decoder = parts.take("decoder")
    decoder.expect_type("ABIFuser")
    classes = decoder.take("num_classes", int)
    end = decoder.take("end_idx", int | None)
    decoder.skip(*CLASS_KEYS)
    steps = decoder.take("max_seq_len", int, DEFAULT_STEPS)
    iterations = decoder.take("num_iters", int, 1)
    given = {"num_chars": classes, "max_seq_len": steps}
    vision = _read_vision(decoder.section("vision_decoder"), given)
    language = None
    if not decoder.take_none("language_decoder"):
        if end is None:
            raise ConfigError(f"{decoder.place}: the dictionary of ABINet has an end token (with_end=True)")
        language = _read_language(decoder.section("language_decoder"), given | {"pad_idx": end})
        decoder.expect("d_model", language.d_model, 512)
    decoder.skip("d_model")
    decoder.finish()
    return parts.finish(ABINetSettings, backbone, encoder, vision, language, iterations)


def _read_encoder(section: Section, name: str) -> TransformerSettings:
    """Read the attention between places."""
    section.expect_type(name)
    section.skip(*TRAINING_KEYS)
    settings = section.build(TransformerSettings, ("n_layers", "n_head", "d_model", "d_inner", "max_len"))
    section.finish()
    return settings


def _read_vision(section: Section, given: dict[str, Any]) -> VisionDecoderSettings:
    """Read the decoder of what is seen; the numbers of classes and steps are given, or its own."""
    section.expect_type("ABIVisionDecoder")
    section.expect("attn_mode", "nearest")
    section.skip(*TRAINING_KEYS)
    own = {
        "num_chars": section.take("num_chars", int, 90),
        "max_seq_len": section.take("max_seq_len", int, DEFAULT_STEPS),
    }
    keys = ("in_channels", "num_channels", "attn_height", "attn_width")
    settings = section.build(VisionDecoderSettings, keys, own | given)
    section.finish()
    return settings


def _read_language(section: Section, given: dict[str, Any]) -> LanguageDecoderSettings:
    """Read the language model; as `_read_vision`."""
    section.expect_type("ABILanguageDecoder")
    section.expect("use_self_attn", False)
    section.skip(*TRAINING_KEYS)
    own = {
        "num_chars": section.take("num_chars", int, 90),
        "max_seq_len": section.take("max_seq_len", int, DEFAULT_STEPS),
    }
    own["pad_idx"] = section.take("pad_idx", int, 0)
    keys = ("d_model", "n_head", "d_inner", "n_layers")
    settings = section.build(LanguageDecoderSettings, keys, own | given)
    section.finish()
    return settings


def _check_fuser(section: Section, language: LanguageDecoderSettings) -> None:
    """Refuse a fuser of other channels and classes than those of the language model."""
    section.expect_type("ABIFuser")
    section.expect("d_model", language.d_model, 512)
    section.expect("num_chars", language.num_chars, 90)
    section.skip("max_seq_len")
    section.finish()


def tensors(settings: ABINetSettings, options: ExportOptions, shape: Shape | None) -> Tensors:
    """Return the word, which has one size, and the probabilities of each step."""
    word = image_input(("batch", settings.backbone.in_channels, *settings.image_size), shape)
    steps = word.shape[0], settings.vision.max_seq_len
    reads: ClassInput = "best_classes" if options.decode_in_graph else "probabilities"
    return (word,), attention_tensors(steps, settings.vision.num_chars, reads)


def build(settings: ABINetSettings, options: ExportOptions) -> "nn.Module":
    """Return the network."""
    from .network import ABINet

    return ABINet(settings, decode_in_graph=options.decode_in_graph)


FAMILY = Family(
    "ABINet",
    {"mmocr0": "ABINet", "mmocr1": "ABINet"},
    "recog",
    read,
    tensors,
    build,
    options=("decode_in_graph",),
    prefixes1=PREFIXES1,
)
