"""Contenders that do the same, by turns in one process: what the machine does meanwhile meets all of them alike."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from statistics import median

Contender = Callable[[int], Awaitable[None]]

_ROUNDS = 9


def compare(case: str, count: int, contenders: Mapping[str, Contender]) -> None:
    """Print a table row a contender: microseconds of CPU and of time an item, the median of the rounds.

    Args:
        count: Items a round.
        contenders: By name; each handles as many items as it is told.
    """
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(_ROUNDS + 1):
        for name, contender in contenders.items():
            cpu_s, wall_s = time.process_time(), time.perf_counter()
            asyncio.run(_run(contender, count))
            if round_:  # the first one warms up
                cpu[name].append((time.process_time() - cpu_s) / count * 1e6)
                wall[name].append((time.perf_counter() - wall_s) / count * 1e6)
    for name in contenders:
        print(f"| {case} | {name} | {median(cpu[name]):.1f} | {median(wall[name]):.1f} |", flush=True)


def heading() -> None:
    """Print the table's head."""
    print("| case | by | CPU µs an item | µs an item |")
    print("| --- | --- | --- | --- |")


async def _run(contender: Contender, count: int) -> None:
    await contender(count)
