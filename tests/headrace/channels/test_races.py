"""Sends, receives, closings and cancellations in any order, on both back ends: what each kind of channel promises."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from headrace.channels import Receiver, Sender, broadcast, channel, watch
from headrace.channels.broadcast import BroadcastReceiver
from headrace.channels.watch import WatchReceiver
from headrace.errors import ChannelClosedError, ChannelLaggedError

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
PACE = st.lists(st.integers(0, 3), min_size=1, max_size=6)  # turns of others before each step of somebody
PACES = st.lists(PACE, min_size=1, max_size=4)
MESSAGES = 8


class Note(NamedTuple):
    sender: int
    number: int


async def pause(pace: list[int], step: int) -> None:
    for _ in range(pace[step % len(pace)]):
        await checkpoint()


def bounded(backend: str, work: Callable[[], Awaitable[None]]) -> None:
    async def bound() -> None:
        with anyio.fail_after(30):  # what takes so long hangs
            await work()

    anyio.run(bound, backend=backend)


async def send_all(own: Sender[Note], sender: int, pace: list[int]) -> None:
    async with own:
        for number in range(MESSAGES):
            await pause(pace, number)
            await own.send(Note(sender, number))


async def receive(own: Receiver[Note], pace: list[int], most: int, got: list[Note]) -> None:
    async with own:
        for step in range(most):
            await pause(pace, step)
            try:
                got.append(await own.recv())
            except ChannelClosedError:
                return


async def receive_until(own: Receiver[Note], turns: int, got: list[Note]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive, own, [0], MESSAGES, got)
        await pause([turns], 0)
        tasks.cancel_scope.cancel()


@BACKENDS
@given(
    senders=PACES,
    receivers=PACES,
    cancelled=st.lists(st.integers(0, 12), max_size=3),
    leaving=st.lists(st.integers(0, 5), max_size=3),
    capacity=st.integers(1, 4),
)
def test_each_message_of_a_channel_comes_to_exactly_one_receiver(
    backend: str,
    senders: list[list[int]],
    receivers: list[list[int]],
    cancelled: list[int],
    leaving: list[int],
    capacity: int,
) -> None:
    got: list[Note] = []
    tx, rx = channel(Note, capacity=capacity)

    async def work() -> None:
        async with anyio.create_task_group() as tasks, tx, rx:
            for sender, pace in enumerate(senders):
                tasks.start_soon(send_all, tx.clone(), sender, pace)
            for turns in cancelled:
                tasks.start_soon(receive_until, rx.clone(), turns, got)
            for most in leaving:
                tasks.start_soon(receive, rx.clone(), [1], most, got)
            for pace in receivers:
                tasks.start_soon(receive, rx.clone(), pace, len(senders) * MESSAGES + 1, got)

    bounded(backend, work)
    assert sorted(got) == [Note(sender, number) for sender in range(len(senders)) for number in range(MESSAGES)]


@BACKENDS
@given(senders=PACES, receiver=PACE, capacity=st.integers(1, 4))
def test_one_receiver_gets_each_senders_messages_in_order(
    backend: str, senders: list[list[int]], receiver: list[int], capacity: int
) -> None:
    got: list[Note] = []
    tx, rx = channel(Note, capacity=capacity)

    async def work() -> None:
        async with anyio.create_task_group() as tasks, tx:
            for sender, pace in enumerate(senders):
                tasks.start_soon(send_all, tx.clone(), sender, pace)
            tasks.start_soon(receive, rx, receiver, len(senders) * MESSAGES + 1, got)

    bounded(backend, work)
    for sender in range(len(senders)):
        assert [number for each, number in got if each == sender] == list(range(MESSAGES))


@BACKENDS
@given(sender=PACE, receivers=PACES, capacity=st.integers(1, 4))
def test_a_receiver_of_a_broadcast_sees_or_is_told_of_every_message_in_order(
    backend: str, sender: list[int], receivers: list[list[int]], capacity: int
) -> None:
    seen: list[list[int]] = [[] for _ in receivers]
    missed = [0] * len(receivers)
    tx, rx = broadcast(int, capacity=capacity)

    async def listen(own: BroadcastReceiver[int], place: int) -> None:
        async with own:
            for step in range(10 * MESSAGES):
                await pause(receivers[place], step)
                try:
                    seen[place].append(await own.recv())
                except ChannelLaggedError as lag:
                    missed[place] += lag.missed
                except ChannelClosedError:
                    return

    async def work() -> None:
        async with anyio.create_task_group() as tasks:
            for place in range(len(receivers)):
                tasks.start_soon(listen, rx.clone(), place)
            for number in range(MESSAGES):
                await pause(sender, number)
                tx.send(number)
            tx.close()

    bounded(backend, work)
    for numbers, lost in zip(seen, missed, strict=True):
        assert all(before < after for before, after in pairwise(numbers))
        assert len(numbers) + lost == MESSAGES
        assert numbers[-1] == MESSAGES - 1


@BACKENDS
@given(sender=PACE, receivers=PACES, cancelled=st.lists(st.integers(0, 8), max_size=3))
def test_a_receiver_of_a_watch_sees_newer_values_alone_and_the_last_one_always(
    backend: str, sender: list[int], receivers: list[list[int]], cancelled: list[int]
) -> None:
    seen: list[list[int]] = [[] for _ in receivers]
    tx, rx = watch(-1)

    async def look(own: WatchReceiver[int], place: int) -> None:
        async with own:
            for step in range(10 * MESSAGES):
                await pause(receivers[place], step)
                try:
                    seen[place].append(await own.recv())
                except ChannelClosedError:
                    return

    async def wait_until(own: WatchReceiver[int], turns: int) -> None:
        with anyio.CancelScope() as scope, suppress(ChannelClosedError):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(own.changed)
                await pause([turns], 0)
                scope.cancel()

    async def work() -> None:
        async with anyio.create_task_group() as tasks:
            for place in range(len(receivers)):
                tasks.start_soon(look, rx.clone(), place)
            for turns in cancelled:
                tasks.start_soon(wait_until, rx.clone(), turns)
            for number in range(MESSAGES):
                await pause(sender, number)
                tx.send(number)
            await checkpoint()
            tx.close()

    bounded(backend, work)
    for numbers in seen:
        assert all(before < after for before, after in pairwise(numbers))
        assert numbers[-1] == MESSAGES - 1
