import sys
from pathlib import Path

import pytest

from ocrdeploy import control_groups, hardware

V1_MEMBERSHIP = "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n1:name=systemd:/\n"


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(control_groups, "ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "MEMBERSHIP", tmp_path / "membership")
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"cgroup/cpu.max": "max 100000\n"}, None),
        ({"cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ({"cgroup/cpu.max": "100000 100000\n", "membership": V1_MEMBERSHIP}, 1.0),
        ({"membership": "0::/a/b\n", "cgroup/a/b/cpu.max": "max 100000", "cgroup/a/cpu.max": "50000 100000"}, 0.5),
        ({"cgroup/cpu/cpu.cfs_quota_us": "200000", "cgroup/cpu/cpu.cfs_period_us": "100000"}, 2.0),
        ({"cgroup/cpu/cpu.cfs_quota_us": "-1", "cgroup/cpu/cpu.cfs_period_us": "100000"}, None),
        (
            {
                "membership": V1_MEMBERSHIP,
                "cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
                "cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "300000",
                "cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
            },
            3.0,
        ),
        ({"cgroup/cpu.max": "nonsense"}, None),
    ],
)
def test_the_least_cpu_quota_of_both_versions_counts(files: dict[str, str], quota: float | None, groups: Path) -> None:
    write(groups, files)
    assert control_groups.cpu_quota() == quota


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        ({"cgroup/memory.max": "max", "cgroup/memory.current": "5"}, None),
        ({"cgroup/memory.max": "1000", "cgroup/memory.current": "400"}, 600),
        (
            {
                "cgroup/memory.max": "1000",
                "cgroup/memory.current": "400",
                "cgroup/memory.stat": "anon 100\ninactive_file 250\n",
            },
            850,
        ),
        ({"cgroup/memory.max": "1000", "cgroup/memory.current": "1400"}, 0),
        (
            {
                "membership": V1_MEMBERSHIP,
                "cgroup/memory/docker/abc/memory.limit_in_bytes": "1000",
                "cgroup/memory/docker/abc/memory.usage_in_bytes": "300",
                "cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
                "cgroup/memory/memory.usage_in_bytes": "300",
            },
            700,
        ),
    ],
)
def test_the_least_memory_that_is_left_counts(files: dict[str, str], free: int | None, groups: Path) -> None:
    write(groups, files)
    assert control_groups.free_memory() == free


@pytest.mark.parametrize(("quota", "threads"), [(None, 4), (0.2, 1), (1.0, 1), (2.5, 3), (64.0, 4)])
def test_threads_follow_from_affinity_and_quota(
    quota: float | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "affinity_count", lambda: 4)
    monkeypatch.setattr(control_groups, "cpu_quota", lambda: quota)
    assert hardware.core_count() == threads


def test_free_memory_is_the_least_that_any_limit_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    known = hardware.free_memory()
    assert known is None or known > 0
    monkeypatch.setattr(control_groups, "free_memory", lambda: 1)
    if sys.platform == "linux":
        assert hardware.free_memory() == 1
