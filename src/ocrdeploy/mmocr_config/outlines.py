"""What a config says of a model beside its network: enough to run one that MMOCR itself has built."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrdeploy.artifacts import file_record
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import (
    SCHEMA_VERSION,
    CTCConvertor,
    Dataset,
    DBPostprocessor,
    Decoder,
    Dimension,
    EvaluationSettings,
    ExportOptions,
    FileRecord,
    ModelSpec,
    ResizeOCR,
    Source,
    Step,
    Task,
    TensorSpec,
)
from ocrdeploy.preprocessing import check_steps
from ocrdeploy.version import __version__

from .architectures import read_detection_decoder
from .label_convertors import read_label_convertor
from .loading import check_datasets, check_strides, read_evaluation, required_sections
from .reading import read_config
from .section import Section
from .spec_building import INPUT_NAME
from .test_sets import read_test_sets

CHANNELS = "channels"
"""Stands for the number of a head's channels where the network has not run yet."""
INPUT_MEANING = "image, prepared as `preprocessing` says"


@dataclass(frozen=True, slots=True)
class ModelOutline:
    """What a config says of a model beside its network, which may be any that MMOCR has.

    Attributes:
        architecture: MMOCR's name of the network.
        task: Text detection or recognition.
        preprocessing: Steps of the test pipeline.
        postprocessing: The decoder with its thresholds.
        datasets: The data sets of `data.test`.
        evaluation: The metric.
        record: The config file and its hash.
    """

    architecture: str
    task: Task
    preprocessing: tuple[Step, ...]
    postprocessing: Decoder
    datasets: tuple[Dataset, ...]
    evaluation: EvaluationSettings
    record: FileRecord


def load_outline(path: Path, task: Task | None = None) -> ModelOutline:
    """Read an MMOCR config but for its network, of which nothing is checked.

    Args:
        path: The config file; reading it runs it.
        task: What the model is expected to do; by default the config says.

    Raises:
        ConfigError: The config is broken, is of another task, or asks for pre- or post-processing that is not known.
    """
    values = read_config(path)
    try:
        model, data = required_sections(values)
        name = model.type_name()
        found, decoder = _read_decoder(model, name)
        datasets, preprocessing = read_test_sets(data.section("test"))
        evaluation = read_evaluation(Section(values.get("evaluation", {}), "evaluation"), found)
        check_datasets(name, found, datasets)
        if found == "det":
            check_strides(name, preprocessing)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}", error.fix) from error
    if task is not None and task != found:
        raise ConfigError(f"{path}: {name} is a model for task {found!r}, not {task!r}")
    return ModelOutline(name, found, preprocessing, decoder, datasets, evaluation, file_record(path))


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
    heights = [step.height for step in outline.preprocessing if isinstance(step, ResizeOCR)]
    height: Dimension = heights[0] if heights else "height"
    return check_steps(outline.preprocessing), height, "width"


def _read_decoder(model: Section, name: str) -> tuple[Task, Decoder]:
    """Read the post-processing of a detector or a recogniser."""
    if "bbox_head" in model:
        head = model.section("bbox_head")
        return "det", read_detection_decoder(head, head.type_name())
    if "label_convertor" in model:
        return "recog", read_label_convertor(model.section("label_convertor"))
    raise ConfigError(
        f"{model.place}.type = {name!r}: its post-processing is not known, because it has neither a bbox_head nor a "
        "label_convertor"
    )


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
