"""Linux control groups: what a container may use of its machine's CPUs and memory.

Both versions are read (`cpu.max`, `memory.max`; `cpu.cfs_quota_us`, `memory.limit_in_bytes`), as the kernel's
documentation describes them. A limit holds for a group and all groups below it, so every group from this process's own
up to the root counts. In a container the own group is mostly shown as the root.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
CPU_FOLDERS = ("cpu", "cpu,cpuacct", "cpuacct,cpu")
"""Where version 1 is mounted, by distribution."""


def cpu_quota() -> float | None:
    """Return how many CPUs' time this process's groups may use together; None without a limit."""
    quotas = [*_quotas_v2(), *_quotas_v1()]
    return min(quotas, default=None)


def free_memory() -> int | None:
    """Return how many bytes this process's groups may take beyond what they hold; None without a limit.

    Memory that the kernel gives up when it is needed (`inactive_file`) counts as free.
    """
    rooms = [
        *_rooms("", "memory.max", "memory.current", "inactive_file"),
        *_rooms("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ]
    return min(rooms, default=None)


def _quotas_v2() -> Iterator[float]:
    """Yield the CPUs that each group of version 2 allows: `cpu.max` holds quota and period, in microseconds."""
    for folder in _groups("", ""):
        quota, _, period = _text(folder / "cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period):
            yield int(quota) / int(period)


def _quotas_v1() -> Iterator[float]:
    """Yield the CPUs that each group of version 1 allows; a quota of -1 is none."""
    for name in CPU_FOLDERS:
        for folder in _groups(name, "cpu"):
            quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
            if quota.isdecimal() and period.isdecimal() and int(period):
                yield int(quota) / int(period)


def _rooms(controller: str, limit: str, usage: str, reclaimable: str) -> Iterator[int]:
    """Yield the bytes that are left in each group; version 1 writes a number near 2^63 where there is no limit."""
    for folder in _groups(controller, controller):
        most, taken = _text(folder / limit), _text(folder / usage)
        if most.isdecimal() and taken.isdecimal() and int(most) < 2**62:
            statistics = dict(line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines() if " " in line)
            yield max(0, int(most) - int(taken) + int(statistics.get(reclaimable, "0")))


def _groups(mount: str, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's group and of those above it, as far as they are shown."""
    if sys.platform != "linux" or not (ROOT / mount).is_dir():
        return
    own = ""
    for line in _text(MEMBERSHIP).splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            own = path.strip("/")
    folder = ROOT / mount / own
    yield from (each for each in (folder, *folder.parents) if each.is_relative_to(ROOT / mount))


def _text(path: Path) -> str:
    """Return what the kernel writes in a file; nothing where there is none."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
