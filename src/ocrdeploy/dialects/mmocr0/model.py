"""The config's `model`: the decoder and its thresholds, and the parts of the network for who builds it."""

from pathlib import Path
from typing import Any

from ocrdeploy.decoders import AttentionPostprocessor, TextDecoder
from ocrdeploy.dialects.outline import Model, NetworkParts
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import Task

from .detection import read_detection_decoder
from .dictionaries import attention_convertor, ctc_convertor

TRAINING_KEYS = ("init_cfg", "pretrained", "train_cfg", "test_cfg", "show_score", "loss")
"""Keys of a model or of a part of it that no network reads when it is tested."""

DEFAULT_STEPS = 40
"""Most characters that a recogniser with attention reads, unless its config says."""


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
