"""Channels over a bus keep the contract of those within a process; and what happens when their ends die."""

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.redis.bus import RedisBus
from headrace.channels import Nothing, Receiver, Sender, Sent, channel
from headrace.channels.distributed import DistributedReceiver, DistributedSender
from headrace.channels.port import ChannelBus, ChannelEnd, Reply, Side, Word
from headrace.errors import BusUnavailableError, ChannelClosedError, InvalidMessageError
from headrace.testing.channel_contract import ChannelContract, MakeChannel, Note
from headrace.testing.clock import ManualClock

Ends = tuple[DistributedSender[Note], DistributedReceiver[Note]]


@pytest.fixture
def anyio_backend() -> str:
    """Buses are asyncio's."""
    return "asyncio"


def ends(bus: ChannelBus, *, capacity: int = 4, lease_s: float = 60.0) -> Ends:
    return channel(Note, capacity=capacity, distributed=True, bus=bus, name="notes", lease_s=lease_s)


def making(bus: ChannelBus) -> MakeChannel:
    @asynccontextmanager
    async def make(capacity: int) -> AsyncGenerator[tuple[Sender[Note], Receiver[Note]]]:
        tx, rx = ends(bus, capacity=capacity)
        async with tx, rx:
            yield tx, rx

    return make


class TestOnMemory(ChannelContract):
    @pytest.fixture
    def make(self) -> MakeChannel:
        return making(MemoryBus())


@pytest.mark.slow
class TestOnRedis(ChannelContract):
    @pytest.fixture
    def make(self, redis_bus: RedisBus) -> MakeChannel:
        return making(redis_bus)


class Lossy:
    """A bus whose answers to a put and to a take are lost, each once, after the bus has done what was asked."""

    def __init__(self, bus: ChannelBus) -> None:
        self._bus = bus
        self.loses = {"put", "take"}
        self.channel_join = bus.channel_join
        self.channel_leave = bus.channel_leave
        self.channel_wait = bus.channel_wait

    async def channel_put(self, end: ChannelEnd, number: int, frame: bytes, capacity: int) -> Reply:
        reply = await self._bus.channel_put(end, number, frame, capacity)
        self._lose("put")
        return reply

    async def channel_take(self, end: ChannelEnd, settled: str) -> Reply:
        reply = await self._bus.channel_take(end, settled)
        self._lose("take")
        return reply

    def _lose(self, what: str) -> None:
        if what in self.loses:
            self.loses.discard(what)
            raise BusUnavailableError("here", "lost")


async def test_an_answer_that_is_lost_loses_no_message(bus: ChannelBus) -> None:
    tx, rx = ends(Lossy(bus))
    with pytest.raises(BusUnavailableError):
        await tx.send(Note(1))  # it was sent
    await tx.send(Note(2))
    with pytest.raises(BusUnavailableError):
        await rx.recv()  # it was taken, and comes again
    assert [await rx.recv(), await rx.recv()] == [Note(1), Note(2)]
    await tx.aclose()
    await rx.aclose()


async def test_a_message_that_is_put_again_is_there_once(bus: ChannelBus) -> None:
    tx, rx = ends(bus)
    await tx.send(Note(1))
    await bus.channel_put(tx._end, 1, b"again", 4)
    assert await rx.recv() == Note(1)
    assert await rx.try_recv() is Nothing.EMPTY
    await tx.aclose()
    await rx.aclose()


async def test_a_side_that_was_never_there_is_waited_for(bus: ChannelBus) -> None:
    early, _ = ends(bus)
    assert await early.try_send(Note(1)) is Sent.SENT
    await early.aclose()
    _, late = ends(bus)
    assert [note async for note in late] == [Note(1)]
    await late.aclose()


async def test_what_is_not_of_the_channels_kind_is_told_and_the_next_one_comes(bus: ChannelBus) -> None:
    tx, rx = ends(bus)
    await tx.send(Note(1))
    await bus.channel_put(tx._end, 2, b"\xc1", 4)
    await tx.send(Note(2))
    tx._number = 2
    await tx.send(Note(3))
    assert await rx.recv() == Note(1)
    with pytest.raises(InvalidMessageError):
        await rx.recv()
    assert await rx.recv() == Note(3)
    await tx.aclose()
    await rx.aclose()


async def test_what_a_receiver_had_not_settled_when_its_lease_ran_out_goes_to_another_first() -> None:
    clock = ManualClock()
    bus = MemoryBus(clock=clock)
    tx, dead = ends(bus, lease_s=10)
    _, heir = ends(bus, lease_s=100)
    for number in range(3):
        await tx.send(Note(number))
    assert [await dead.recv(), await dead.recv()] == [Note(0), Note(1)]  # asking for 1 has settled 0
    assert await heir.recv() == Note(2)
    clock.advance(11)
    assert await heir.recv() == Note(1)


async def test_senders_that_die_end_the_channel_when_their_lease_has_run_out() -> None:
    clock = ManualClock()
    bus = MemoryBus(clock=clock)
    tx, _ = ends(bus, lease_s=10)
    _, rx = ends(bus, lease_s=100)
    await tx.send(Note(1))
    assert await rx.recv() == Note(1)
    assert await rx.try_recv() is Nothing.EMPTY
    clock.advance(11)
    assert await rx.try_recv() is Nothing.CLOSED


async def test_a_channel_is_forgotten_an_hour_after_the_last_word_about_it() -> None:
    clock = ManualClock()
    bus = MemoryBus(clock=clock)
    for name in ("silent", "busy"):
        await bus.channel_join(ChannelEnd(name, Side.SENDERS, "1", 60.0))
    clock.advance(1800)
    await bus.channel_join(ChannelEnd("busy", Side.SENDERS, "1", 60.0))
    clock.advance(1801)
    await bus.channel_join(ChannelEnd("new", Side.SENDERS, "1", 60.0))
    assert set(bus._channels) == {"busy", "new"}


async def falls_silent(bus: ChannelBus, rx: DistributedReceiver[Note]) -> None:
    """Have the lease of a receiver run out, by a word of it with a lease that is over at once."""
    await bus.channel_join(msgspec.structs.replace(rx._end, lease_s=0.0))


async def test_receivers_that_fall_silent_leave_what_is_unread_to_another_after_the_sender_has_closed(
    bus: ChannelBus,
) -> None:
    tx, dead = ends(bus)
    for number in range(3):
        await tx.send(Note(number))
    assert await dead.recv() == Note(0)
    await falls_silent(bus, dead)
    await tx.aclose()
    _, heir = ends(bus)
    assert [note async for note in heir] == [Note(0), Note(1), Note(2)]
    await heir.aclose()


async def test_a_receiver_that_was_silent_for_longer_than_its_lease_is_sent_to_and_goes_on(bus: ChannelBus) -> None:
    tx, late = ends(bus)
    await tx.send(Note(1))
    assert await late.recv() == Note(1)
    await falls_silent(bus, late)
    assert await tx.try_send(Note(2)) is Sent.SENT
    await tx.aclose()
    assert [note async for note in late][-1] == Note(2)
    await late.aclose()


async def test_a_last_message_whose_receiver_dies_goes_to_another_after_the_sender_has_closed(bus: ChannelBus) -> None:
    tx, dead = ends(bus)
    heir = dead.clone()
    await tx.send(Note(1))
    assert await dead.recv() == Note(1)
    await tx.aclose()
    assert await heir.try_recv() is Nothing.EMPTY
    await falls_silent(bus, dead)
    assert [note async for note in heir] == [Note(1)]
    await heir.aclose()


@asynccontextmanager
async def woken(bus: ChannelBus, rx: DistributedReceiver[Note]) -> AsyncGenerator[None]:
    """Have a receiver that gets nothing wait, and be woken by what happens meanwhile."""
    reply = await rx._take()
    assert reply.word is Word.EMPTY
    with anyio.fail_after(1.5):  # after two seconds Redis answers anyway
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bus.channel_wait, rx._end, reply.mark, 60.0)
            await anyio.wait_all_tasks_blocked()
            yield


async def test_who_waits_while_another_holds_the_last_message_is_woken_when_that_one_has_settled_it(
    bus: ChannelBus,
) -> None:
    tx, rx = ends(bus)
    waiting = rx.clone()
    await tx.send(Note(1))
    assert await rx.recv() == Note(1)
    await tx.aclose()
    async with woken(bus, waiting):
        assert await rx.try_recv() is Nothing.CLOSED
    assert await waiting.try_recv() is Nothing.CLOSED
    await rx.aclose()
    await waiting.aclose()


async def test_who_waits_is_woken_by_whoever_finds_that_a_message_has_come_back(bus: ChannelBus) -> None:
    tx, dead = ends(bus)
    waiting = dead.clone()
    await tx.send(Note(1))
    assert await dead.recv() == Note(1)
    async with woken(bus, waiting):
        await falls_silent(bus, dead)
        await bus.channel_join(tx._end)
    assert await waiting.recv() == Note(1)
    await tx.aclose()
    await waiting.aclose()


class Counting:
    """A bus that counts how often ends say that they are there."""

    def __init__(self, bus: ChannelBus) -> None:
        self._bus = bus
        self.joins = 0
        self.is_away = False
        self._beat = anyio.Event()
        self.channel_put = bus.channel_put
        self.channel_take = bus.channel_take
        self.channel_wait = bus.channel_wait

    async def channel_join(self, end: ChannelEnd) -> None:
        self.joins += 1
        beat, self._beat = self._beat, anyio.Event()
        beat.set()
        if self.is_away:
            raise BusUnavailableError("here", "away")
        await self._bus.channel_join(end)

    async def channel_leave(self, end: ChannelEnd, settled: str) -> None:
        if self.is_away:
            raise BusUnavailableError("here", "away")
        await self._bus.channel_leave(end, settled)

    async def until(self, joins: int) -> None:
        while self.joins < joins:
            await self._beat.wait()


async def test_an_end_that_is_held_open_is_there_however_long_it_is_quiet(bus: ChannelBus) -> None:
    counting = Counting(bus)
    tx, rx = ends(counting, lease_s=1.2)
    async with tx, rx:
        await tx.send(Note(1))
        assert await rx.recv() == Note(1)
        _, other = ends(bus)
        before = counting.joins
        await counting.until(before + 2 * 4)  # of two ends, a third of the lease apart: longer than the lease
        assert await other.try_recv() is Nothing.EMPTY  # the sender is there, and what the receiver holds is its own
        await other.aclose()


async def test_an_end_that_was_not_used_is_not_there_by_being_held_open(bus: ChannelBus) -> None:
    counting = Counting(bus)
    tx, rx = ends(counting, lease_s=0.03)
    used, _ = ends(counting, lease_s=0.03)
    async with tx, used:
        await used.send(Note(1))
        await counting.until(4)
    assert [note async for note in rx] == [Note(1)]
    await rx.aclose()


async def test_an_end_that_is_held_open_outlives_a_bus_that_is_away_for_a_moment(bus: ChannelBus) -> None:
    counting = Counting(bus)
    tx, rx = ends(counting, lease_s=0.06)
    async with tx, rx:
        await tx.send(Note(1))
        counting.is_away = True
        await counting.until(counting.joins + 4)
        counting.is_away = False
        await counting.until(counting.joins + 2)
        assert await rx.recv() == Note(1)


async def test_a_closed_end_says_nothing_more(bus: ChannelBus) -> None:
    counting = Counting(bus)
    tx, rx = ends(counting, lease_s=0.03)
    async with tx:
        await tx.send(Note(1))
        await tx.aclose()
        closed = counting.joins
        async with rx:
            assert await rx.recv() == Note(1)
            await counting.until(closed + 4)
            with pytest.raises(ChannelClosedError):
                await rx.recv()


async def test_a_close_that_failed_can_be_repeated_and_the_end_does_nothing_more_meanwhile(bus: ChannelBus) -> None:
    counting = Counting(bus)
    tx, rx = ends(counting)
    await tx.send(Note(1))
    counting.is_away = True
    with pytest.raises(BusUnavailableError):
        await tx.aclose()
    assert await tx.try_send(Note(2)) is Sent.CLOSED
    counting.is_away = False
    await tx.aclose()
    assert await rx.recv() == Note(1)
    assert await rx.try_recv() is Nothing.CLOSED
    await rx.aclose()


def test_a_channel_over_a_bus_needs_a_bus_a_name_and_a_message_type() -> None:
    with pytest.raises(ValueError, match="needs bus= and name="):
        channel(Note, distributed=True, bus=MemoryBus(), name="")
    with pytest.raises(TypeError, match="'int' is no message type"):
        channel(int, distributed=True, bus=MemoryBus(), name="numbers")


def test_a_channel_over_a_bus_needs_a_bound() -> None:
    with pytest.raises(ValueError, match="capacity=inf is for channels within a process"):
        channel(Note, distributed=True, bus=MemoryBus(), name="notes", capacity=math.inf)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


@pytest.mark.parametrize("lease_s", [0, -1.0, math.nan, math.inf])
def test_a_lease_that_is_no_number_of_seconds_above_zero_is_refused(lease_s: float) -> None:
    with pytest.raises(ValueError, match=f"lease_s={lease_s} must be a number of seconds above 0"):
        ends(MemoryBus(), lease_s=lease_s)
