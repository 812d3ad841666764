"""An ONNX model to a TensorRT engine and its sidecar."""

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ocrdeploy.artifacts import atomic_write, check_writable, embed_spec, file_record, temporary_folder
from ocrdeploy.backends.cuda import choose_gpu
from ocrdeploy.backends.trt import Library, load_library, load_plugins
from ocrdeploy.backends.trt_builder import BuilderSettings, BuildMonitor, Plan, SilentMonitor, build_plan
from ocrdeploy.backends.trt_parser import UnparsableGraphError, parse_network
from ocrdeploy.datasets import read_dataset
from ocrdeploy.descriptions.loading import ModelConfig, load_config
from ocrdeploy.errors import AnnotationError, ConfigError, InputError, ModelError, UsageError, warn
from ocrdeploy.graphs.deformable import write_out_deform_conv
from ocrdeploy.graphs.mixed_precision import Conversion, convert_to_float16
from ocrdeploy.graphs.places import describe_refused
from ocrdeploy.graphs.serialization import is_large, serialize, write_model
from ocrdeploy.model_spec import ENGINE_SCHEMA_VERSION, EngineRecord, ModelSpec, ShapeProfile, TensorRTFlavour
from ocrdeploy.version import __version__

from .files import check_sidecar_writable, write_engine
from .input_sizes import Size, count_input_sizes
from .requests import BuildRequest, rebuild_command
from .shape_profiles import choose_profiles
from .sources import EngineSource, read_source
from .targets import BuildTarget, choose_target, requested_flavour
from .timing_caches import read_timing_cache, write_timing_cache

if TYPE_CHECKING:
    import onnx

POLL_SECONDS = 0.1
"""How long Ctrl-C may wait until it is looked at while TensorRT builds."""


@dataclass(frozen=True, slots=True, eq=False)
class BuildReport:
    """What was built.

    Attributes:
        path: The engine.
        record: What its sidecar says.
        size: The engine's size in bytes.
        seconds: How long TensorRT took.
        images: How many images of the data set were looked at for the shapes; 0 where it is not here.
        conversion: What was converted to float16; None for a float32 engine.
        written_out: How many deformable convolutions were written as GridSample; see `write_out_deform_conv`.
    """

    path: Path
    record: EngineRecord
    size: int
    seconds: float
    images: int
    conversion: Conversion | None
    written_out: int = 0


def build_engine(
    request: BuildRequest,
    monitor: BuildMonitor = SilentMonitor(),  # noqa: B008  (it keeps nothing)
    read_config: Callable[[Path], ModelConfig] = load_config,
) -> BuildReport:
    """Build an engine.

    The network is strongly typed: its precision is that of the graph, which --fp16 converts before. TensorRT works in a
    thread of its own, so that Ctrl-C is heard; the build then ends at its next step and no file is changed.

    Args:
        request: What to build and how.
        monitor: Watches the build.
        read_config: What reads the config, or has read it already.

    Raises:
        InputError: Model, config, shapes, options or output cannot be used.
        MachineError: TensorRT or a GPU is missing.
        KeyboardInterrupt: The user has stopped the build.
    """
    prepared = _prepare(request, read_config)
    library = load_library(prepared.flavour)
    load_plugins(request.plugins)
    if request.runs_engine:
        choose_gpu(request.device, "--verify and --show run the engine on an NVIDIA GPU", "Leave them out.")
    with closing(choose_target(library, request.compute_capabilities, request.device)) as target:
        started = time.perf_counter()
        plan = _build(library, prepared.model, _settings(request, prepared, target), target, monitor)
        seconds = time.perf_counter() - started
        record = _record(request, prepared, plan, target, library)
        write_engine(request.output, plan.data, record)
        _keep_measurements(request, plan, library, target)
    return BuildReport(
        request.output, record, len(plan.data), seconds, prepared.images, prepared.conversion, prepared.written_out
    )


def _keep_measurements(request: BuildRequest, plan: Plan, library: Library, target: BuildTarget) -> None:
    """Add what a build measured to the timing cache; where that fails, the engine is there all the same."""
    if request.timing_cache is None:
        return
    try:
        if plan.timing_cache is None:
            raise UsageError(f"{library.name} gave none")
        with target.active():
            write_timing_cache(library, request.timing_cache, plan.timing_cache)
    except InputError as error:
        warn(f"what was measured is not in the timing cache {request.timing_cache}: {error}")


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """What is to be built, as far as it is told without TensorRT.

    Attributes:
        source: The ONNX model.
        flavour: What to build with.
        profiles: The input shapes.
        images: How many images of the data set were looked at for them.
        timing_cache: What earlier builds measured; None where it is not wanted.
        conversion: What was converted to float16, if anything.
        written_out: How many deformable convolutions were written as GridSample.
        model: The model to build.
        spec: Its spec, if there is one.
    """

    source: EngineSource
    flavour: TensorRTFlavour
    profiles: tuple[ShapeProfile, ...]
    images: int
    timing_cache: bytes | None
    conversion: Conversion | None
    written_out: int
    model: "onnx.ModelProto"
    spec: ModelSpec | None


def _prepare(request: BuildRequest, read_config: Callable[[Path], ModelConfig]) -> _Prepared:
    """Do what needs no TensorRT: look at the files, choose shapes, convert to operators and types that it takes."""
    for path in (request.output, request.save_onnx, request.timing_cache):
        if path is not None:
            check_writable(path)
    check_sidecar_writable(request.output)
    source = read_source(request.onnx, None if request.config is None else read_config(request.config))
    flavour = requested_flavour(request.runtime, request.compute_capabilities, request.timing_cache)
    sizes = {} if source.is_static else _input_sizes(source.spec)
    profiles = choose_profiles(source.inputs[0].shape, source.spec, request.shapes, sizes)
    measured = None if request.timing_cache is None else read_timing_cache(request.timing_cache)
    written_out = write_out_deform_conv(source.model)
    conversion = convert_to_float16(source.model, request.float32_layers) if request.fp16 else None
    model = source.model if conversion is None else conversion.model
    spec = _engine_spec(source, request)
    if spec is not None:
        embed_spec(model, spec)
    if request.save_onnx is not None:
        with atomic_write(request.save_onnx) as temporary:
            temporary.write_bytes(serialize(model))
    return _Prepared(source, flavour, profiles, sum(sizes.values()), measured, conversion, written_out, model, spec)


def _input_sizes(spec: ModelSpec | None) -> dict[Size, int]:
    """Return the sizes of the images of the model's data sets, as far as they are here."""
    data = []
    for dataset in () if spec is None else spec.datasets:
        try:
            data.append(read_dataset(dataset))
        except (AnnotationError, ConfigError):
            continue
    return {} if spec is None else count_input_sizes(spec.preprocessing, data)


def _engine_spec(source: EngineSource, request: BuildRequest) -> ModelSpec | None:
    """Return the spec of what is built."""
    if source.spec is None:
        return None
    changes: dict[str, Any] = {}
    if request.fp16:
        changes["precision"] = "fp16"
    if request.custom_ops:
        changes["custom_ops"] = tuple(file_record(path) for path in request.custom_ops)
    return msgspec.structs.replace(source.spec, **changes)


def _settings(request: BuildRequest, prepared: _Prepared, target: BuildTarget) -> BuilderSettings:
    """Return the builder's settings."""
    return BuilderSettings(
        inputs=prepared.source.inputs,
        profiles=() if prepared.source.is_static else prepared.profiles,
        compute_capabilities=target.compute_capabilities,
        workspace_gib=request.workspace_gib,
        optimization_level=request.optimization_level,
        timing_cache=prepared.timing_cache,
        tf32=request.tf32,
    )


def _build(
    library: Library, model: "onnx.ModelProto", settings: BuilderSettings, target: BuildTarget, monitor: BuildMonitor
) -> Plan:
    """Parse and build in a thread of its own.

    Raises:
        ModelError: TensorRT cannot read the graph, or cannot build it.
        KeyboardInterrupt: The user has stopped the build.
    """
    stop = threading.Event()

    def work() -> Plan | None:
        with target.active(), temporary_folder() as folder:
            with library.logging_to(monitor.log):
                content = write_model(model, folder) if is_large(model) else serialize(model)
                parsed = parse_network(library, content)
            return build_plan(library, parsed, settings, monitor, stop)

    try:
        plan = _in_background(work, stop)
    except UnparsableGraphError as error:
        raise _parser_error(error, library, model) from error
    if plan is None:
        raise KeyboardInterrupt
    return plan


def _in_background(work: Callable[[], Plan | None], stop: threading.Event) -> Plan | None:
    """Run a function in another thread; Ctrl-C sets the event, and waits until the function has seen it."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(work)
        try:
            while not wait([future], timeout=POLL_SECONDS).done:
                pass
        finally:
            stop.set()
        return future.result()


def _parser_error(error: UnparsableGraphError, library: Library, model: "onnx.ModelProto") -> ModelError:
    """Return the error that tells a user where in the graph the parser stopped."""
    first = error.complaints[0]
    if not 0 <= first.node < len(model.graph.node):
        return ModelError(error.message)
    operator, place = describe_refused(model, first.node, first.operator, first.name)
    others = f"; {len(error.complaints) - 1} more nodes are refused" if len(error.complaints) > 1 else ""
    if first.is_unknown:
        return ModelError(
            f"{library.name} has no operator {operator}: {place}{others}",
            "Give the library of the plugin that has it with --plugin LIB.so.",
        )
    return ModelError(f"{library.name} cannot take this {operator}: {first.reason}: {place}{others}")


def _record(
    request: BuildRequest, prepared: _Prepared, plan: Plan, target: BuildTarget, library: Library
) -> EngineRecord:
    """Return what the sidecar says."""
    return EngineRecord(
        schema=ENGINE_SCHEMA_VERSION,
        plan_sha256=hashlib.sha256(plan.data).hexdigest(),
        onnx=prepared.source.record,
        runtime=library.flavour,
        version=library.version,
        gpu_architectures=target.architectures,
        precision="fp32" if prepared.source.precision == "fp32" and not request.fp16 else "fp16",
        tf32=request.tf32,
        profiles=prepared.profiles,
        rebuild=rebuild_command(request, library.flavour),
        plugins=tuple(file_record(path) for path in request.plugins),
        weights=prepared.source.weights,
        spec=prepared.spec,
        tools={"ocrdeploy": __version__},
    )
