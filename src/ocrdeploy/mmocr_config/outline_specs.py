"""The spec of a model whose network MMOCR itself has built."""

from collections.abc import Sequence

from ocrdeploy.decoders import CTCConvertor, DBPostprocessor, Decoder
from ocrdeploy.model_spec import SCHEMA_VERSION, Dimension, ExportOptions, FileRecord, ModelSpec, Source, TensorSpec
from ocrdeploy.steps import check_steps, fixed_height
from ocrdeploy.version import __version__

from .outlines import ModelOutline
from .spec_building import INPUT_NAME

CHANNELS = "channels"
"""Stands for the number of a head's channels where the network has not run yet."""
INPUT_MEANING = "image, prepared as `preprocessing` says"


def spec_of_outline(
    outline: ModelOutline,
    *,
    checkpoint: FileRecord,
    export: ExportOptions | None,
    output_shape: Sequence[int] | None = None,
    static_shape: tuple[int, int, int, int] | None = None,
    tools: dict[str, str] | None = None,
) -> ModelSpec:
    """Return the spec of a model that MMOCR has built.

    Args:
        outline: What the config says.
        checkpoint: The weights' file.
        export: How a graph was written; None for the model itself.
        output_shape: Shape of the output for one input; None where it is not known.
        static_shape: The one input shape N×C×H×W of a static model; None for a dynamic one.
        tools: Versions of the packages that built the model.
    """
    all_outputs = export is not None and export.all_outputs
    dynamic: tuple[Dimension, ...] = ("batch", *dynamic_image_shape(outline))
    return ModelSpec(
        schema=SCHEMA_VERSION,
        task=outline.task,
        architecture=outline.architecture,
        input=TensorSpec(INPUT_NAME, static_shape or dynamic, INPUT_MEANING),
        outputs=(_output(outline.postprocessing, output_shape, is_static=static_shape is not None, full=all_outputs),),
        preprocessing=outline.preprocessing,
        postprocessing=outline.postprocessing,
        datasets=outline.datasets,
        evaluation=outline.evaluation,
        source=Source(outline.record, checkpoint),
        export=export,
        tools={"ocrdeploy": __version__} | (tools or {}),
    )


def dynamic_image_shape(outline: ModelOutline) -> tuple[int, Dimension, Dimension]:
    """Return the shape C×H×W of what the test pipeline makes; the height of words is fixed."""
    return check_steps(outline.preprocessing), fixed_height(outline.preprocessing) or "height", "width"


def _output(decoder: Decoder, shape: Sequence[int] | None, *, is_static: bool, full: bool) -> TensorSpec:
    """Return name, shape and meaning of the head's output, with MMOCR's number of channels where it is known."""
    if isinstance(decoder, CTCConvertor):
        open_shape: tuple[Dimension, ...] = ("batch", "sequence", len(decoder.dictionary))
        name, meaning = "logits", "CTC logits, class 0 is the blank"
    elif isinstance(decoder, DBPostprocessor):
        open_shape = ("batch", 3 if full else 1, "height", "width")
        name = "maps" if full else "prob_map"
        meaning = "probability of text, 0 to 1"
        if full:
            meaning = "channels: probability of text, threshold, approximate binary map; all 0 to 1"
    else:
        channels = CHANNELS if shape is None else shape[1]
        open_shape = ("batch", channels, "map_height", "map_width")
        name, meaning = "maps", "logits, which `postprocessing` says how to read"
    return TensorSpec(name, tuple(shape) if is_static and shape is not None else open_shape, meaning)
