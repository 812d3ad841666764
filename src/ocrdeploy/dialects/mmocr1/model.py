"""The config's `model`: the decoder and its thresholds, and the parts of the network for who builds it."""

from collections.abc import Mapping
from typing import Any

from ocrdeploy.decoders import DBPostprocessor, Decoder, PANPostprocessor, PSEPostprocessor
from ocrdeploy.dialects.outline import Model, NetworkParts
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import Task

from .dictionaries import read_text_decoder

TRAINING_KEYS = ("init_cfg", "train_cfg", "test_cfg", "module_loss")
"""Keys of a model or of a part of it that no network reads when it is tested."""

NEUTRAL_KEYS = {"out_channel": "out_channels", "hidden_dim": "hidden_channels"}
NEUTRAL_TYPES = {"MiniVGG": "VeryDeepVgg"}
"""What MMOCR 1.x calls otherwise than 0.x, and than families."""


def read_model(model: Section, task: Task | None) -> Model:
    """Return what the config's `model` says.

    Args:
        model: The section; its `data_preprocessor` has been taken.
        task: What a model of this name does; None where the name is not known.

    Raises:
        ConfigError: Its post-processing is not known.
    """
    name = model.type_name()
    model.skip(*TRAINING_KEYS)
    if task == "det" or (task is None and "det_head" in model):
        head = _neutral(model, "det_head")
        decoder = read_detection_decoder(head)
        return Model(name, "det", decoder, NetworkParts(model, {"head": "det_head"}, TRAINING_KEYS, {"head": head}))
    decoder_part = _neutral(model, "decoder")
    convertor, classes = read_text_decoder(decoder_part)
    given = {"decoder": decoder_part.with_values(classes)}
    if "backbone" in model:
        given["backbone"] = _neutral(model, "backbone")
    return Model(name, "recog", convertor, NetworkParts(model, {}, TRAINING_KEYS, given))


def _neutral(model: Section, key: str) -> Section:
    """Take a part of the model, with neutral names for its type and keys."""
    values = model.take(key, Any)
    if isinstance(values, Mapping):
        values = {NEUTRAL_KEYS.get(name, name): value for name, value in values.items()}
        values["type"] = NEUTRAL_TYPES.get(values.get("type", ""), values.get("type"))
    return Section(values, f"{model.place}.{key}")


def read_detection_decoder(head: Section) -> Decoder:
    """Read the post-processor of a detector's head, whose other keys are left.

    Raises:
        ConfigError: The post-processor is not known, or one of its options.
    """
    section = head.section("postprocessor")
    name = section.type_name()
    decoder: Decoder
    keys: tuple[str, ...]
    match name:
        case "DBPostprocessor":
            keys = ("mask_thr", "min_text_score", "min_text_width", "unclip_ratio", "epsilon_ratio", "max_candidates")
            rules: dict[str, Any] = {"width_inclusive": True, "first_ring_alone": True}
            decoder = section.build(DBPostprocessor, (*keys, "text_repr_type"), rules)
        case "PSEPostprocessor":
            keys = ("min_kernel_confidence", "min_kernel_area", "min_text_area", "downsample_ratio", "text_repr_type")
            rules = {"min_text_avg_confidence": section.take("score_threshold", float, 0.3), "large_or_certain": True}
            decoder = section.build(PSEPostprocessor, keys, rules)
        case "PANPostprocessor":
            keys = ("min_text_confidence", "min_kernel_confidence", "min_text_area", "downsample_ratio")
            rules = {"min_text_avg_confidence": section.take("score_threshold", float, 0.3)}
            rules["max_distance"] = section.take("distance_threshold", float, 3.0)
            decoder = section.build(PANPostprocessor, (*keys, "text_repr_type"), rules)
        case other:
            raise ConfigError(f"{section.place}.type = {other!r} of MMOCR 1.x is not supported yet")
    section.expect("rescale_fields", ("polygons",))
    section.finish()
    return decoder
