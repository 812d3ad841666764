import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest

from ocrdeploy.backends.trt import Library, load_library, make_logger
from ocrdeploy.backends.trt_builder import BuilderSettings, build_plan, merge_timing_caches
from ocrdeploy.backends.trt_parser import ParsedNetwork, parse_network
from ocrdeploy.errors import ModelError, UsageError
from ocrdeploy.model_spec import ShapeProfile, TensorRTFlavour
from ocrdeploy.onnx_file import GraphTensor
from tests.support.tensorrt import RTX, QuietMonitor, needs_rtx

pytestmark = needs_rtx

INPUT = GraphTensor("input", ("batch", 3, "height", "width"))
PROFILE = ShapeProfile((1, 3, 32, 32), (1, 3, 64, 96), (2, 3, 96, 96))


@pytest.fixture
def parsed(seeded_onnx: Callable[[str], Path]) -> ParsedNetwork:
    return parse_network(load_library(RTX), seeded_onnx("dbnet").read_bytes())


def settings(**changes: Any) -> BuilderSettings:
    return BuilderSettings(**{"inputs": (INPUT,), "profiles": (PROFILE,), "compute_capabilities": ("sm86",)} | changes)


def test_a_plan_is_built_and_watched(parsed: ParsedNetwork) -> None:
    monitor = QuietMonitor()
    plan = build_plan(load_library(RTX), parsed, settings(), monitor, threading.Event())
    assert plan is not None
    assert (len(plan.data) > 100_000, plan.timing_cache) == (True, None)
    assert monitor.open == []
    assert monitor.finished[-1] == "Building engine"
    assert len(monitor.steps) > 10
    assert not [message for severity, message in monitor.messages if severity in ("error", "warning")]


def test_a_build_ends_when_it_is_stopped(parsed: ParsedNetwork) -> None:
    stop = threading.Event()
    monitor = QuietMonitor(on_step=stop.set)
    assert build_plan(load_library(RTX), parsed, settings(), monitor, stop) is None
    assert len(monitor.steps) < 10


def test_a_network_that_cannot_be_built_is_an_error_with_the_reason(parsed: ParsedNetwork) -> None:
    # Feature maps of images that are no multiple of 32 do not fit together.
    profile = ShapeProfile((1, 3, 40, 40), (1, 3, 40, 40), (1, 3, 40, 40))
    library = load_library(RTX)
    with pytest.raises(ModelError) as caught:
        build_plan(library, parsed, settings(profiles=(profile,)), QuietMonitor(), threading.Event())
    assert caught.value.message.startswith(f"{library.name} cannot build the network: ")
    assert "\n" not in caught.value.message
    assert len(caught.value.message) > len(library.name) + 60


@pytest.mark.parametrize("gib", [0, -1, float("nan")])
def test_an_impossible_workspace_is_refused(gib: float) -> None:
    with pytest.raises(UsageError, match="the workspace is a positive number of GiB, got"):
        settings(workspace_gib=gib)


@pytest.mark.parametrize("level", [-1, 6])
def test_an_impossible_level_is_refused(level: int) -> None:
    with pytest.raises(UsageError, match=f"the optimisation level is a number from 0 to 5, got {level}"):
        settings(optimization_level=level)


class Recorder:
    """Stands for the builder of TensorRT, of which only the configuration is looked at.

    Its timing caches are sets of letters, and `X` is in none of them.
    """

    def __init__(self) -> None:
        self.real = load_library(RTX).trt
        self.config = create_autospec(self.real.IBuilderConfig, instance=True, spec_set=True)
        self.config.create_timing_cache.side_effect = self._cache
        self.builder = create_autospec(self.real.Builder, instance=True, spec_set=True)
        self.builder.create_builder_config.return_value = self.config

    def library(self, flavour: TensorRTFlavour = "tensorrt") -> Library:
        names = ("BuilderFlag", "MemoryPoolType", "ComputeCapability", "IProgressMonitor")
        module = SimpleNamespace(
            __version__="11.0",
            Builder=lambda _logger: self.builder,
            **{name: getattr(self.real, name) for name in names},
        )
        return Library(flavour, module, make_logger(self.real))

    def _cache(self, data: bytes) -> Any:
        if b"X" in data:
            return None
        cache = create_autospec(self.real.ITimingCache, instance=True, spec_set=True)
        content = set(data.decode())
        cache.serialize.side_effect = lambda: "".join(sorted(content)).encode()
        cache.combine.side_effect = lambda other, **_options: content.update(other.serialize().decode())
        return cache


def build_with(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, flavour: TensorRTFlavour = "tensorrt", **changes: Any
) -> bytes | None:
    """Build with a stand-in for the builder; return the timing cache."""
    from ocrdeploy.backends import trt_builder

    library = recorder.library(flavour)
    polygraphy = SimpleNamespace(engine_bytes_from_network=lambda _network, **_options: b"plan")

    class Context:
        def __enter__(self) -> SimpleNamespace:
            return polygraphy

        def __exit__(self, *_error: object) -> None:
            pass

    monkeypatch.setattr(trt_builder, "polygraphy_for", lambda _flavour: Context())
    network = ParsedNetwork(recorder.builder, None)
    wanted = settings(**{"profiles": (), "compute_capabilities": ()} | changes)
    plan = build_plan(library, network, wanted, QuietMonitor(), threading.Event())
    assert plan is not None
    assert plan.data == b"plan"
    return plan.timing_cache


def test_the_configuration_of_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    build_with(recorder, monkeypatch, workspace_gib=1.5, optimization_level=2)
    config = recorder.config
    config.clear_flag.assert_called_once_with(recorder.real.BuilderFlag.TF32)
    config.set_memory_pool_limit.assert_called_once_with(recorder.real.MemoryPoolType.WORKSPACE, 3 * 2**29)
    assert config.builder_optimization_level == 2
    assert isinstance(config.progress_monitor, recorder.real.IProgressMonitor)
    config.set_compute_capability.assert_not_called()
    config.create_timing_cache.assert_not_called()


def test_tensorrt_for_rtx_is_told_the_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    build_with(recorder, monkeypatch, "tensorrt-rtx", compute_capabilities=("sm75", "sm120"))
    known = recorder.real.ComputeCapability
    assert recorder.config.num_compute_capabilities == 2
    assert [call.args for call in recorder.config.set_compute_capability.call_args_list] == [
        (known.SM75, 0),
        (known.SM120, 1),
    ]
    recorder = Recorder()
    build_with(recorder, monkeypatch, "tensorrt-rtx", compute_capabilities=("current",))
    recorder.config.set_compute_capability.assert_called_once_with(known.CURRENT, 0)


def test_without_options_tensorrt_keeps_its_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    build_with(recorder, monkeypatch)
    recorder.config.set_memory_pool_limit.assert_not_called()
    assert not isinstance(recorder.config.builder_optimization_level, int)


def test_a_timing_cache_is_read_and_what_was_measured_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    recorder.config.get_timing_cache.side_effect = lambda: recorder._cache(b"abc")
    assert build_with(recorder, monkeypatch, timing_cache=b"ab") == b"abc"
    (cache,), options = recorder.config.set_timing_cache.call_args
    assert (cache.serialize(), options) == (b"ab", {"ignore_mismatch": False})


def test_a_file_that_is_no_timing_cache_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as caught:
        build_with(Recorder(), monkeypatch, timing_cache=b"X")
    assert str(caught.value) == ("the timing cache was not written by TensorRT 11.0. Name another file, or delete it.")


def test_timing_caches_are_merged() -> None:
    library = Recorder().library()
    assert merge_timing_caches(library, b"ab", b"bcd") == b"abcd"
    with pytest.raises(UsageError, match="the timing cache was not written by TensorRT"):
        merge_timing_caches(library, b"ab", b"X")


def test_a_cache_of_another_gpu_is_refused_before_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    recorder.config.set_timing_cache.return_value = False
    with pytest.raises(UsageError, match=r"^the timing cache was measured on another GPU than this one"):
        build_with(recorder, monkeypatch, timing_cache=b"ab")


def test_a_build_that_gives_no_timing_cache_is_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    recorder.config.get_timing_cache.return_value = None
    assert build_with(recorder, monkeypatch, timing_cache=b"ab") is None


def test_caches_of_different_gpus_are_not_merged() -> None:
    recorder = Recorder()
    cache = create_autospec(recorder.real.ITimingCache, instance=True, spec_set=True)
    cache.combine.return_value = False
    recorder.config.create_timing_cache.side_effect = lambda _data: cache
    with pytest.raises(UsageError, match="holds what was measured on another GPU"):
        merge_timing_caches(recorder.library(), b"ab", b"cd")


def test_tf32_is_on_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    build_with(recorder, monkeypatch, tf32=True)
    recorder.config.set_flag.assert_called_once_with(recorder.real.BuilderFlag.TF32)
    recorder.config.clear_flag.assert_not_called()
