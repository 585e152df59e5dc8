"""How much this process may use of its machine: cores and memory, by affinity and by its control group's limits."""

import math
import os
from pathlib import Path

_ROOT = Path("/")
_V1_UNLIMITED = 2**60  # without a limit version 1 of control groups gives the largest number of pages
_KIB = 1024


def cores(root: Path = _ROOT) -> int:
    """Count the cores that this process may keep busy; at least 1.

    Args:
        root: Of the file system that says so.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(root / "sys/fs/cgroup")
    return max(1, math.ceil(min(allowed, quota)))


def free_bytes(root: Path = _ROOT) -> int | None:
    """Give the memory that this process and its children may still take; None where nothing says so."""
    group = root / "sys/fs/cgroup"
    known = [free for free in (_machine_free(root), _group_free(group)) if free is not None]
    return max(0, min(known)) if known else None


def _quota(group: Path) -> float:
    words = _words(group / "cpu.max")
    if not words:
        words = [*_words(group / "cpu/cpu.cfs_quota_us"), *_words(group / "cpu/cpu.cfs_period_us")]
    match words:
        case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
            return int(quota) / int(period)
        case _:  # "max", or -1
            return math.inf


def _group_free(group: Path) -> int | None:
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        match [*_words(group / limit), *_words(group / used)]:
            case [most, now] if most.isdigit() and now.isdigit() and int(most) < _V1_UNLIMITED:
                return int(most) - int(now)
            case _:
                continue
    return None


def _machine_free(root: Path) -> int | None:
    words = _words(root / "proc/meminfo")
    if "MemAvailable:" not in words:
        return None
    return int(words[words.index("MemAvailable:") + 1]) * _KIB


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
