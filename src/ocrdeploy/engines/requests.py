"""What to build an engine from, and how."""

import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ocrdeploy.errors import UsageError
from ocrdeploy.hardware import Device
from ocrdeploy.idle_options import refuse_idle
from ocrdeploy.model_spec import TensorRTFlavour

from .shape_requests import GivenProfile, ShapeRequest
from .targets import CURRENT


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build and how.

    Attributes:
        onnx: The ONNX model.
        output: The engine to write.
        runtime: TensorRT, or TensorRT for RTX; None takes the one that is installed, TensorRT first.
        compute_capabilities: For TensorRT for RTX, the GPU architectures to build for, such as `sm86` or `8.6`, or
            `current`.
        config: The MMOCR config of a model that holds no spec.
        shapes: The input shapes that the user wants; those that are left out are derived from the model's pipeline.
        fp16: Convert to mixed precision.
        float32_layers: Names or operators of nodes that stay float32 then, besides the sensitive ones.
        tf32: Let float32 layers compute with TF32.
        save_onnx: Where to keep the converted model.
        workspace_gib: Most memory that a layer may use while it runs, in GiB; None sets no limit.
        optimization_level: 0 (quick to build) to 5 (thorough); None leaves it to TensorRT.
        timing_cache: A file with what earlier builds measured, which this one adds to.
        plugins: Libraries with plugins that the network needs.
        custom_ops: Libraries with operators that ONNX Runtime needs for the converted model.
        device: The GPU to build on; None takes the first.
        runs_engine: Whether the engine is to be run here at once, so that a GPU is needed in any case.

    Raises:
        UsageError: The options contradict each other.
    """

    onnx: Path
    output: Path
    runtime: TensorRTFlavour | None = None
    compute_capabilities: tuple[str, ...] = ()
    config: Path | None = None
    shapes: ShapeRequest = field(default_factory=ShapeRequest)
    fp16: bool = False
    float32_layers: tuple[str, ...] = ()
    tf32: bool = False
    save_onnx: Path | None = None
    workspace_gib: float | None = None
    optimization_level: int | None = None
    timing_cache: Path | None = None
    plugins: tuple[Path, ...] = ()
    custom_ops: tuple[Path, ...] = ()
    device: Device | None = None
    runs_engine: bool = False

    def __post_init__(self) -> None:
        """Refuse options that contradict each other."""
        if not self.fp16 and self.float32_layers:
            raise UsageError("--fp32-layers says what --fp16 leaves out: give both")
        if not self.fp16 and self.save_onnx is not None:
            raise UsageError("--save-onnx keeps the model that --fp16 converts: give both")
        names = {each.strip().lower() for each in self.compute_capabilities}
        refuse_idle(("--device", self.device, names <= {CURRENT} or self.runs_engine, "for a build ahead of time"))
        places = [path.resolve() for path in (self.onnx, self.output, self.save_onnx, self.timing_cache) if path]
        if len(set(places)) != len(places):
            raise UsageError("model, engine, converted model and timing cache are different files")


def rebuild_command(request: BuildRequest, flavour: TensorRTFlavour) -> str:
    """Return the command that builds the same engine again, but for the GPU architectures."""
    words = ["ocrdeploy", "build-engine", str(request.onnx), "--runtime", flavour, "-o", str(request.output)]
    words += [option for option, given in (("--fp16", request.fp16), ("--tf32", request.tf32)) if given]
    shapes = request.shapes
    options: tuple[tuple[str, Iterable[object]], ...] = (
        ("--fp32-layers", request.float32_layers),
        ("--profile", map(_profile_text, shapes.profiles)),
        ("--plugin", request.plugins),
        ("--custom-ops", request.custom_ops),
        ("--config", (request.config,)),
        ("--max-batch", (shapes.max_batch,)),
        ("--workspace-size", (request.workspace_gib,)),
        ("--optimization-level", (request.optimization_level,)),
        ("--timing-cache", (request.timing_cache,)),
        ("--device", (request.device,)),
    )
    for option, values in options:
        for value in values:
            words += [] if value is None else [option, str(value)]
    # It is kept in JSON, which has no place for the bytes of names that are no UTF-8.
    return os.fsencode(shlex.join(words)).decode("utf-8", "backslashreplace")


def _profile_text(given: GivenProfile) -> str:
    """Return a profile as --profile takes it."""
    shapes = (given.least, given.best, given.most) if given.best else (given.least, given.most)
    return ",".join("x".join(map(str, shape)) for shape in shapes)
