"""The heartbeat file: touched while the reader lives, left to age when it has died."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from headrace.bus.memory.bus import MemoryBus
from headrace.runtime.compose import beside
from headrace.runtime.heartbeat import Heartbeat
from headrace.runtime.life import Life
from headrace.testing.wait import wait_until

OLD_S = 1_000_000


@dataclass
class Reader:
    turn_s: float = 0.0
    is_full: bool = False


def age(file: Path) -> None:
    os.utime(file, (OLD_S, OLD_S))


def is_old(file: Path) -> bool:
    return file.stat().st_mtime == OLD_S


async def test_the_file_is_there_and_touched_while_the_reader_takes_turns(tmp_path: Path) -> None:
    file, reader = tmp_path / "heartbeat", Reader()
    async with beside(MemoryBus(), Heartbeat(file, Life(reader, dead_s=30), every_s=0.001)):
        await wait_until(file.exists, description="it is there")
        age(file)
        await wait_until(lambda: not is_old(file), description="it is touched again")


async def test_it_ages_when_the_reader_takes_no_turn_and_is_touched_again_when_it_does(tmp_path: Path) -> None:
    file, reader = tmp_path / "heartbeat", Reader()
    time = asyncio.get_running_loop().time
    async with beside(MemoryBus(), Heartbeat(file, Life(reader, dead_s=0.02), every_s=0.001)):
        started_s = time()
        await wait_until(lambda: file.exists() and time() > started_s + 0.05, description="the reader is dead")
        age(file)
        await wait_until(lambda: time() > started_s + 0.1, description="it would have been touched")
        assert is_old(file)
        reader.turn_s = time() + 30
        await wait_until(lambda: not is_old(file), description="it is touched again")


async def test_a_reader_whose_slots_are_all_taken_is_alive(tmp_path: Path) -> None:
    file, reader = tmp_path / "heartbeat", Reader(is_full=True)
    async with beside(MemoryBus(), Heartbeat(file, Life(reader, dead_s=0.0), every_s=0.001)):
        await wait_until(file.exists, description="it is there")
        age(file)
        await wait_until(lambda: not is_old(file), description="it is touched again")
