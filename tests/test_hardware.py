import ctypes
import os
import sys
from typing import Any

import pytest

from ocrdeploy.errors import UsageError
from ocrdeploy.hardware import CPU, Device, core_count, cuda_device_count, parse_device


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("cpu", CPU),
        ("CPU", CPU),
        (" cpu ", CPU),
        ("cuda", Device(0)),
        ("cuda:0", Device(0)),
        ("cuda:1", Device(1)),
        ("CUDA:12", Device(12)),
    ],
)
def test_devices_are_parsed(name: str, device: Device) -> None:
    assert parse_device(name) == device


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:-1", "cuda:a", "cuda 0", "cpu:0", "cuda:0,1", "0"])
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_device(name)
    assert caught.value.message == f"a device is cpu, cuda or cuda:N, got {name!r}"


def test_devices_say_what_they_are() -> None:
    assert (str(CPU), CPU.is_cuda) == ("cpu", False)
    assert (str(Device(0)), Device(0).is_cuda) == ("cuda:0", True)
    assert parse_device(str(Device(3))) == Device(3)


class Driver:
    """A CUDA driver that shows so many GPUs."""

    def __init__(self, devices: int = 0, init: int = 0, get_count: int = 0) -> None:
        self.devices, self.init, self.get_count = devices, init, get_count

    def cuInit(self, flags: int) -> int:  # noqa: N802  (the driver's name)
        assert flags == 0
        return self.init

    def cuDeviceGetCount(self, pointer: Any) -> int:  # noqa: N802  (the driver's name)
        ctypes.cast(pointer, ctypes.POINTER(ctypes.c_int))[0] = self.devices
        return self.get_count


@pytest.mark.parametrize(
    ("driver", "count"),
    [
        (Driver(2), 2),
        (Driver(0), 0),
        # CUDA_ERROR_NO_DEVICE, as with an empty CUDA_VISIBLE_DEVICES.
        (Driver(2, init=100), 0),
        (Driver(2, get_count=3), 0),
    ],
)
def test_the_driver_is_asked_for_gpus(driver: Driver, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def open_library(name: str) -> Driver:
        opened.append(name)
        return driver

    monkeypatch.setattr(ctypes, "CDLL", open_library)
    assert cuda_device_count() == count
    assert opened == ["nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"]


def test_without_a_driver_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    assert cuda_device_count() == 0


def test_cores_that_may_be_used_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= core_count() <= (os.cpu_count() or 1)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert core_count() == 1
