import sys
from types import SimpleNamespace

import pytest

from ocrdeploy import control_groups, machine_report
from ocrdeploy.backends import onnx_sessions
from ocrdeploy.hardware import Device
from ocrdeploy.machine_report import Ability, inspect_machine
from tests.support.tensorrt import needs_rtx

ENGINES = (
    "build engines with TensorRT",
    "build engines ahead of time with TensorRT for RTX",
    "run engines of TensorRT",
    "run engines of TensorRT for RTX",
)
CUDA = "run models in ONNX Runtime on CUDA"
GPU = "an NVIDIA GPU with its driver"
TENSORRT = "pip install 'ocrdeploy[tensorrt]'"
RTX = "pip install 'ocrdeploy[tensorrt-rtx]'"
OLD_GPU = "a GPU that TensorRT for RTX runs on: this one is sm90"


def inspect(monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], gpus: int) -> dict[str, Ability]:
    """Return what a machine can do that has these packages and GPUs of sm90, where RTX knows sm86 alone."""
    monkeypatch.setattr(machine_report, "_version", lambda name: "1.0" if name in installed else None)
    monkeypatch.setattr(machine_report, "cuda_device_count", lambda: gpus)
    gpu = SimpleNamespace(architecture="sm90", close=lambda: None)
    monkeypatch.setattr(machine_report, "CudaDevice", lambda _index: gpu)
    monkeypatch.setattr(
        machine_report,
        "load_library",
        lambda flavour: SimpleNamespace(runs_on=lambda name: flavour == "tensorrt" or name == "sm86"),
    )
    monkeypatch.setattr(
        onnx_sessions, "try_provider", lambda device: "libcublas.so is missing" if device.is_cuda else ""
    )
    return {ability.name: ability for ability in inspect_machine().abilities}


@pytest.mark.parametrize(
    ("installed", "gpus", "expected"),
    [
        ((), 0, [GPU, RTX, GPU, GPU]),
        (("tensorrt-rtx",), 0, [GPU, "", GPU, GPU]),
        (("tensorrt", "tensorrt-rtx"), 0, [GPU, "", GPU, GPU]),
        ((), 1, [TENSORRT, RTX, TENSORRT, RTX]),
        (("tensorrt",), 1, ["", RTX, "", RTX]),
        (("tensorrt-rtx",), 1, [TENSORRT, "", TENSORRT, OLD_GPU]),
        (("tensorrt", "tensorrt-rtx"), 2, ["", "", "", OLD_GPU]),
    ],
)
def test_what_can_be_done_with_engines(
    installed: tuple[str, ...], gpus: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    abilities = inspect(monkeypatch, installed, gpus)
    assert [abilities[name].remedy for name in ENGINES] == expected
    assert all(abilities[name].available == (not abilities[name].remedy) for name in ENGINES)


def test_cuda_can_be_used_where_a_model_ran_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inspect(monkeypatch, (), 0)[CUDA] == Ability(CUDA, available=False, remedy=GPU)
    missing = 'libcublas.so is missing: pip install "ocrdeploy[gpu]"'
    assert inspect(monkeypatch, (), 1)[CUDA] == Ability(CUDA, available=False, remedy=missing)
    monkeypatch.setattr(onnx_sessions, "try_provider", lambda _device: "")
    report = inspect_machine()
    assert report.providers == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert report.gpu_architecture == "sm90"


def test_a_model_runs_on_the_cpu() -> None:
    assert onnx_sessions.try_provider(Device()) == ""


def test_a_runtime_without_cuda_is_not_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_sessions, "available_providers", lambda: ("CPUExecutionProvider",))
    monkeypatch.setattr(onnx_sessions.SessionSource, "open", lambda *_arguments: pytest.fail("a session was opened"))
    assert onnx_sessions.try_provider(Device(0)) == "this ONNX Runtime is built without CUDA"


def test_without_a_runtime_both_extras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ocrdeploy.backends.onnx_sessions")
    monkeypatch.delattr("ocrdeploy.backends.onnx_sessions")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    report = inspect_machine()
    remedy = {each.name: each.remedy for each in report.abilities}["run models in ONNX Runtime on the CPU"]
    assert "ocrdeploy[cpu]" in remedy
    assert "ocrdeploy[gpu]" in remedy
    assert report.providers == ()


def test_two_builds_of_onnx_runtime_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inspect_machine().problems == ()
    monkeypatch.setattr(machine_report, "describe_conflict", lambda _gpus: "both are installed")
    assert inspect_machine().problems == ("both are installed",)


def test_cores_and_quota_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_groups, "cpu_quota", lambda: 0.5)
    monkeypatch.setattr(machine_report, "cpu_quota", lambda: 0.5)
    report = inspect_machine()
    assert (report.cpu_quota, report.threads) == (0.5, 1)
    assert report.affinity_count <= report.cpu_count


@needs_rtx
def test_the_versions_of_tensorrt_are_listed() -> None:
    packages = {package.name: package for package in inspect_machine().packages}
    assert packages["tensorrt-rtx"].version is not None
    assert {"tensorrt", "polygraphy"} <= set(packages)
