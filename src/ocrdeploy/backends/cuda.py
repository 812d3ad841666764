"""A CUDA device through its driver: memory, copies and a stream. Needs nothing beside the driver.

TensorRT uses the CUDA runtime, which shares the device's primary context with the driver interface that is used here.
"""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import DeviceError
from ocrdeploy.hardware import Device, cuda_device_count

CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76
"""Numbers of the attributes (`CUdevice_attribute`) that a device's compute capability is read from."""
NON_BLOCKING_STREAM = 1
"""Flag of a stream that does not wait for the default stream."""


class CudaDevice:
    """One CUDA device. What it allocates is given back by `close`.

    Its methods, but for `active`, `architecture` and `close`, are called while it is active in the calling thread.

    Args:
        index: Which one, in the driver's order.
        driver: The driver's library; None loads the machine's.

    Raises:
        DeviceError: There is no driver, or the device cannot be used.
    """

    def __init__(self, index: int, driver: Any = None) -> None:
        self._driver = load_driver() if driver is None else driver
        self._is_closed = False
        self._device_memory: list[int] = []
        self._host_memory: list[int] = []
        self._call(self._driver.cuInit, ctypes.c_uint(0))
        device = ctypes.c_int()
        self._call(self._driver.cuDeviceGet, ctypes.byref(device), ctypes.c_int(index))
        self._device = device
        self._context = ctypes.c_void_p()
        self._call(self._driver.cuDevicePrimaryCtxRetain, ctypes.byref(self._context), device)
        stream = ctypes.c_void_p()
        try:
            with self.active():
                self._call(self._driver.cuStreamCreate, ctypes.byref(stream), ctypes.c_uint(NON_BLOCKING_STREAM))
        except DeviceError:
            self._call(self._driver.cuDevicePrimaryCtxRelease_v2, device)
            raise
        self.stream: int = stream.value or 0

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let the calling thread use this device while the block runs, and the one that it used before afterwards."""
        self._call(self._driver.cuCtxPushCurrent_v2, self._context)
        try:
            yield
        finally:
            self._call(self._driver.cuCtxPopCurrent_v2, ctypes.byref(ctypes.c_void_p()))

    @property
    def architecture(self) -> str:
        """The GPU's architecture, such as `sm86`."""
        numbers = []
        for attribute in (CAPABILITY_MAJOR, CAPABILITY_MINOR):
            value = ctypes.c_int()
            self._call(self._driver.cuDeviceGetAttribute, ctypes.byref(value), ctypes.c_int(attribute), self._device)
            numbers.append(str(value.value))
        return "sm" + "".join(numbers)

    def allocate(self, size: int) -> int:
        """Allocate memory on the device, in bytes, and return its address."""
        address = ctypes.c_uint64()
        self._call(self._driver.cuMemAlloc_v2, ctypes.byref(address), ctypes.c_size_t(size))
        self._device_memory.append(address.value)
        return address.value

    def allocate_pinned(self, size: int) -> NDArray[np.uint8]:
        """Allocate page-locked memory of the host, which the device copies without a detour; valid until `close`."""
        address = ctypes.c_void_p()
        self._call(self._driver.cuMemHostAlloc, ctypes.byref(address), ctypes.c_size_t(size), ctypes.c_uint(0))
        self._host_memory.append(address.value or 0)
        memory = (ctypes.c_uint8 * size).from_address(address.value or 0)
        return np.ctypeslib.as_array(memory)

    def copy_to_device(self, target: int, source: NDArray[np.uint8]) -> None:
        """Start copying bytes to the device, in the stream's order."""
        self._call(
            self._driver.cuMemcpyHtoDAsync_v2,
            ctypes.c_uint64(target),
            ctypes.c_void_p(source.ctypes.data),
            ctypes.c_size_t(source.nbytes),
            ctypes.c_void_p(self.stream),
        )

    def copy_to_host(self, target: NDArray[np.uint8], source: int) -> None:
        """Start copying bytes from the device, in the stream's order."""
        self._call(
            self._driver.cuMemcpyDtoHAsync_v2,
            ctypes.c_void_p(target.ctypes.data),
            ctypes.c_uint64(source),
            ctypes.c_size_t(target.nbytes),
            ctypes.c_void_p(self.stream),
        )

    def synchronize(self) -> None:
        """Wait until everything in the stream is done."""
        self._call(self._driver.cuStreamSynchronize, ctypes.c_void_p(self.stream))

    def close(self) -> None:
        """Give back memory, stream and context, also where giving back a part fails; a second call does nothing.

        Raises:
            DeviceError: A part failed; by then everything has been tried.
        """
        if self._is_closed:
            return
        self._is_closed = True
        driver = self._driver
        with ExitStack() as stack:
            # Called in the opposite order, each whether or not those before it failed.
            stack.callback(self._call, driver.cuDevicePrimaryCtxRelease_v2, self._device)
            stack.enter_context(self.active())
            stack.callback(self._call, driver.cuStreamDestroy_v2, ctypes.c_void_p(self.stream))
            for address in self._host_memory:
                stack.callback(self._call, driver.cuMemFreeHost, ctypes.c_void_p(address))
            for address in self._device_memory:
                stack.callback(self._call, driver.cuMemFree_v2, ctypes.c_uint64(address))
        self._device_memory.clear()
        self._host_memory.clear()

    def _call(self, function: Callable[..., int], *arguments: object) -> None:
        """Call a function of the driver.

        Raises:
            DeviceError: It failed; named as the driver names it.
        """
        code = function(*arguments)
        if code != 0:
            name = ctypes.c_char_p()
            self._driver.cuGetErrorName(ctypes.c_int(code), ctypes.byref(name))
            reason = name.value.decode() if name.value else f"error {code}"
            raise DeviceError(f"the CUDA driver could not do what was asked of it: {reason}")


def load_driver() -> Any:
    """Return the driver's library.

    Raises:
        DeviceError: There is none.
    """
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        return ctypes.CDLL(library)
    except OSError as error:
        raise DeviceError("this machine has no NVIDIA driver", "Install it, or use another machine.") from error


def choose_gpu(device: Device | None, reason: str, fix: str) -> int:
    """Return the index of the GPU to use.

    Args:
        device: The device that was asked for; None takes the first GPU.
        reason: Why a GPU is needed, as the beginning of a sentence.
        fix: What to do on a machine without one.

    Raises:
        DeviceError: There is none, or not this one, or the CPU was asked for.
    """
    count = cuda_device_count()
    if not count:
        raise DeviceError(f"{reason}, and this machine shows none", fix)
    if device is not None and device.index is None:
        raise DeviceError(f"{reason}, and --device cpu was asked for", "Leave --device out.")
    index = 0 if device is None else device.index or 0
    if index >= count:
        raise DeviceError(f"{device} does not exist: this machine shows {count} CUDA devices", "Use --device cuda:0.")
    return index
