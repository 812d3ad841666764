import pytest

from ocrdeploy import machine_report
from ocrdeploy.machine_report import inspect_machine

ENGINES = (
    "build engines with TensorRT",
    "build engines ahead of time with TensorRT for RTX",
    "run engines",
)
GPU = "an NVIDIA GPU with its driver"
TENSORRT = "pip install 'ocrdeploy[tensorrt]'"
RTX = "pip install 'ocrdeploy[tensorrt-rtx]'"


@pytest.mark.parametrize(
    ("installed", "gpus", "expected"),
    [
        ((), 0, [GPU, RTX, GPU]),
        (("tensorrt-rtx",), 0, [GPU, "", GPU]),
        (("tensorrt", "tensorrt-rtx"), 0, [GPU, "", GPU]),
        ((), 1, [TENSORRT, RTX, TENSORRT]),
        (("tensorrt",), 1, ["", RTX, ""]),
        (("tensorrt-rtx",), 1, [TENSORRT, "", ""]),
        (("tensorrt", "tensorrt-rtx"), 2, ["", "", ""]),
    ],
)
def test_what_can_be_done_with_engines(
    installed: tuple[str, ...], gpus: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_report, "_version", lambda name: "1.0" if name in installed else None)
    monkeypatch.setattr(machine_report, "cuda_device_count", lambda: gpus)
    abilities = {ability.name: ability for ability in inspect_machine().abilities}
    assert [abilities[name].remedy for name in ENGINES] == expected
    assert all(abilities[name].available == (not abilities[name].remedy) for name in ENGINES)


def test_the_versions_of_tensorrt_are_listed() -> None:
    packages = {package.name: package for package in inspect_machine().packages}
    assert packages["tensorrt-rtx"].version is not None
    assert {"tensorrt", "polygraphy"} <= set(packages)
