"""The config's `model`: the decoder and its thresholds, and the parts of the network for who builds it."""

from collections.abc import Mapping
from typing import Any

from ocrdeploy.dialects.outline import Model, NetworkParts
from ocrdeploy.dialects.section import Section
from ocrdeploy.model_spec import Task

from .detection import read_detection_decoder
from .dictionaries import read_text_decoder

TRAINING_KEYS = ("init_cfg", "train_cfg", "test_cfg", "module_loss")
"""Keys of a model or of a part of it that no network reads when it is tested."""

NEUTRAL_KEYS = {"out_channel": "out_channels", "hidden_dim": "hidden_channels"}
"""What the heads of MMOCR 1.x call otherwise than those of 0.x, and than families."""
NEUTRAL_TYPES = {"MiniVGG": "VeryDeepVgg"}
"""The same for the types of all parts."""


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
        if key == "det_head":
            values = {NEUTRAL_KEYS.get(name, name): value for name, value in values.items()}
        values = dict(values)
        values["type"] = NEUTRAL_TYPES.get(values.get("type", ""), values.get("type"))
    return Section(values, f"{model.place}.{key}")
