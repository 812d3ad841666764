"""A config to the model spec of a network made from it."""

from collections.abc import Sequence

import msgspec

from ocrdeploy.decoders import CTCConvertor, Decoder
from ocrdeploy.errors import ConfigError, UsageError
from ocrdeploy.model_spec import (
    SCHEMA_VERSION,
    Dimension,
    ExportOptions,
    FileRecord,
    ModelSpec,
    Source,
    TensorSpec,
    shape_text,
)
from ocrdeploy.networks.settings import (
    RECOGNITION_HEIGHT,
    DBHeadSettings,
    DetectorSettings,
    NetworkSettings,
    PANHeadSettings,
    PSEHeadSettings,
    RecognizerSettings,
)
from ocrdeploy.version import __version__

from .loading import ModelConfig

INPUT_NAME = "input"
Shape = tuple[Dimension, ...]
NamedShape = tuple[str, Shape]


def build_spec(
    config: ModelConfig,
    *,
    checkpoint: FileRecord | None = None,
    export: ExportOptions | None = None,
    static_shape: tuple[int, int, int, int] | None = None,
) -> ModelSpec:
    """Return the spec of the config's network.

    Args:
        config: What the config says.
        checkpoint: The weights' file.
        export: How a graph was written; None for a network in PyTorch.
        static_shape: The one input shape N×C×H×W of a static model; None for a dynamic one.

    Raises:
        UsageError: CTC's softmax and argmax are asked for, and the network has no CTC.
    """
    input_shape = dynamic_input_shape(config.network) if static_shape is None else static_shape
    output = output_tensor(config.network, input_shape, all_outputs=export is not None and export.all_outputs)
    outputs: tuple[TensorSpec, ...] = (output,)
    decoder = config.postprocessing
    if export is not None and export.decode_in_graph:
        outputs, decoder = decoded_tensors(output, decoder, config.architecture)
    return ModelSpec(
        schema=SCHEMA_VERSION,
        task=config.task,
        architecture=config.architecture,
        input=TensorSpec(INPUT_NAME, input_shape, "image, prepared as `preprocessing` says"),
        outputs=outputs,
        preprocessing=config.preprocessing,
        postprocessing=decoder,
        datasets=config.datasets,
        evaluation=config.evaluation,
        source=None if checkpoint is None else Source(config.record, checkpoint),
        export=export,
        tools={"ocrdeploy": __version__},
    )


def spec_of_foreign_model(config: ModelConfig, tensor: NamedShape, outputs: Sequence[NamedShape]) -> ModelSpec:
    """Return the spec of a model that holds none: names and shapes are the graph's, all else is the config's.

    Args:
        config: What the config says.
        tensor: Name and shape of the graph's input.
        outputs: Names and shapes of its outputs.
    """
    spec = build_spec(config)
    meaning = spec.outputs[0].meaning
    return msgspec.structs.replace(
        spec,
        input=TensorSpec(*tensor, spec.input.meaning),
        outputs=tuple(TensorSpec(name, shape, meaning) for name, shape in outputs),
    )


def dynamic_input_shape(network: NetworkSettings) -> Shape:
    """Return the input shape of a dynamic model."""
    match network:
        case DetectorSettings():
            return ("batch", network.backbone.in_channels, "height", "width")
        case RecognizerSettings():
            return ("batch", network.backbone.input_channels, RECOGNITION_HEIGHT, "width")


def check_static_shape(shape: tuple[int, int, int, int], network: NetworkSettings) -> None:
    """Refuse an input shape that the network does not take.

    Raises:
        ConfigError: Channels or height are not the network's.
    """
    expected = dynamic_input_shape(network)
    for length, wanted in zip(shape, expected, strict=True):
        if isinstance(wanted, int) and length != wanted:
            raise ConfigError(f"the network takes {shape_text(expected)}, got {shape_text(shape)}")


def decoded_tensors(
    logits: TensorSpec, decoder: Decoder, architecture: str
) -> tuple[tuple[TensorSpec, ...], CTCConvertor]:
    """Return the outputs that stand in the place of the logits when CTC's softmax and argmax are in the graph.

    The indices are int32: TensorRT's argmax gives them so, and ONNX Runtime casts them; int64, which ONNX's ArgMax
    gives, TensorRT has had only since version 10, and half of each number would be zeros.

    Args:
        logits: The network's output N×T×C.
        decoder: What reads it.
        architecture: The network's name, for the message.

    Returns:
        Both outputs N×T, and the decoder that reads them.

    Raises:
        UsageError: The network has no CTC.
    """
    if not isinstance(decoder, CTCConvertor):
        raise UsageError(
            f"--decode-in-graph takes CTC's softmax and argmax into a recogniser's graph, and {architecture} detects "
            "text",
            "Leave it out.",
        )
    steps = logits.shape[:2]
    return (
        TensorSpec("indices", steps, "CTC class of each step, 0 is the blank", "int32"),
        TensorSpec("scores", steps, "probability of that class, 0 to 1"),
    ), msgspec.structs.replace(decoder, reads="best_classes")


def output_tensor(network: NetworkSettings, input_shape: Shape, *, all_outputs: bool) -> TensorSpec:
    """Return name, shape and meaning of the network's output."""
    batch, _, height, width = input_shape
    if isinstance(network, RecognizerSettings):
        steps = width // 4 + 1 if isinstance(width, int) else "sequence"
        return TensorSpec("logits", (batch, steps, network.decoder.num_classes), "CTC logits, class 0 is the blank")
    match network.head:
        case DBHeadSettings() if all_outputs:
            meaning = "channels: probability of text, threshold, approximate binary map; all 0 to 1"
            return TensorSpec("maps", (batch, 3, height, width), meaning)
        case DBHeadSettings():
            return TensorSpec("prob_map", (batch, 1, height, width), "probability of text, 0 to 1")
        case PSEHeadSettings():
            meaning = "logits of the text instances' kernels, largest first"
        case PANHeadSettings():
            meaning = "logits of text and of its kernels, then the embedding"
    quarter = tuple(length // 4 if isinstance(length, int) else f"map_{length}" for length in (height, width))
    return TensorSpec("maps", (batch, network.head.out_channels, *quarter), meaning)
