"""The config's `model` to the settings of our networks and decoders."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from ocrdeploy.decoders import DBPostprocessor, Decoder, PANPostprocessor, PSEPostprocessor, TextRepr
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import Task
from ocrdeploy.networks.settings import (
    CRNNDecoderSettings,
    DBHeadSettings,
    DetectorSettings,
    FPEMFFMSettings,
    FPNCSettings,
    FPNFSettings,
    NetworkSettings,
    PANHeadSettings,
    PSEHeadSettings,
    RecognizerSettings,
    ResNetSettings,
    VeryDeepVggSettings,
)

from .label_convertors import read_label_convertor
from .section import Section

DETECTORS = ("DBNet", "PSENet", "PANet")
RECOGNIZERS = ("CRNNNet",)

BATCH_NORMS = ("BN", "BN2d", "SyncBN")
"""Kinds of batch normalisation that are the same at inference."""

TRAINING_KEYS = ("init_cfg", "pretrained", "train_cfg", "test_cfg", "show_score", "loss")
"""Keys of a model or head that none of these networks reads when it is tested."""


DetectionDecoder = TypeVar("DetectionDecoder", DBPostprocessor, PANPostprocessor, PSEPostprocessor)


@dataclass(frozen=True, slots=True)
class Architecture:
    """What the config's `model` asks for: MMOCR's name, the task, the network, and the decoder of its outputs."""

    name: str
    task: Task
    network: NetworkSettings
    decoder: Decoder


def read_architecture(model: Section) -> Architecture:
    """Return the architecture of the config's `model`.

    Raises:
        ConfigError: The architecture or one of its options is not supported.
    """
    name = model.type_name()
    if name in DETECTORS:
        architecture = _read_detector(model, name)
    elif name in RECOGNIZERS:
        architecture = _read_recognizer(model, name)
    else:
        known = ", ".join(DETECTORS + RECOGNIZERS)
        raise ConfigError(f"{model.place}.type = {name!r}: the architecture is not supported; supported are {known}")
    model.skip(*TRAINING_KEYS)
    model.finish()
    return architecture


def _read_detector(model: Section, name: str) -> Architecture:
    """Read backbone, neck and head of a text detector."""
    backbone = _read_resnet(model.section("backbone"))
    neck = _read_neck(model.section("neck"))
    head, decoder = _read_head(model.section("bbox_head"))
    try:
        network = DetectorSettings(backbone, neck, head)
    except ValueError as error:
        raise ConfigError(f"{model.place} of the config: {error}") from error
    return Architecture(name, "det", network, decoder)


def _read_resnet(section: Section) -> ResNetSettings:
    """Read mmdet's ResNet or ResNetV1d with four stages, batch normalisation and plain convolutions."""
    keys: tuple[str, ...] = ("depth", "in_channels", "stem_channels", "base_channels", "style")
    given: dict[str, bool] = {}
    match section.type_name():
        case "ResNet":
            keys += ("deep_stem", "avg_down")
        case "ResNetV1d":
            given = {"deep_stem": True, "avg_down": True}
        case other:
            raise ConfigError(
                f"{section.place}.type = {other!r}: the backbone is not supported; supported are ResNet, ResNetV1d"
            )
    section.expect("num_stages", 4)
    section.expect("strides", (1, 2, 2, 2))
    section.expect("dilations", (1, 1, 1, 1))
    section.expect("out_indices", (0, 1, 2, 3))
    for key in ("conv_cfg", "dcn", "plugins"):
        section.expect(key, None)
    section.skip("stage_with_dcn", "frozen_stages", "norm_eval", "with_cp", "zero_init_residual", *TRAINING_KEYS)
    if "norm_cfg" in section:
        _check_batch_norm(section.section("norm_cfg"))
    settings = section.build(ResNetSettings, keys, given)
    section.finish()
    return settings


def _check_batch_norm(section: Section) -> None:
    """Refuse normalisations other than batch normalisation with the usual epsilon."""
    name = section.type_name()
    if name not in BATCH_NORMS:
        known = ", ".join(BATCH_NORMS)
        raise ConfigError(f"{section.place}.type = {name!r} cannot be honoured: supported are {known}")
    section.expect("eps", 1e-5)
    section.skip("requires_grad", "momentum")
    section.finish()


def _read_neck(section: Section) -> FPNCSettings | FPNFSettings | FPEMFFMSettings:
    """Read the feature pyramid."""
    settings: FPNCSettings | FPNFSettings | FPEMFFMSettings
    keys: tuple[str, ...]
    match section.type_name():
        case "FPNC":
            section.expect("asf_cfg", None)
            keys = ("in_channels", "lateral_channels", "out_channels", "bias_on_lateral", "bn_re_on_lateral")
            keys += ("bias_on_smooth", "bn_re_on_smooth", "conv_after_concat")
            settings = section.build(FPNCSettings, keys)
        case "FPNF":
            settings = section.build(FPNFSettings, ("in_channels", "out_channels", "fusion_type"))
        case "FPEM_FFM":
            keys = ("in_channels", "conv_out", "fpem_repeat", "align_corners")
            settings = section.build(FPEMFFMSettings, keys)
        case other:
            raise ConfigError(
                f"{section.place}.type = {other!r}: the neck is not supported; supported are FPNC, FPNF, FPEM_FFM"
            )
    section.skip("init_cfg")
    section.finish()
    return settings


def _read_head(section: Section) -> tuple[DBHeadSettings | PANHeadSettings | PSEHeadSettings, Decoder]:
    """Read the head and its post-processor."""
    head: DBHeadSettings | PANHeadSettings | PSEHeadSettings
    name = section.type_name()
    decoder = read_detection_decoder(section, name)
    match name:
        case "DBHead":
            head = section.build(DBHeadSettings, ("in_channels", "with_bias"))
        case "PANHead":
            head = section.build(PANHeadSettings, ("in_channels", "out_channels"))
        case _:
            head = section.build(PSEHeadSettings, ("in_channels", "out_channels"))
    section.skip(*TRAINING_KEYS)
    section.finish()
    return head, decoder


def read_detection_decoder(head: Section, name: str) -> DBPostprocessor | PANPostprocessor | PSEPostprocessor:
    """Read the post-processor of a detector's head.

    Args:
        head: The head's section.
        name: Its type, which has been taken from the section.

    Raises:
        ConfigError: The head is not known, or one of the post-processor's options.
    """
    keys: tuple[str, ...]
    match name:
        case "DBHead":
            keys = ("mask_thr", "min_text_score", "min_text_width", "unclip_ratio", "epsilon_ratio", "max_candidates")
            return _read_postprocessor(head, DBPostprocessor, keys, "quad")
        case "PANHead":
            keys = ("min_text_confidence", "min_kernel_confidence", "min_text_avg_confidence", "min_text_area")
            return _read_postprocessor(head, PANPostprocessor, keys, "poly")
        case "PSEHead":
            keys = ("min_kernel_confidence", "min_text_avg_confidence", "min_kernel_area", "min_text_area")
            return _read_postprocessor(head, PSEPostprocessor, keys, "poly")
    raise ConfigError(
        f"{head.place}.type = {name!r}: the head is not supported; supported are DBHead, PANHead, PSEHead"
    )


def _read_postprocessor(
    head: Section, kind: type[DetectionDecoder], keys: Iterable[str], default_text_repr: TextRepr
) -> DetectionDecoder:
    """Read a head's post-processor, which older configs give through keys of the head itself.

    Args:
        head: The head's section.
        kind: The post-processor that belongs to the head.
        keys: The thresholds that the post-processor knows.
        default_text_repr: What the head asks for when it names no post-processor.
    """
    given = {key: head.take(key, float) for key in ("downsample_ratio",) if key in head}
    if given and given["downsample_ratio"] <= 0:
        raise ConfigError(f"{head.place}.downsample_ratio must be positive, got {given['downsample_ratio']}")
    if "postprocessor" in head:
        section = head.section("postprocessor")
        name = section.type_name()
        if name != kind.__name__:
            raise ConfigError(f"{section.place}.type = {name!r} cannot be honoured: this head takes {kind.__name__}")
    else:
        section = Section({"text_repr_type": default_text_repr}, f"{head.place}.postprocessor")
    # MMOCR leaves out an older key that is None, and passes `decoding_type` on to those who ignore it.
    older = head.take("text_repr_type", TextRepr | None, None)
    head.skip("decoding_type")
    if older:
        section.skip("text_repr_type")
        given["text_repr_type"] = older
    settings = section.build(kind, (*keys, "text_repr_type"), given)
    section.finish()
    return settings


def _read_recognizer(model: Section, name: str) -> Architecture:
    """Read backbone, decoder and label convertor of a text recogniser."""
    model.expect("preprocessor", None)
    model.expect("encoder", None)
    model.skip("max_seq_len")
    convertor = read_label_convertor(model.section("label_convertor"))
    backbone_section = model.section("backbone")
    backbone_section.expect("type", "VeryDeepVgg")
    backbone = backbone_section.build(VeryDeepVggSettings, ("leaky_relu", "input_channels"))
    backbone_section.skip("init_cfg")
    backbone_section.finish()
    decoder_section = model.section("decoder")
    decoder_section.expect("type", "CRNNDecoder")
    # MMOCR replaces the number of classes by that of the dictionary.
    decoder_section.skip("num_classes", "init_cfg")
    classes = {"num_classes": len(convertor.dictionary)}
    decoder = decoder_section.build(CRNNDecoderSettings, ("in_channels", "rnn_flag"), classes)
    decoder_section.finish()
    try:
        network = RecognizerSettings(backbone, decoder)
    except ValueError as error:
        raise ConfigError(f"{model.place} of the config: {error}") from error
    return Architecture(name, "recog", network, convertor)
