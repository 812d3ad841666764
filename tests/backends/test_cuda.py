import ctypes

import numpy as np
import pytest

from ocrdeploy.backends import cuda
from ocrdeploy.backends.cuda import CudaDevice, choose_gpu, load_driver
from ocrdeploy.errors import DeviceError
from ocrdeploy.hardware import CPU, Device, cuda_device_count
from tests.support.cuda_driver import FakeDriver


def test_bytes_go_to_the_device_and_back_and_everything_is_given_back() -> None:
    driver = FakeDriver()
    device = CudaDevice(0, driver)
    host, other = device.allocate_pinned(1000), device.allocate_pinned(600)
    address = device.allocate(1000)
    host[:] = np.arange(1000) % 251
    device.copy_to_device(address, host)
    device.copy_to_host(other, address)
    device.synchronize()
    np.testing.assert_array_equal(other, host[:600])
    assert driver.log == ["to device: 1000", "to host: 600", "synchronize"]
    assert (len(driver.blocks), len(driver.pinned), driver.contexts) == (1, 2, 1)
    device.close()
    assert (driver.blocks, driver.pinned, driver.streams, driver.contexts) == ({}, {}, set(), 0)


def test_the_architecture_is_the_compute_capability() -> None:
    assert CudaDevice(0, FakeDriver((8, 9))).architecture == "sm89"
    assert CudaDevice(0, FakeDriver((12, 0))).architecture == "sm120"


def test_the_context_is_current_while_it_is_used_and_the_previous_one_afterwards() -> None:
    driver = FakeDriver()
    somebodys = ctypes.c_void_p(0xAB)
    driver.cuCtxPushCurrent_v2(somebodys)
    device = CudaDevice(0, driver)
    assert driver.current == 0xAB
    with device.active():
        assert driver.current == 0xC0
    with pytest.raises(ValueError, match="whatever"), device.active():
        raise ValueError("whatever")
    assert driver.current == 0xAB
    device.close()
    assert driver.current == 0xAB


def test_closing_goes_on_where_a_part_fails_and_happens_once(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FakeDriver()
    device = CudaDevice(0, driver)
    for size in (10, 20):
        device.allocate(size)
        device.allocate_pinned(size)
    free = driver.cuMemFree_v2
    monkeypatch.setattr(driver, "cuMemFree_v2", lambda address: free(address) or 1)
    with pytest.raises(DeviceError, match="CUDA_ERROR_INVALID_VALUE"):
        device.close()
    assert (driver.blocks, driver.pinned, driver.streams, driver.contexts) == ({}, {}, set(), 0)
    device.close()
    assert driver.contexts == 0


def test_a_device_without_a_stream_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FakeDriver()
    monkeypatch.setattr(driver, "cuStreamCreate", lambda _stream, _flags: 2)
    with pytest.raises(DeviceError, match="CUDA_ERROR_OUT_OF_MEMORY"):
        CudaDevice(0, driver)
    assert (driver.contexts, driver.current) == (0, None)


def test_a_failure_has_the_drivers_name() -> None:
    device = CudaDevice(0, FakeDriver(memory=100))
    with pytest.raises(DeviceError, match=r"could not do what was asked of it: CUDA_ERROR_OUT_OF_MEMORY$"):
        device.allocate(101)
    with pytest.raises(DeviceError, match="CUDA_ERROR_INVALID_VALUE"):
        CudaDevice(7, FakeDriver())


def test_an_error_without_a_name_has_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FakeDriver()
    monkeypatch.setattr(driver, "cuInit", lambda _flags: 999)
    with pytest.raises(DeviceError, match=r"asked of it: error 999$"):
        CudaDevice(0, driver)


@pytest.mark.skipif(cuda_device_count() > 0, reason="this machine has a driver")
def test_a_machine_without_a_driver_says_so() -> None:
    with pytest.raises(DeviceError, match="this machine has no NVIDIA driver"):
        load_driver()


def test_the_gpu_is_the_first_or_the_one_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "cuda_device_count", lambda: 2)
    assert [choose_gpu(device, "", "") for device in (None, Device(0), Device(1))] == [0, 0, 1]
    with pytest.raises(DeviceError) as caught:
        choose_gpu(Device(2), "", "")
    assert str(caught.value) == "cuda:2 does not exist: this machine shows 2 CUDA devices. Use --device cuda:0."
    with pytest.raises(DeviceError) as caught:
        choose_gpu(CPU, "TensorRT runs on GPUs", "")
    assert str(caught.value) == "TensorRT runs on GPUs, and --device cpu was asked for. Leave --device out."


def test_without_a_gpu_the_reason_and_the_remedy_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "cuda_device_count", lambda: 0)
    with pytest.raises(DeviceError) as caught:
        choose_gpu(None, "TensorRT runs on GPUs", "Go elsewhere.")
    assert str(caught.value) == "TensorRT runs on GPUs, and this machine shows none. Go elsewhere."
    assert caught.value.exit_code == 3
