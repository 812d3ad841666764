"""From a network to a TensorRT plan: the builder's settings, the build, what was measured in it."""

import threading
from dataclasses import dataclass
from typing import Any, Protocol

from ocrdeploy.errors import ModelError, UsageError
from ocrdeploy.model_spec import ShapeProfile
from ocrdeploy.onnx_file import GraphTensor

from .trt import Library, Severity, one_line, polygraphy_for
from .trt_parser import ParsedNetwork

GIB = 2**30
OPTIMIZATION_LEVELS = range(6)


@dataclass(frozen=True, slots=True)
class BuilderSettings:
    """How to build.

    Attributes:
        inputs: The network's inputs, the images first.
        profiles: The shapes of the images; empty for a static network. Other inputs have an entry an image.
        compute_capabilities: For TensorRT for RTX, the GPU architectures to build for, or `current`.
        workspace_gib: Most memory that a layer may use while it runs, in GiB; None sets no limit.
        optimization_level: 0 (quick to build) to 5 (thorough); None leaves it to TensorRT.
        timing_cache: What earlier builds measured, serialized; None measures and keeps nothing.
        tf32: Whether float32 layers may compute with TF32, which has the 11 bits of float16.

    Raises:
        UsageError: A number is outside its range.
    """

    inputs: tuple[GraphTensor, ...]
    profiles: tuple[ShapeProfile, ...] = ()
    compute_capabilities: tuple[str, ...] = ()
    workspace_gib: float | None = None
    optimization_level: int | None = None
    timing_cache: bytes | None = None
    tf32: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers outside their range."""
        if self.workspace_gib is not None and not self.workspace_gib > 0:
            raise UsageError(f"the workspace is a positive number of GiB, got {self.workspace_gib:g}")
        if self.optimization_level is not None and self.optimization_level not in OPTIMIZATION_LEVELS:
            raise UsageError(f"the optimisation level is a number from 0 to 5, got {self.optimization_level}")


class BuildMonitor(Protocol):
    """Watches a build; its methods are called from the thread that builds."""

    def log(self, severity: Severity, message: str) -> None:
        """Take one message of TensorRT's log."""
        ...

    def phase_started(self, name: str, parent: str | None, steps: int) -> None:
        """Take note that a phase of so many steps begins, as a part of another or on its own."""
        ...

    def step_done(self, name: str, step: int) -> None:
        """Take note that a step of a phase, counted from 0, is done."""
        ...

    def phase_finished(self, name: str) -> None:
        """Take note that a phase is over."""
        ...


class SilentMonitor:
    """Watches a build and tells nobody."""

    def log(self, severity: Severity, message: str) -> None:
        """Forget a message."""

    def phase_started(self, name: str, parent: str | None, steps: int) -> None:
        """Show nothing."""

    def step_done(self, name: str, step: int) -> None:
        """Show nothing."""

    def phase_finished(self, name: str) -> None:
        """Show nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was built.

    Attributes:
        data: The serialized engine.
        timing_cache: What was measured, with what was known before; None where nothing was, or is not wanted.
    """

    data: bytes
    timing_cache: bytes | None


def build_plan(
    library: Library, parsed: ParsedNetwork, settings: BuilderSettings, monitor: BuildMonitor, stop: threading.Event
) -> Plan | None:
    """Build a plan.

    Args:
        library: The TensorRT that parsed the network.
        parsed: The network.
        settings: How to build.
        monitor: Watches.
        stop: Once it is set, the build ends at its next step.

    Returns:
        The plan; None if the build was stopped.

    Raises:
        UsageError: The timing cache is not this TensorRT's.
        ModelError: TensorRT cannot build the network.
    """
    problems: list[str] = []

    def log(severity: Severity, message: str) -> None:
        if severity == "error":
            problems.append(one_line(message))
        monitor.log(severity, message)

    config = _make_config(library, parsed.builder, settings)
    config.progress_monitor = _progress_monitor(library, monitor, stop)
    with library.logging_to(log), polygraphy_for(library.flavour) as polygraphy:
        for profile in settings.profiles:
            shapes = polygraphy.Profile()
            for tensor in settings.inputs:
                shapes.add(tensor.name, *profile.shapes_of(tensor.shape))
            config.add_optimization_profile(shapes.to_trt(parsed.builder, parsed.network))
        try:
            data = bytes(polygraphy.engine_bytes_from_network((parsed.builder, parsed.network), config=config))
        except Exception as error:  # Polygraphy's own, whose words only say that there was no engine
            if stop.is_set():
                return None
            reason = problems[0] if problems else one_line(str(error))
            raise ModelError(
                f"{library.name} cannot build the network: {reason}", "--verbose shows its log."
            ) from error
    cache = None if settings.timing_cache is None else config.get_timing_cache()
    return Plan(data, None if cache is None else bytes(cache.serialize()))


def merge_timing_caches(library: Library, first: bytes, second: bytes) -> bytes:
    """Return a timing cache with what two know; where both know something, what the first says.

    Raises:
        UsageError: One of them is not this TensorRT's, or the two were measured on different GPUs.
    """
    config = library.trt.Builder(library.logger).create_builder_config()
    cache, other = (_open_timing_cache(library, config, data) for data in (first, second))
    if cache.combine(other, ignore_mismatch=False) is False:
        raise UsageError(
            "the timing cache holds what was measured on another GPU or by another version", "Name another file."
        )
    return bytes(cache.serialize())


def _make_config(library: Library, builder: Any, settings: BuilderSettings) -> Any:
    """Return the builder's configuration.

    It is made here and not by Polygraphy, which gives every configuration a timing cache; in TensorRT for RTX that is
    deprecated and asks for a GPU.
    """
    trt = library.trt
    config = builder.create_builder_config()
    # TensorRT has it on by default.
    (config.set_flag if settings.tf32 else config.clear_flag)(trt.BuilderFlag.TF32)
    if settings.workspace_gib is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, int(settings.workspace_gib * GIB))
    if settings.optimization_level is not None:
        config.builder_optimization_level = settings.optimization_level
    if settings.timing_cache is not None:
        cache = _open_timing_cache(library, config, settings.timing_cache)
        if config.set_timing_cache(cache, ignore_mismatch=False) is False:
            raise UsageError(
                f"the timing cache was measured on another GPU than this one, or by another build of {library.name}",
                "Name another file.",
            )
    if library.flavour == "tensorrt-rtx":
        config.num_compute_capabilities = len(settings.compute_capabilities)
        for index, name in enumerate(settings.compute_capabilities):
            config.set_compute_capability(trt.ComputeCapability.__members__[name.upper()], index)
    return config


def _open_timing_cache(library: Library, config: Any, data: bytes) -> Any:
    """Return a timing cache; of no data, an empty one.

    Raises:
        UsageError: It is not this TensorRT's.
    """
    cache = config.create_timing_cache(data)
    if cache is None:
        raise UsageError(f"the timing cache was not written by {library.name}", "Name another file, or delete it.")
    return cache


def _progress_monitor(library: Library, monitor: BuildMonitor, stop: threading.Event) -> Any:
    """Return TensorRT's progress monitor that tells ours, and ends the build when it is to stop."""
    trt = library.trt

    class Progress(trt.IProgressMonitor):  # type: ignore[misc, name-defined]
        """Tells our monitor."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            """Take note that a phase begins."""
            monitor.phase_started(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            """Take note of a step, and return whether to go on."""
            monitor.step_done(phase_name, step)
            return not stop.is_set()

        def phase_finish(self, phase_name: str) -> None:
            """Take note that a phase is over."""
            monitor.phase_finished(phase_name)

    return Progress()
