"""What this machine has. Asked of the driver itself, so that no inference runtime is needed to know."""

import ctypes
import os
import re
import sys
from dataclasses import dataclass

from ocrdeploy.errors import UsageError

DEVICE_PATTERN = re.compile(r"(?:(cpu)|cuda(?::(\d+))?)")


@dataclass(frozen=True, slots=True)
class Device:
    """A processor to run on: the CPU (`index` is None), or the CUDA device with that index."""

    index: int | None = None

    @property
    def is_cuda(self) -> bool:
        """Whether this is a GPU."""
        return self.index is not None

    def __str__(self) -> str:
        return "cpu" if self.index is None else f"cuda:{self.index}"


CPU = Device()


def parse_device(name: str) -> Device:
    """Return the device called `cpu`, `cuda` or `cuda:N`.

    Raises:
        UsageError: It has another name.
    """
    match = DEVICE_PATTERN.fullmatch(name.strip().lower())
    if match is None:
        raise UsageError(f"a device is cpu, cuda or cuda:N, got {name!r}")
    return CPU if match[1] else Device(int(match[2] or 0))


def core_count() -> int:
    """Return the number of CPU cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cuda_device_count() -> int:
    """Return the number of NVIDIA GPUs that the driver shows; 0 where there is no driver."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
