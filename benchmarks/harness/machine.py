"""The machine: what it is, and how much of it other processes take while something is measured."""

import os
import platform
import time

import psutil
from msgspec import Struct


class Machine(Struct, frozen=True):
    """What numbers were taken on."""

    cores: int
    processor: str
    memory_gb: float
    system: str
    python: str
    load: tuple[float, float, float]


def machine() -> Machine:
    """Look at the machine."""
    memory_gb = round(psutil.virtual_memory().total / 2**30, 1)
    return Machine(
        os.cpu_count() or 0, _processor(), memory_gb, platform.platform(), platform.python_version(), os.getloadavg()
    )


class Clock:
    """Wall time and the machine's busy time since it was made."""

    def __init__(self) -> None:
        self._started_s = time.perf_counter()
        self._busy_s = _busy_s()

    def elapsed_s(self) -> float:
        """Give the wall time."""
        return time.perf_counter() - self._started_s

    def others(self, ours_s: float) -> float:
        """Give the share of the machine that went to others, given the CPU time that was ours."""
        room_s = self.elapsed_s() * (os.cpu_count() or 1)
        return round(max(0.0, _busy_s() - self._busy_s - ours_s) / room_s, 3)


def children_cpu_s() -> float:
    """Give the CPU time of child processes that have ended and been waited for, and theirs."""
    times = os.times()
    return times.children_user + times.children_system


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123 - no path of ours
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
