"""What this machine has. Asked of the driver itself, so that no inference runtime is needed to know."""

import contextlib
import ctypes
import math
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ocrdeploy import control_groups
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
    """Return the number of threads to use: the cores of the affinity, or less where the CPU quota, rounded up, is."""
    quota = control_groups.cpu_quota()
    cores = affinity_count()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def cpu_name() -> str:
    """Return the processor's name as its maker has it; empty where the system does not tell."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    import platform  # it is loaded to print a help text, and this takes subprocess with it

    return platform.processor()


def affinity_count() -> int:
    """Return the number of CPU cores that this process may run on."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory() -> int | None:
    """Return the bytes of memory that this process can still take; None where the system does not say.

    It is the least of what the machine has available, what the control group leaves, and what the limit of the address
    space (`ulimit -v`) leaves.
    """
    if sys.platform != "linux":
        return None
    import resource  # Unix has it

    known = [_kibibytes("/proc/meminfo", "MemAvailable:"), control_groups.free_memory()]
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    taken = _kibibytes("/proc/self/status", "VmSize:")
    if limit != resource.RLIM_INFINITY and taken is not None:
        known.append(max(0, limit - taken))
    return min((each for each in known if each is not None), default=None)


def _kibibytes(file: str, name: str) -> int | None:
    """Return the bytes that a line of the kernel's gives in KiB."""
    try:
        lines = Path(file).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


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
