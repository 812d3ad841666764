"""Exporting networks that this package does not have: MMOCR builds and traces them, the rest is done here."""

from dataclasses import dataclass

from ocrdeploy.artifacts import atomic_write, check_writable, checkpoint_record, embed_spec
from ocrdeploy.descriptions.loading import load_outline
from ocrdeploy.descriptions.specs import dynamic_image_shape, spec_of_outline
from ocrdeploy.dialects.outline import Outline
from ocrdeploy.errors import ModelError, UsageError
from ocrdeploy.exporting import ExportReport, ExportRequest, InputShape, example_shape
from ocrdeploy.model_spec import DETECTOR_MULTIPLE, ExportOptions, FileRecord, ModelSpec, shape_text

from .reference import MmocrReference

BUILDER_TOOLS = ("mmocr", "mmdet", "mmcv-full", "mmcv", "mmengine", "torch")
"""What the spec of such a model records the versions of."""


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """An export whose input has been checked.

    Attributes:
        request: What to export and how.
        outline: What the config says beside the network.
        checkpoint: The checkpoint's file.
        shape: The input shape N×C×H×W to trace with, which is that of a static model.
        options: The options of the export.
    """

    request: ExportRequest
    outline: Outline
    checkpoint: FileRecord
    shape: InputShape
    options: ExportOptions


def plan_export(request: ExportRequest) -> ExportPlan:
    """Check what a request asks for, before MMOCR is started.

    Raises:
        UsageError: MMOCR's own network cannot be exported so.
        InputError: Config, checkpoint, image, shape or output file cannot be used.
    """
    check_writable(request.output)
    if request.upsample != "nearest":
        raise UsageError("--upsample chooses between this package's networks; MMOCR's is exported as it was trained")
    if request.decode_in_graph:
        raise UsageError("--decode-in-graph changes this package's networks; MMOCR's is exported as it is")
    if request.device is not None and request.device.is_cuda:
        raise UsageError(f"MMOCR traces networks on the CPU, not on {request.device}")
    outline = load_outline(request.config, request.task)
    expected = "batch", *dynamic_image_shape(outline)
    return ExportPlan(
        request,
        outline,
        checkpoint_record(request.checkpoint),
        example_shape(request, outline, expected, DETECTOR_MULTIPLE if outline.task == "det" else 1),
        request.options,
    )


def export_with_mmocr(plan: ExportPlan, reference: MmocrReference) -> ExportReport:
    """Write the ONNX model of a network that MMOCR has built.

    The graph holds the spec in its metadata, with the versions of what built it. Post-processing is restricted to what
    this package decodes, see `ocrdeploy.decoders`.

    Args:
        plan: What to export and how.
        reference: Config and checkpoint of the request in the real MMOCR, opened with the plan's options.

    Raises:
        ConfigError: The network has operators that ONNX lacks.
        ModelError: The network's output is none that the decoder reads.
        MissingPackageError: MMOCR's interpreter lacks onnx.
        CheckError: PyTorch cannot export the network.
    """
    from ocrdeploy.graphs.cleanup import tidy

    request = plan.request
    graph = reference.export(plan.shape, plan.options)
    _check_output(reference.spec, graph.output_shape)
    spec = spec_of_outline(
        plan.outline,
        checkpoint=plan.checkpoint,
        export=plan.options,
        output_shape=graph.output_shape,
        static_shape=None if request.dynamic else plan.shape,
        tools={name: reference.versions[name] for name in BUILDER_TOOLS if name in reference.versions},
    )
    tidy(graph.model)
    embed_spec(graph.model, spec)
    with atomic_write(request.output) as temporary:
        temporary.write_bytes(graph.model.SerializeToString())
    return ExportReport(request.output, spec, plan.shape, graph.network)


def _check_output(spec: ModelSpec, shape: tuple[int, ...]) -> None:
    """Refuse a network whose output is none that the decoder reads."""
    expected = spec.outputs[0].shape
    fits = len(shape) == len(expected) and all(
        length == wanted for length, wanted in zip(shape[1:], expected[1:], strict=True) if isinstance(wanted, int)
    )
    if not fits:
        decoder = type(spec.postprocessing).__name__
        raise ModelError(f"{decoder} reads an output {shape_text(expected)}, and the network gives {shape_text(shape)}")
