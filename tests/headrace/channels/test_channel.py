"""The channel within a process keeps the contract, on asyncio and on trio; and what only such a one can promise."""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from headrace.channels import Nothing, Received, Receiver, Sender, Sent, channel
from headrace.errors import ChannelClosedError
from headrace.testing.channel_contract import ChannelContract, MakeChannel, Note


class TestLocal(ChannelContract):
    @pytest.fixture
    def make(self) -> MakeChannel:
        @asynccontextmanager
        async def make(capacity: int) -> AsyncGenerator[tuple[Sender[Note], Receiver[Note]]]:
            tx, rx = channel(Note, capacity=capacity)
            async with tx, rx:
                yield tx, rx

        return make


async def test_a_message_whose_receiver_is_cancelled_in_the_same_instant_is_not_lost() -> None:
    tx, rx = channel(int)
    got: list[int] = []
    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def doomed() -> None:
            with scope:
                got.append(await rx.clone().recv())

        async def heir() -> None:
            got.append(await rx.recv())

        tasks.start_soon(doomed)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(heir)
        await tx.send(1)
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert got == [1]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_of_asyncio_that_is_cancelled_after_it_was_woken_loses_nothing() -> None:
    tx, rx = channel(int)
    doomed = asyncio.create_task(rx.recv())
    heir = asyncio.create_task(rx.clone().recv())
    await asyncio.sleep(0)
    await tx.send(1)
    doomed.cancel()
    assert await heir == 1
    with pytest.raises(asyncio.CancelledError):
        await doomed


async def test_closing_an_end_ends_the_wait_at_it_and_the_others_go_on() -> None:
    tx, rx = channel(int, capacity=1)
    other = tx.clone()
    await tx.send(0)
    ended: list[str] = []

    async def send(sender: Sender[int], name: str) -> None:
        try:
            await sender.send(1)
        except ChannelClosedError:
            ended.append(f"{name} closed")
        else:
            ended.append(f"{name} sent")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send, tx, "first")
        tasks.start_soon(send, other, "second")
        await anyio.wait_all_tasks_blocked()
        tx.close()
        await anyio.wait_all_tasks_blocked()
        assert ended == ["first closed"]
        assert await rx.recv() == 0
    assert ended == ["first closed", "second sent"]


async def test_a_channel_without_a_bound_never_has_its_senders_wait() -> None:
    tx, rx = channel(int, capacity=math.inf)
    for number in range(1_000):
        assert await tx.try_send(number) is Sent.SENT
    tx.close()
    assert [number async for number in rx] == list(range(1_000))


async def test_a_busy_channel_lets_others_have_their_turn_and_sees_its_cancellation() -> None:
    tx, rx = channel(int, capacity=1)
    with anyio.move_on_after(0) as scope:
        while True:
            await tx.send(1)
            await rx.recv()
    assert scope.cancelled_caught


async def test_what_was_sent_to_nobody_is_not_kept() -> None:
    tx, rx = channel(int)
    await tx.send(1)
    rx.close()
    assert await rx.try_recv() is Nothing.CLOSED
    assert await tx.try_send(2) is Sent.CLOSED


async def test_twenty_thousand_messages_pass() -> None:
    tx, rx = channel(int)

    async def send() -> None:
        async with tx:
            for number in range(20_000):
                await tx.send(number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        assert [number async for number in rx] == list(range(20_000))


async def test_a_message_that_is_there_is_had_at_once() -> None:
    tx, rx = channel(int)
    await tx.send(1)
    assert await rx.try_recv() == Received(1)


@pytest.mark.parametrize("capacity", [0, -1, math.nan])
def test_a_capacity_below_one_is_refused(capacity: float) -> None:
    with pytest.raises(ValueError, match=f"capacity={capacity} must be at least 1"):
        channel(int, capacity=capacity)


async def test_room_that_comes_is_for_who_waits_for_it_not_for_who_comes_later() -> None:
    tx, rx = channel(int, capacity=1)
    await tx.send(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tx.clone().send, 2)
        await anyio.wait_all_tasks_blocked()
        assert await rx.try_recv() == Received(1)
        assert await tx.try_send(3) is Sent.FULL
    assert await rx.try_recv() == Received(2)


async def test_a_message_that_comes_is_for_who_waits_for_it_not_for_who_comes_later() -> None:
    tx, rx = channel(int)
    got: list[int] = []

    async def wait() -> None:
        got.append(await rx.clone().recv())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await tx.send(1)
        assert await rx.try_recv() is Nothing.EMPTY
    assert got == [1]


async def test_a_busy_sender_and_receiver_keep_nobody_from_sending() -> None:
    tx, rx = channel(str, capacity=1)
    got: list[str] = []

    async def send() -> None:
        async with tx.clone() as own:
            for _ in range(1_000):
                await own.send("busy")

    async with anyio.create_task_group() as tasks:
        await tx.send("first")
        tasks.start_soon(tx.clone().send, "other")
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(send)
        while "other" not in got:
            got.append(await rx.recv())
        tasks.cancel_scope.cancel()
    assert got == ["first", "other"]


async def test_who_is_promised_a_message_and_closes_its_end_leaves_it_to_another() -> None:
    tx, rx = channel(int)
    closing, heir = rx.clone(), rx.clone()
    got: list[int] = []

    async def closed() -> None:
        with pytest.raises(ChannelClosedError):
            await closing.recv()

    async def wait() -> None:
        got.append(await heir.recv())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(closed)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await tx.send(1)
        closing.close()
    assert got == [1]


async def test_who_waits_behind_the_last_message_is_told_that_no_other_comes() -> None:
    tx, rx = channel(int)
    ended: list[int] = []

    async def drain() -> None:
        async with rx.clone() as own:
            ended.append(len([value async for value in own]))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(drain)
        await anyio.wait_all_tasks_blocked()
        for number in range(3):
            await tx.send(number)
        tx.close()
    assert sum(ended) == 3
    assert len(ended) == 5


async def test_clones_that_come_and_send_and_close_keep_nobody_from_sending() -> None:
    tx, rx = channel(str, capacity=1)
    got: list[str] = []

    async def come_and_go() -> None:
        while True:
            async with tx.clone() as own:
                await own.send("busy")

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(come_and_go)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(tx.send, "other")
        await anyio.wait_all_tasks_blocked()
        while len(got) < 100 and "other" not in got:
            got.append(await rx.recv())
        tasks.cancel_scope.cancel()
    assert got == ["busy"] * 3 + ["other"]  # one was held, and two waited before it


async def test_clones_that_come_and_receive_and_close_keep_nobody_from_receiving() -> None:
    tx, rx = channel(int, capacity=1)
    got: list[int] = []

    async def come_and_go() -> None:
        while True:
            async with rx.clone() as own:
                await own.recv()

    async def wait() -> None:
        got.append(await rx.recv())

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(come_and_go)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        for number in range(100):
            await tx.send(number)
        tasks.cancel_scope.cancel()
    assert got == [2]  # two waited before it


async def test_what_several_are_promised_at_an_end_that_is_closed_is_for_as_many_others() -> None:
    tx, rx = channel(int)
    closing = rx.clone()
    got: list[int] = []

    async def closed() -> None:
        with pytest.raises(ChannelClosedError):
            await closing.recv()

    async def wait() -> None:
        got.append(await rx.recv())

    async with anyio.create_task_group() as tasks:
        for each in (closed, closed, wait, wait):
            tasks.start_soon(each)
            await anyio.wait_all_tasks_blocked()
        await tx.send(1)
        await tx.send(2)
        closing.close()
    assert got == [1, 2]
