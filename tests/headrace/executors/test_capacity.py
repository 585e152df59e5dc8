"""Cores and memory as a container's limits give them, in both versions of control groups."""

import os
from pathlib import Path

import pytest

from headrace.executors.capacity import cores, free_bytes

ALL = len(os.sched_getaffinity(0))
MIB = 1024 * 1024


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, ALL),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, ALL),
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "150000 100000\n"}, min(2, ALL)),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, ALL),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "1000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/seen/outside\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/others/cpu.max": "50000 100000\n"}, ALL),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/a\n1:memory:/b\n0::/\n",
                "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "1000\n",
                "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
    ],
)
def test_cores_are_those_of_the_affinity_and_the_quota(tmp_path: Path, files: dict[str, str], count: int) -> None:
    assert cores(write(tmp_path, files)) == count


MEMINFO = {"proc/meminfo": "MemTotal:       2048 kB\nMemAvailable:       1024 kB\n"}


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        (MEMINFO, MIB),
        ({**MEMINFO, "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "5\n"}, MIB),
        ({**MEMINFO, "sys/fs/cgroup/memory.max": "1005\n", "sys/fs/cgroup/memory.current": "5\n"}, 1000),
        ({"sys/fs/cgroup/memory.max": "5\n", "sys/fs/cgroup/memory.current": "6\n"}, 0),
        (
            {
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "1005\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
            },
            1000,
        ),
        (
            {
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
            },
            None,
        ),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/memory.max": "500\n",
                "sys/fs/cgroup/a/memory.current": "200\n",
                "sys/fs/cgroup/a/b/memory.max": "1000\n",
                "sys/fs/cgroup/a/b/memory.current": "100\n",
            },
            300,
        ),
        (
            {
                "sys/fs/cgroup/memory.max": "1000\n",
                "sys/fs/cgroup/memory.current": "900\n",
                "sys/fs/cgroup/memory.stat": "anon 200\nfile 700\ninactive_file 600\nactive_file 100\n",
            },
            700,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/b\n",
                "sys/fs/cgroup/memory/b/memory.limit_in_bytes": "1000\n",
                "sys/fs/cgroup/memory/b/memory.usage_in_bytes": "900\n",
                "sys/fs/cgroup/memory/b/memory.stat": "inactive_file 1\ntotal_inactive_file 600\n",
            },
            700,
        ),
    ],
)
def test_free_memory_is_what_the_machine_and_the_group_leave(
    tmp_path: Path, files: dict[str, str], free: int | None
) -> None:
    assert free_bytes(write(tmp_path, files)) == free


def test_this_machine_has_cores_and_memory() -> None:
    assert cores() >= 1
    assert (free_bytes() or 1) > 0
