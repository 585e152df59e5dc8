"""Gates: work begins when all are open, and a stop is not kept waiting."""

import asyncio

from headrace.runtime.gates import all_open
from headrace.testing.wait import wait_until

LONG_S = 30.0


class Door:
    def __init__(self) -> None:
        self.event = asyncio.Event()

    def is_open(self) -> bool:
        return self.event.is_set()

    async def opened(self) -> None:
        await self.event.wait()


async def test_open_gates_are_passed_even_while_stopping_so_that_what_was_read_is_begun() -> None:
    stopping, door = asyncio.Event(), Door()
    stopping.set()
    door.event.set()
    assert await all_open([door], stopping, wait_s=LONG_S)
    assert await all_open([], stopping, wait_s=LONG_S)


async def test_a_closed_gate_is_waited_for() -> None:
    door = Door()
    waiting = asyncio.create_task(all_open([door], asyncio.Event(), wait_s=LONG_S))
    await wait_until(lambda: len(asyncio.all_tasks()) > 2, description="it waits")
    door.event.set()
    assert await waiting


async def test_a_gate_that_stays_closed_is_told_after_a_while_and_at_once_when_stopping() -> None:
    stopping, door = asyncio.Event(), Door()
    assert not await all_open([door], stopping, wait_s=0.001)
    stopping.set()
    assert not await all_open([door], stopping, wait_s=LONG_S)


async def test_one_closed_gate_of_several_is_enough() -> None:
    one, other, stopping = Door(), Door(), asyncio.Event()
    one.event.set()
    assert not await all_open([one, other], stopping, wait_s=0.001)
