"""How much this process may use of its machine: cores and memory, by affinity and by its control groups' limits.

A limit holds for a group and all below it, so the groups above this process's own count too. Files that the kernel
would drop from memory at once are not counted as used, which is what Kubernetes counts as a container's working set.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_ROOT = Path("/")
_GROUPS = "sys/fs/cgroup"
_V1_UNLIMITED = 2**60  # without a limit version 1 of control groups gives the largest number of pages
_KIB = 1024


def cores(root: Path = _ROOT) -> int:
    """Count the cores that this process may keep busy; at least 1.

    Args:
        root: Of the file system that says so.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_quota(group) for group in _groups(root, "cpu")]
    return max(1, math.ceil(min(allowed, *quotas)))


def free_bytes(root: Path = _ROOT) -> int | None:
    """Give the memory that this process and its children may still take; None where nothing says so."""
    frees = [_machine_free(root), *(_group_free(group) for group in _groups(root, "memory"))]
    known = [free for free in frees if free is not None]
    return max(0, min(known)) if known else None


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Give this process's groups and those above them, as far as they are to be seen here.

    A container sees its own group as the topmost, whatever path it is told.
    """
    paths = {"": "/", controller: "/"}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update((name, path) for name in controllers.split(",") if name in paths)
    for name, path in paths.items():  # version 2 has one hierarchy, version 1 one for each controller
        own = PurePosixPath(path.lstrip("/"))
        yield from (root / _GROUPS / name / group for group in (own, *own.parents))


def _quota(group: Path) -> float:
    words = _text(group / "cpu.max").split()
    if not words:
        words = [*_text(group / "cpu.cfs_quota_us").split(), *_text(group / "cpu.cfs_period_us").split()]
    match words:
        case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
            return int(quota) / int(period)
        case _:  # "max", or -1
            return math.inf


def _group_free(group: Path) -> int | None:
    for limit, used, droppable in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        match [*_text(group / limit).split(), *_text(group / used).split()]:
            case [most, now] if most.isdigit() and now.isdigit() and int(most) < _V1_UNLIMITED:
                return int(most) - max(0, int(now) - (_named(group / "memory.stat", droppable) or 0))
            case _:
                continue
    return None


def _machine_free(root: Path) -> int | None:
    available = _named(root / "proc/meminfo", "MemAvailable:")
    return available * _KIB if available is not None else None


def _named(path: Path, name: str) -> int | None:
    """Read the number behind a name; None where it is not there."""
    words = _text(path).split()
    return int(words[words.index(name) + 1]) if name in words else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
