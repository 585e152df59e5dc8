"""Bare asyncio: the same functions, called by hand; a task where things run side by side."""

import asyncio
from collections.abc import AsyncIterator

from benchmarks.kernel.case import CASES, TOKENS, Cases


async def _add(value: int) -> int:
    return value + 1


async def _same(value: int) -> int:
    return value


async def _chain(length: int) -> int:
    value = 0
    for _ in range(length):
        value = await _add(value)
    return value


async def _fan_out() -> int:
    await _same(0)
    return sum(await asyncio.gather(*(_add(0) for _ in range(10))))


async def _map(count: int) -> int:
    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(_same(number)) for number in range(count)]
    return sum(task.result() for task in made)


async def _tokens() -> int:
    async def speak() -> AsyncIterator[str]:
        for _ in range(TOKENS):
            yield "token"

    return len([token async for token in speak()])


def cases() -> Cases:
    runs = (
        lambda: _chain(3),
        _fan_out,
        lambda: _map(1_000),
        lambda: _map(100_000),
        lambda: _chain(900),
        _tokens,
    )
    return {case.name: run for case, run in zip(CASES, runs, strict=True)}
