"""Drives a peer from a client process of its own, in that peer's environment, and prints what it measured as JSON.

`begin` on standard output says that it is warm and measures from now on.
"""

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import uvloop
from benchmarks.peers.client import Client
from msgspec import json

_WARM_S = 0.5
_SLOW_S = 5.0  # a first call that took longer has warmed everything
_FIRST_S = 30.0  # until a worker that was just started has answered


def main() -> None:
    """Do one thing and end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drive", description=__doc__)
    parser.add_argument("module")
    parser.add_argument("verb", choices=("fill", "ask", "fan_out"))
    parser.add_argument("--role", default="sink")
    parser.add_argument("--messages", type=int, default=0)
    parser.add_argument("--width", type=int, default=0)
    parser.add_argument("--outstanding", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    given = parser.parse_args()
    uvloop.run(_drive(given))


async def _drive(given: argparse.Namespace) -> None:
    connect = import_module(given.module).connect
    async with connect() as client:
        if given.verb == "fill":
            await client.fill(given.role, given.messages)
            return
        await _measure(_call(client, given), given)


def _call(client: Client, given: argparse.Namespace) -> Callable[[], Awaitable[Any]]:
    return client.ask if given.verb == "ask" else lambda: client.fan_out(given.width)


async def _measure(call: Callable[[], Awaitable[Any]], given: argparse.Namespace) -> None:
    started = time.perf_counter()
    async with asyncio.timeout(_FIRST_S):
        await call()
    if time.perf_counter() - started < _SLOW_S:
        await _load(call, given.outstanding, _WARM_S)
    gc.collect()
    gc.freeze()  # what the libraries are made of: a look through it would be measured as a peer's slow answers
    _say("begin")
    wall, cpu = time.perf_counter(), time.process_time()
    latencies = sorted(await _load(call, given.outstanding, given.seconds))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    _say(
        json.encode(
            {
                "rate": len(latencies) / wall,
                "p50_ms": latencies[len(latencies) // 2] * 1000,
                "p99_ms": latencies[len(latencies) * 99 // 100] * 1000,
                "client_cpu_us": cpu / len(latencies) * 1e6,
                "calls": len(latencies),
            }
        ).decode()
    )


async def _load(call: Callable[[], Awaitable[Any]], outstanding: int, seconds: float) -> list[float]:
    """Keep so many calls under way for so long; gives how long each took."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    async def again_and_again() -> None:
        while (started := time.perf_counter()) < until:
            await call()
            latencies.append(time.perf_counter() - started)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(outstanding):
            tasks.create_task(again_and_again())
    return latencies


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
