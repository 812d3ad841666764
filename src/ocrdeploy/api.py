"""Functions of the public interface that take plain arguments where the library takes requests.

`ocrdeploy.export_model` and `ocrdeploy.build_engine` have the options of `ocrdeploy export` and `ocrdeploy
build-engine`; `verify`, `evaluate` and `benchmark` stand in their own rooms.
"""

from collections.abc import Sequence
from pathlib import Path

from ocrdeploy.backends.trt import parse_flavour
from ocrdeploy.checkpoints.download import fetch_checkpoint, is_url
from ocrdeploy.engines import building
from ocrdeploy.engines.building import BuildReport
from ocrdeploy.engines.requests import BuildRequest
from ocrdeploy.engines.shape_requests import ShapeRequest, request_shapes
from ocrdeploy.exporting import DEFAULT_OPSET, ExportReport, ExportRequest, InputShape
from ocrdeploy.exporting import export_model as export_request
from ocrdeploy.hardware import parse_device
from ocrdeploy.model_spec import Task, Upsample
from ocrdeploy.output_files import OutputFiles
from ocrdeploy.running.sources import ENGINE_SUFFIXES

__all__ = ["build_engine", "export_model"]


def export_model(
    config: str | Path,
    checkpoint: str | Path,
    output: str | Path = "model.onnx",
    *,
    image: str | Path | None = None,
    dynamic: bool = False,
    shape: InputShape | None = None,
    opset: int = DEFAULT_OPSET,
    upsample: Upsample = "nearest",
    all_outputs: bool = False,
    decode_in_graph: bool = False,
    task: Task | None = None,
    device: str | None = None,
    trust_checkpoint: bool = False,
) -> ExportReport:
    """Export an MMOCR config and checkpoint to an ONNX model that describes itself.

    Args:
        config: The MMOCR config, a Python program: reading one runs it.
        checkpoint: The checkpoint's file, or an https URL, which is downloaded once.
        output: The ONNX file to write. An older one is replaced when the new one is whole.
        image: An image whose size after the pipeline a static model gets; by default a neutral one of the pipeline's
            size.
        dynamic: Leave batch, height and width open (recognition: batch and width).
        shape: The size N×C×H×W of a static model, in place of the image's.
        opset: ONNX opset, 11 to 20.
        upsample: Interpolation in the feature pyramid: `nearest`, as trained, or `bilinear`.
        all_outputs: Keep DBNet's threshold and binary maps, which decoding does not read.
        decode_in_graph: Recognition: make the decoder's softmax and argmax part of the graph.
        task: `det` or `recog`, what the model is expected to do; by default as the config says.
        device: `cpu`, `cuda` or `cuda:N`, where the network is traced; by default the CPU.
        trust_checkpoint: Read the checkpoint by running the code that it holds.

    Returns:
        What was exported, with the file, the spec inside it, and the network as PyTorch prints it.

    Raises:
        InputError: Config, checkpoint, image, shape or output file cannot be used, or options contradict each other.
        MissingPackageError: PyTorch is not installed.
    """
    files = OutputFiles()
    files.add("output", Path(output))
    files.protect_config(Path(config))
    files.protect(checkpoint, image)
    return export_request(
        ExportRequest(
            config=Path(config),
            checkpoint=fetch_checkpoint(str(checkpoint)) if is_url(str(checkpoint)) else Path(checkpoint),
            output=Path(output),
            image=None if image is None else Path(image),
            dynamic=dynamic,
            shape=shape,
            opset=opset,
            upsample=upsample,
            all_outputs=all_outputs,
            decode_in_graph=decode_in_graph,
            task=task,
            device=None if device is None else parse_device(device),
            trust_checkpoint=trust_checkpoint,
        )
    )


def build_engine(
    onnx: str | Path,
    output: str | Path | None = None,
    *,
    runtime: str | None = None,
    compute_capability: str | Sequence[str] = (),
    fp16: bool = False,
    tf32: bool = False,
    fp32_layers: Sequence[str] = (),
    save_onnx: str | Path | None = None,
    min_shape: InputShape | None = None,
    opt_shape: InputShape | None = None,
    max_shape: InputShape | None = None,
    max_batch: int | None = None,
    workspace_size: float | None = None,
    optimization_level: int | None = None,
    timing_cache: str | Path | None = None,
    config: str | Path | None = None,
    plugins: Sequence[str | Path] = (),
    custom_ops: Sequence[str | Path] = (),
    device: str | None = None,
) -> BuildReport:
    """Build a TensorRT engine from an ONNX model.

    Args:
        onnx: The ONNX model.
        output: The engine to write; `OUTPUT.json` beside it says what it is. By default the model's name with the
            suffix `.engine`.
        runtime: `tensorrt`, or `tensorrt-rtx`, which also builds on a machine without a GPU; by default what is
            installed, `tensorrt` first.
        compute_capability: For `tensorrt-rtx`: the GPU architecture to build for, or several, such as `sm86` (`8.6` and
            `86` are the same), or `current`.
        fp16: Compute in float16, sensitive operators in float32; input and output stay float32.
        tf32: Let float32 layers compute with TF32.
        fp32_layers: With `fp16`: names or operators of nodes that stay float32 too, as patterns such as `/neck/*`.
        save_onnx: With `fp16`: where to keep the converted model.
        min_shape: Smallest input N×C×H×W; with `max_shape`. By default the shapes follow from the pipeline.
        opt_shape: Input that the engine is fastest at.
        max_shape: Largest input; with `min_shape`.
        max_batch: Largest batch, without shapes; by default 1 image or 16 words.
        workspace_size: Most memory that a layer may use while it runs, in GiB.
        optimization_level: 0 (quick to build) to 5 (thorough).
        timing_cache: For `tensorrt`: a file with what builds measure, which is read and added to.
        config: The MMOCR config of a model that holds no spec.
        plugins: Shared libraries with plugins that the network needs.
        custom_ops: Shared libraries with operators that ONNX Runtime needs for the converted model.
        device: `cuda` or `cuda:N`, the GPU to build on.

    Returns:
        What was built, with the file, its record, how long it took, and what stays float32.

    Raises:
        InputError: Model, config, shapes, options or output cannot be used.
        MachineError: TensorRT or a GPU is missing.
    """
    model = Path(onnx)
    capabilities = (compute_capability,) if isinstance(compute_capability, str) else tuple(compute_capability)
    shapes = (
        ShapeRequest()
        if (min_shape, opt_shape, max_shape, max_batch) == (None, None, None, None)
        else request_shapes(min_shape, opt_shape, max_shape, (), max_batch)
    )
    return building.build_engine(
        BuildRequest(
            onnx=model,
            output=model.with_suffix(ENGINE_SUFFIXES[0]) if output is None else Path(output),
            runtime=None if runtime is None else parse_flavour(runtime),
            compute_capabilities=capabilities,
            config=None if config is None else Path(config),
            shapes=shapes,
            fp16=fp16,
            tf32=tf32,
            float32_layers=tuple(fp32_layers),
            save_onnx=None if save_onnx is None else Path(save_onnx),
            workspace_gib=workspace_size,
            optimization_level=optimization_level,
            timing_cache=None if timing_cache is None else Path(timing_cache),
            plugins=tuple(map(Path, plugins)),
            custom_ops=tuple(map(Path, custom_ops)),
            device=None if device is None else parse_device(device),
        )
    )
