"""A stand-in for the CUDA driver, whose device memory is memory of the host."""
# ruff: noqa: ARG002, N802
# Names and arguments are those of the driver.

import ctypes
import threading
from collections.abc import Callable
from typing import Any

OUT_OF_MEMORY = 2
INVALID_VALUE = 1


def noting(order: list[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that writes down its name and does the same."""

    def call(*arguments: Any) -> Any:
        order.append(name)
        return function(*arguments)

    return call


class FakeDriver:
    """What `ocrdeploy.backends.cuda` calls of the driver. Anything else it asks for is an AttributeError.

    Args:
        capability: Compute capability of the one device.
        memory: How many bytes the device has.
    """

    def __init__(self, capability: tuple[int, int] = (8, 6), memory: int = 2**28) -> None:
        self.capability = capability
        self.free = memory
        self.blocks: dict[int, Any] = {}
        self.pinned: dict[int, Any] = {}
        self.streams: set[int] = set()
        self.contexts = 0
        self._stacks: dict[int, list[int | None]] = {}
        self.log: list[str] = []

    def cuInit(self, flags: ctypes.c_uint) -> int:
        assert flags.value == 0
        return 0

    def cuDeviceGet(self, device: Any, ordinal: ctypes.c_int) -> int:
        device._obj.value = ordinal.value
        return 0 if ordinal.value == 0 else INVALID_VALUE

    def cuDeviceGetAttribute(self, value: Any, attribute: ctypes.c_int, device: ctypes.c_int) -> int:
        value._obj.value = {75: self.capability[0], 76: self.capability[1]}[attribute.value]
        return 0

    def cuDevicePrimaryCtxRetain(self, context: Any, device: ctypes.c_int) -> int:
        context._obj.value = 0xC0
        self.contexts += 1
        return 0

    def cuDevicePrimaryCtxRelease_v2(self, device: ctypes.c_int) -> int:
        self.contexts -= 1
        return 0

    def cuCtxPushCurrent_v2(self, context: ctypes.c_void_p) -> int:
        stack = self._stacks.setdefault(threading.get_ident(), [])
        stack.append(context.value)
        return 0

    def cuCtxPopCurrent_v2(self, context: Any) -> int:
        context._obj.value = self._stacks[threading.get_ident()].pop()
        return 0

    @property
    def current(self) -> int | None:
        """The calling thread's context."""
        stack = self._stacks.get(threading.get_ident())
        return stack[-1] if stack else None

    def cuStreamCreate(self, stream: Any, flags: ctypes.c_uint) -> int:
        assert flags.value == 1
        stream._obj.value = 0x57
        self.streams.add(0x57)
        return 0

    def cuStreamSynchronize(self, stream: ctypes.c_void_p) -> int:
        assert stream.value in self.streams
        self.log.append("synchronize")
        return 0

    def cuStreamDestroy_v2(self, stream: ctypes.c_void_p) -> int:
        self.streams.remove(stream.value or 0)
        return 0

    def cuMemAlloc_v2(self, address: Any, size: ctypes.c_size_t) -> int:
        if size.value > self.free:
            return OUT_OF_MEMORY
        self.free -= size.value
        block = ctypes.create_string_buffer(size.value)
        address._obj.value = ctypes.addressof(block)
        self.blocks[address._obj.value] = block
        return 0

    def cuMemFree_v2(self, address: ctypes.c_uint64) -> int:
        self.free += len(self.blocks.pop(address.value))
        return 0

    def cuMemHostAlloc(self, address: Any, size: ctypes.c_size_t, flags: ctypes.c_uint) -> int:
        assert flags.value == 0
        block = ctypes.create_string_buffer(size.value)
        address._obj.value = ctypes.addressof(block)
        self.pinned[address._obj.value] = block
        return 0

    def cuMemFreeHost(self, address: ctypes.c_void_p) -> int:
        del self.pinned[address.value or 0]
        return 0

    def cuMemcpyHtoDAsync_v2(
        self, target: ctypes.c_uint64, source: ctypes.c_void_p, size: ctypes.c_size_t, stream: ctypes.c_void_p
    ) -> int:
        assert stream.value in self.streams
        assert source.value in self.pinned
        self.log.append(f"to device: {size.value}")
        ctypes.memmove(target.value, source.value or 0, self._checked(size.value, target.value))
        return 0

    def cuMemcpyDtoHAsync_v2(
        self, target: ctypes.c_void_p, source: ctypes.c_uint64, size: ctypes.c_size_t, stream: ctypes.c_void_p
    ) -> int:
        assert stream.value in self.streams
        assert target.value in self.pinned
        self.log.append(f"to host: {size.value}")
        ctypes.memmove(target.value or 0, source.value, self._checked(size.value, source.value))
        return 0

    def cuGetErrorName(self, code: ctypes.c_int, name: Any) -> int:
        names = {OUT_OF_MEMORY: b"CUDA_ERROR_OUT_OF_MEMORY", INVALID_VALUE: b"CUDA_ERROR_INVALID_VALUE"}
        if code.value in names:
            name._obj.value = names[code.value]
        return 0

    def _checked(self, size: int, device: int) -> int:
        """Return a size that fits in a block of the device."""
        assert size <= len(self.blocks[device])
        return size
