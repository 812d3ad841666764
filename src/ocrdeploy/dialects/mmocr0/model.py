"""The config's `model`: the decoder and its thresholds, and the parts of the network for who builds it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from ocrdeploy.decoders import (
    AttentionPostprocessor,
    DBPostprocessor,
    PANPostprocessor,
    PSEPostprocessor,
    TextDecoder,
    TextRepr,
)
from ocrdeploy.dialects.outline import Model, NetworkParts
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import Task

from .dictionaries import attention_convertor, ctc_convertor

TRAINING_KEYS = ("init_cfg", "pretrained", "train_cfg", "test_cfg", "show_score", "loss")
"""Keys of a model or of a part of it that no network reads when it is tested."""

DEFAULT_STEPS = 40
"""Most characters that a recogniser with attention reads, unless its config says."""

DetectionDecoder = TypeVar("DetectionDecoder", DBPostprocessor, PANPostprocessor, PSEPostprocessor)


def read_model(model: Section, task: Task | None) -> Model:
    """Return what the config's `model` says.

    Args:
        model: The section.
        task: What a model of this name does; None where the name is not known.

    Raises:
        ConfigError: Its post-processing is not known.
    """
    name = model.type_name()
    model.skip(*TRAINING_KEYS)
    if task is None and not {"bbox_head", "label_convertor"} & set(model):
        raise ConfigError(
            f"{model.place}.type = {name!r}: its post-processing is not known, because it has neither a bbox_head nor "
            "a label_convertor"
        )
    if task == "det" or (task is None and "bbox_head" in model):
        head = model.section("bbox_head")
        decoder = read_detection_decoder(head)
        parts = NetworkParts(model, {"head": "bbox_head"}, TRAINING_KEYS, {"head": head})
        return Model(name, "det", decoder, parts)
    convertor, classes = read_label_convertor(model.section("label_convertor"))
    steps = model.take("max_seq_len", int, DEFAULT_STEPS)
    if isinstance(convertor, AttentionPostprocessor):
        classes = {**classes, "max_seq_len": steps}
    given = {}
    if "decoder" in model:
        # MMOCR replaces what the decoder's own section says of them.
        given["decoder"] = model.section("decoder").with_values(classes)
    return Model(name, "recog", convertor, NetworkParts(model, {}, TRAINING_KEYS, given))


def read_detection_decoder(head: Section) -> DBPostprocessor | PANPostprocessor | PSEPostprocessor:
    """Read the post-processor of a detector's head, whose other keys are left.

    Raises:
        ConfigError: The head is not known, or one of the post-processor's options.
    """
    keys: tuple[str, ...]
    name = head.peek_type()
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


def read_label_convertor(section: Section) -> tuple[TextDecoder, dict[str, Any]]:
    """Return the settings of MMOCR's convertor, with the dictionary written out, and what the network knows of it.

    Raises:
        ConfigError: Another convertor, or a dictionary that cannot be read.
    """
    name = section.type_name()
    section.skip("max_seq_len")
    dict_file: str | None = section.take("dict_file", str | None, None)
    dict_type = section.take("dict_type", str, "DICT90")
    dict_list = section.take("dict_list", list[str] | None, None)
    path = None if dict_file is None else Path(dict_file)
    with_unknown = section.take("with_unknown", bool, True)
    lower = section.take("lower", bool, False)
    convertor: TextDecoder
    match name:
        case "CTCConvertor":
            convertor = ctc_convertor(
                dict_type=dict_type, dict_file=path, dict_list=dict_list, with_unknown=with_unknown, lower=lower
            )
            values: dict[str, Any] = {"num_classes": len(convertor.dictionary)}
        case "AttnConvertor" | "ABIConvertor":
            # MMOCR's official configs say it of ABIConvertor, which takes any key and does not look at it.
            section.skip("with_padding")
            convertor, classes = attention_convertor(
                dict_type=dict_type,
                dict_file=path,
                dict_list=dict_list,
                with_unknown=with_unknown,
                start_end_same=section.take("start_end_same", bool, True),
            )
            values = classes.values
        case _:
            raise ConfigError(
                f"{section.place}.type = {name!r} cannot be honoured: supported are CTCConvertor, AttnConvertor, "
                "ABIConvertor"
            )
    section.finish()
    return convertor, values
