"""Ends over a bus whose task is cancelled, or that are closed while the bus answers, lose and repeat nothing."""

import anyio
import pytest

from headrace.channels import Nothing, Received, channel
from headrace.channels.distributed import DistributedReceiver, DistributedSender
from headrace.channels.port import ChannelBus, ChannelEnd, Reply
from headrace.errors import ChannelClosedError
from headrace.testing.channel_contract import Note


@pytest.fixture
def anyio_backend() -> str:
    """Buses are asyncio's."""
    return "asyncio"


def ends(bus: ChannelBus) -> tuple[DistributedSender[Note], DistributedReceiver[Note]]:
    return channel(Note, capacity=4, distributed=True, bus=bus, name="notes")


async def test_an_end_that_is_left_because_its_task_is_cancelled_is_gone(bus: ChannelBus) -> None:
    tx, rx = ends(bus)
    with anyio.CancelScope() as scope:
        async with tx:
            await tx.send(Note(1))
            scope.cancel()
            await anyio.sleep_forever()
    assert await rx.recv() == Note(1)
    assert await rx.try_recv() is Nothing.CLOSED
    await rx.aclose()


class Slow:
    """A bus whose answer to a take comes when it is let go, after the bus has done what was asked."""

    def __init__(self, bus: ChannelBus) -> None:
        self._bus = bus
        self.has_taken = anyio.Event()
        self.is_let_go = anyio.Event()
        self.channel_join = bus.channel_join
        self.channel_leave = bus.channel_leave
        self.channel_put = bus.channel_put
        self.channel_wait = bus.channel_wait

    async def channel_take(self, end: ChannelEnd, settled: str) -> Reply:
        reply = await self._bus.channel_take(end, settled)
        self.has_taken.set()
        await self.is_let_go.wait()
        return reply


async def test_an_end_that_is_closed_while_it_receives_leaves_the_message_to_another(bus: ChannelBus) -> None:
    slow = Slow(bus)
    tx, _ = ends(bus)
    _, closing = ends(slow)
    _, heir = ends(bus)
    await tx.send(Note(1))
    assert await heir.try_recv() == Received(Note(1))
    await tx.send(Note(2))

    async def receive() -> None:
        with pytest.raises(ChannelClosedError):
            await closing.recv()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        await slow.has_taken.wait()
        tasks.start_soon(closing.aclose)
        await anyio.wait_all_tasks_blocked()
        slow.is_let_go.set()
    assert await heir.try_recv() == Received(Note(2))
    await tx.aclose()
    await heir.aclose()


async def test_a_receive_that_is_cancelled_while_the_bus_answers_takes_nothing_and_settles_what_was_before(
    bus: ChannelBus,
) -> None:
    slow = Slow(bus)
    tx, _ = ends(bus)
    _, rx = ends(slow)
    slow.is_let_go.set()
    for number in range(4):
        await tx.send(Note(number))
    assert await rx.recv() == Note(0)
    slow.has_taken, slow.is_let_go = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rx.recv)
        await slow.has_taken.wait()
        tasks.cancel_scope.cancel()
    slow.is_let_go.set()
    _, other = ends(bus)
    assert await other.recv() == Note(1)
    assert await rx.recv() == Note(2)
    await rx.aclose()
    assert await other.recv() == Note(3)
    await tx.aclose()
    await other.aclose()
