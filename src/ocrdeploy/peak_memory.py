"""The most memory that this process held at a time (resident set size)."""

import sys
from pathlib import Path


def reset_peak_rss() -> None:
    """Let the kernel count the peak of memory anew, where it can."""
    if sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:  # a container may forbid it; then the peak is that of the whole process
            return


def peak_rss_mib() -> float:
    """Return the peak of memory since `reset_peak_rss`, or, where the kernel does not say, since the beginning."""
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    import resource  # Unix has it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024
