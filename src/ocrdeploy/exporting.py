"""An MMOCR config and a checkpoint to a self-describing ONNX model.

PyTorch's TorchScript-based exporter writes the graph: it takes 0.3 s for CRNN and 2 s for DBNet where the newer one
took 25 s and 8 s, and it writes every opset from 11 to 20.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocrdeploy.artifacts import atomic_write, check_writable, checkpoint_record, embed_spec
from ocrdeploy.batches import blank_batch
from ocrdeploy.descriptions.loading import ModelConfig
from ocrdeploy.descriptions.specs import Shape, build_spec, check_static_shape, decoded_in_graph
from ocrdeploy.dialects.outline import Outline
from ocrdeploy.errors import ShapeError, UsageError
from ocrdeploy.hardware import Device
from ocrdeploy.images.reading import read_image
from ocrdeploy.model_spec import ExportOptions, ModelSpec, Task, Upsample
from ocrdeploy.running.models import require_torch
from ocrdeploy.running.opening import Opening
from ocrdeploy.steps import Step, color_type_of, output_size, typical_size
from ocrdeploy.tensors import check_asked_shape, shape_text

if TYPE_CHECKING:
    import onnx
    import torch

DEFAULT_OPSET = 17
"""New enough for every operator used here, old enough for TensorRT 8.5 and ONNX Runtime 1.12."""
OPSETS = range(11, 21)

TRACED_LENGTH = 64
"""Height and width, where they are open, of the image that a dynamic model is traced with: small, so that it is fast.

Nothing in the graph depends on it: feature maps are resized by constant factors, and an LSTM's steps are not unrolled.
"""

InputShape = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export and how.

    Attributes:
        config: The MMOCR config.
        checkpoint: The checkpoint's file.
        output: The ONNX file to write.
        image: An image whose size after the pipeline is the example's; None takes a neutral one of the pipeline's size.
        dynamic: Whether batch, height and width may vary (recognition: batch and width).
        shape: The size N×C×H×W of a static model, in place of the image's.
        opset: Version of the ONNX operators.
        upsample: Interpolation of the feature pyramid; `bilinear` is MMOCR's variant for runtimes without `nearest`.
        all_outputs: Keep DBNet's threshold and binary maps.
        decode_in_graph: Make CTC's softmax and argmax part of a recogniser's graph, so that two small arrays leave the
            device.
        task: What the model is expected to do; None takes what the config says.
        device: Where to trace the network; None is the CPU.
        trust_checkpoint: Read the checkpoint by running the code that it holds.

    Raises:
        UsageError: The options contradict each other, or a value is outside its range.
    """

    config: Path
    checkpoint: Path
    output: Path
    image: Path | None = None
    dynamic: bool = False
    shape: InputShape | None = None
    opset: int = DEFAULT_OPSET
    upsample: Upsample = "nearest"
    all_outputs: bool = False
    decode_in_graph: bool = False
    task: Task | None = None
    device: Device | None = None
    trust_checkpoint: bool = False

    def __post_init__(self) -> None:
        """Refuse options that contradict each other."""
        if self.opset not in OPSETS:
            raise UsageError(f"the opset is a number from {OPSETS[0]} to {OPSETS[-1]}, got {self.opset}")
        if self.dynamic and self.shape is not None:
            raise UsageError("--shape sets the size of a static model and --dynamic leaves it open: give one of them")
        if self.shape is not None:
            check_asked_shape(self.shape, "--shape")

    @property
    def options(self) -> ExportOptions:
        """What of it the model's spec records."""
        return ExportOptions(self.opset, self.dynamic, self.upsample, self.all_outputs, self.decode_in_graph)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported.

    Attributes:
        path: The ONNX file.
        spec: The spec inside it.
        example_shape: The input shape N×C×H×W of the image that was given, or of the neutral one.
        architecture: The network as PyTorch prints it.
    """

    path: Path
    spec: ModelSpec
    example_shape: InputShape
    architecture: str


def export_model(request: ExportRequest, opening: Opening | None = None) -> ExportReport:
    """Write the ONNX model.

    The graph holds the spec in its metadata; BatchNorm is folded into convolutions. What is written replaces an
    older file only when it is complete.

    Args:
        request: What to export and how.
        opening: What has read the config already, if anything has.

    Raises:
        InputError: Config, checkpoint, image, shape or output file cannot be used.
        MissingPackageError: PyTorch is not installed.
    """
    check_writable(request.output)
    config = (opening or Opening()).read_config(request.config, request.task)
    _check_options(request.options, config)
    checkpoint = checkpoint_record(request.checkpoint)
    shape = example_shape(request, config, config.tensors(None)[0][0].shape, config.family.size_multiple)
    require_torch()
    from ocrdeploy.descriptions.networks import load_network
    from ocrdeploy.graphs.serialization import serialize

    options = request.options
    static_shape = None if request.dynamic else shape
    spec = build_spec(config, checkpoint=checkpoint, export=options, static_shape=static_shape)
    network = load_network(config, request.checkpoint, options, trust_checkpoint=request.trust_checkpoint)
    check = getattr(network, "check_input", None)
    if request.shape is not None and callable(check):
        try:
            check(shape)
        except ShapeError as error:
            raise UsageError(f"--shape {shape_text(shape)}: {error.message}") from error
    model = _trace(network, spec, options.opset, request.device)
    embed_spec(model, spec)
    with atomic_write(request.output) as temporary:
        temporary.write_bytes(serialize(model))
    return ExportReport(request.output, spec, shape, str(network))


def _check_options(options: ExportOptions, config: ModelConfig) -> None:
    """Refuse options that change nothing of the network."""
    given = {"upsample": options.upsample != "nearest", "all_outputs": options.all_outputs}
    for name, is_given in given.items():
        if is_given and name not in config.family.options:
            raise UsageError(f"--{name.replace('_', '-')} changes nothing of {config.architecture}", "Leave it out.")
    if options.decode_in_graph:
        decoded_in_graph(config)


def example_shape(request: ExportRequest, outline: Outline, expected: Shape, multiple: int) -> InputShape:
    """Return the input shape to trace with, which is that of a static model.

    Args:
        request: What to export.
        outline: What the config says.
        expected: The shape that the network takes, open lengths by name.
        multiple: What divides height and width.

    Raises:
        ConfigError: Channels or height are not the network's.
        UsageError: Height or width are no multiples, or the shape takes no image such as the one that was given.
    """
    steps = outline.preprocessing
    shape = given_shape(request, steps) or (1, *output_size(example_size(request.image, steps), steps))
    check_static_shape(shape, expected)
    check_multiple(multiple, shape)
    return shape


def given_shape(request: ExportRequest, steps: Sequence[Step]) -> InputShape | None:
    """Return the shape that was asked for; None where the image or the pipeline tells it.

    Raises:
        ImageError: The image cannot be read.
        UsageError: The pipeline brings the image to another shape.
    """
    if request.shape is not None and request.image is not None:
        found = output_size(example_size(request.image, steps), steps)
        if found != request.shape[1:]:
            raise UsageError(
                f"--shape {shape_text(request.shape)} takes no image such as {request.image}, which the pipeline "
                f"brings to {shape_text((1, *found))}",
                "Leave one of them out.",
            )
    return request.shape


def check_multiple(multiple: int, shape: InputShape) -> None:
    """Refuse an input shape whose height or width a network does not take.

    Raises:
        UsageError: Names the multiple and the lengths.
    """
    if any(length % multiple for length in shape[2:]):
        raise UsageError(f"height and width of a shape are multiples of {multiple}, got {shape[2]} and {shape[3]}")


def example_size(image: Path | None, steps: Sequence[Step]) -> tuple[int, int]:
    """Return height and width of the example image: the one given, or a neutral one of the pipeline's size.

    Raises:
        ImageError: The image cannot be read.
        UsageError: There is no image, and the pipeline sets no size.
    """
    if image is not None:
        height, width = read_image(image, color_type_of(steps)).shape[:2]
        return height, width
    size = typical_size(steps)
    if size is None:
        raise UsageError("the pipeline does not resize, so it sets no size", "Give an image, or --shape N C H W.")
    return size


def _trace(network: "torch.nn.Module", spec: ModelSpec, opset: int, device: Device | None) -> "onnx.ModelProto":
    """Return the network's graph, with folded BatchNorm and the spec's names and shapes."""
    import torch

    from ocrdeploy.backends.torch import choose_torch_device
    from ocrdeploy.graphs.trace import trace

    place = "cpu" if device is None else str(choose_torch_device(device))
    # One image: with more, the exporter fears for the initial states of LSTMs, which are taken out of the graph.
    traced = tuple(
        1 if name == "batch" else TRACED_LENGTH if isinstance(name, str) else name for name in spec.input.shape
    )
    batch = blank_batch(spec, traced)
    inputs = tuple(torch.from_numpy(batch[tensor.name]).to(place) for tensor in spec.inputs)
    return trace(network.to(place), inputs, (spec.inputs, spec.outputs), opset)
