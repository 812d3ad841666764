"""A config to the model spec of its network, whoever has built it."""

from collections.abc import Sequence

import msgspec

from ocrdeploy.decoders import AttentionPostprocessor, CTCConvertor, DBPostprocessor, Decoder, TextDecoder
from ocrdeploy.decoders.attention import attention_tensors
from ocrdeploy.decoders.ctc import ctc_tensors
from ocrdeploy.decoders.db import db_map
from ocrdeploy.descriptions.loading import ModelConfig
from ocrdeploy.dialects.outline import Outline
from ocrdeploy.errors import ConfigError, UsageError
from ocrdeploy.families.family import AS_TRAINED, Tensors, image_input
from ocrdeploy.model_spec import (
    DETECTOR_MULTIPLE,
    SCHEMA_VERSION,
    Dimension,
    ExportOptions,
    FileRecord,
    ModelSpec,
    Source,
    TensorSpec,
    shape_text,
)
from ocrdeploy.steps import check_steps, fixed_height
from ocrdeploy.tensors import agree
from ocrdeploy.version import __version__

CHANNELS = "channels"
"""Stands for the number of a head's channels where a network that MMOCR builds has not run yet."""
Shape = tuple[Dimension, ...]
StaticShape = tuple[int, int, int, int]


def build_spec(
    config: ModelConfig,
    *,
    checkpoint: FileRecord | None = None,
    export: ExportOptions | None = None,
    static_shape: Shape | None = None,
) -> ModelSpec:
    """Return the spec of the config's network.

    Args:
        config: What the config says.
        checkpoint: The weights' file.
        export: How a graph was written; None for a network in PyTorch.
        static_shape: The input shape N×C×H×W of a static model, or one with other names for open dimensions; None for
            a dynamic one.

    Raises:
        UsageError: CTC's softmax and argmax are asked for, and the network has no CTC.
    """
    decoder = config.postprocessing
    if export is not None and export.decode_in_graph:
        decoder = decoded_in_graph(config)
    return _spec(config, config.tensors(export, static_shape), decoder, checkpoint, export)


def spec_of_outline(
    outline: Outline,
    *,
    checkpoint: FileRecord,
    export: ExportOptions | None,
    output_shape: Sequence[int] | None = None,
    static_shape: StaticShape | None = None,
    tools: dict[str, str] | None = None,
) -> ModelSpec:
    """Return the spec of a model whose network MMOCR itself has built.

    Args:
        outline: What the config says.
        checkpoint: The weights' file.
        export: How a graph was written; None for the model itself.
        output_shape: Shape of the output for one input; None where it is not known.
        static_shape: The one input shape N×C×H×W of a static model; None for a dynamic one.
        tools: Versions of the packages that built the model.
    """
    multiple = DETECTOR_MULTIPLE if outline.task == "det" else 1
    image = image_input(("batch", *dynamic_image_shape(outline)), static_shape, multiple)
    outputs = _foreign_outputs(outline.postprocessing, export or AS_TRAINED, output_shape)
    if static_shape is not None and output_shape is not None:
        outputs = _static(outputs, outline.postprocessing, tuple(output_shape), static_shape)
    return _spec(outline, ((image,), outputs), outline.postprocessing, checkpoint, export, tools)


def check_static_shape(shape: StaticShape, expected: Shape) -> None:
    """Refuse an input shape that the network does not take.

    Args:
        shape: The input shape N×C×H×W.
        expected: What the network takes, open lengths by name.

    Raises:
        ConfigError: Channels or height are not the network's.
    """
    if not agree(expected, shape):
        raise ConfigError(f"the network takes {shape_text(expected)}, got {shape_text(shape)}")


def dynamic_image_shape(outline: Outline) -> tuple[int, Dimension, Dimension]:
    """Return the shape C×H×W of what the test pipeline makes; the height of words is fixed."""
    return check_steps(outline.preprocessing), fixed_height(outline.preprocessing) or "height", "width"


def _spec(
    outline: Outline,
    tensors: Tensors,
    decoder: Decoder,
    checkpoint: FileRecord | None,
    export: ExportOptions | None,
    tools: dict[str, str] | None = None,
) -> ModelSpec:
    """Return the spec of a config's model whose network has these tensors."""
    (image, *further), outputs = tensors
    return ModelSpec(
        schema=SCHEMA_VERSION,
        task=outline.task,
        architecture=outline.architecture,
        input=image,
        outputs=outputs,
        preprocessing=outline.preprocessing,
        postprocessing=decoder,
        datasets=outline.datasets,
        evaluation=outline.evaluation,
        source=None if checkpoint is None else Source(outline.record, checkpoint, outline.bases),
        export=export,
        tools={"ocrdeploy": __version__} | (tools or {}),
        further_inputs=tuple(further),
    )


def decoded_in_graph(config: ModelConfig) -> TextDecoder:
    """Return the decoder of what softmax and argmax of a recogniser give.

    Raises:
        UsageError: The network is no recogniser that can have them.
    """
    decoder = config.postprocessing
    if "decode_in_graph" not in config.family.options or not isinstance(decoder, TextDecoder):
        what = "detects text" if config.task == "det" else "is exported without them alone"
        raise UsageError(
            f"--decode-in-graph takes softmax and argmax into a recogniser's graph, and {config.architecture} {what}",
            "Leave it out.",
        )
    return msgspec.structs.replace(decoder, reads="best_classes")


def _foreign_outputs(decoder: Decoder, options: ExportOptions, shape: Sequence[int] | None) -> tuple[TensorSpec, ...]:
    """Return name, shape and meaning of the head's outputs, with MMOCR's number of channels where it is known."""
    match decoder:
        case CTCConvertor(dictionary=dictionary):
            return ctc_tensors(("batch", "sequence"), len(dictionary), "logits")
        case AttentionPostprocessor():
            return attention_tensors(("batch", "steps"), CHANNELS if shape is None else shape[2])
        case DBPostprocessor():
            return (db_map(("batch", "height", "width"), all_outputs=options.all_outputs),)
    expected = decoder.expects()
    if all(isinstance(tensor.shape[1], int) for tensor in expected):
        return expected
    channels = CHANNELS if shape is None else shape[1]
    maps = "batch", channels, "map_height", "map_width"
    return (TensorSpec("maps", maps, "logits, which `postprocessing` says how to read"),)


def _static(
    outputs: tuple[TensorSpec, ...], decoder: Decoder, first: tuple[int, ...], shape: StaticShape
) -> tuple[TensorSpec, ...]:
    """Return the outputs with the shapes that they have for one input shape; that of the first is known."""
    others = [
        msgspec.structs.replace(output, shape=(first[0], output.shape[1], *size))
        for output, size in zip(outputs[1:], decoder.map_sizes((shape[2], shape[3]))[1:], strict=True)
    ]
    return (msgspec.structs.replace(outputs[0], shape=first), *others)
