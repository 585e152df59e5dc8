"""Oneshot, broadcast and watch: what each promises, and that each of their ends can be closed."""

import anyio
import pytest

from headrace.channels import Lagged, Nothing, Received, broadcast, oneshot, watch
from headrace.errors import ChannelClosedError, ChannelLaggedError


async def test_a_oneshot_carries_one_value() -> None:
    tx, rx = oneshot(int)
    tx.send(1)
    with pytest.raises(ChannelClosedError):
        tx.send(2)
    assert await rx.recv() == 1
    with pytest.raises(ChannelClosedError):
        await rx.recv()


async def test_a_oneshot_whose_sender_closes_without_a_value_tells_its_receiver() -> None:
    tx, rx = oneshot(int)
    async with anyio.create_task_group() as tasks:

        async def receive() -> None:
            with pytest.raises(ChannelClosedError):
                await rx.recv()

        tasks.start_soon(receive)
        await anyio.wait_all_tasks_blocked()
        tx.close()


async def test_a_oneshot_whose_receiver_is_closed_tells_its_sender() -> None:
    tx, rx = oneshot(int)
    rx.close()
    with pytest.raises(ChannelClosedError, match="no receiver"):
        tx.send(1)


async def test_a_broadcast_goes_to_every_receiver() -> None:
    tx, rx = broadcast(int)
    other = rx.clone()
    assert tx.send(1) == 2
    late = tx.subscribe()
    assert tx.send(2) == 3
    tx.close()
    assert [number async for number in rx] == [1, 2]
    assert [number async for number in other] == [1, 2]
    assert [number async for number in late] == [2]


async def test_a_broadcast_never_waits_and_a_slow_receiver_is_told_what_it_missed() -> None:
    tx, rx = broadcast(int, capacity=2)
    quick = rx.clone()
    for number in range(5):
        tx.send(number)
        assert await quick.recv() == number
    with pytest.raises(ChannelLaggedError, match="missed 3 messages"):
        await rx.recv()
    assert await rx.recv() == 3
    for number in range(5, 9):
        tx.send(number)
    assert await rx.try_recv() == Lagged(3)
    assert await rx.try_recv() == Received(7)


async def test_a_broadcast_to_nobody_is_kept_for_nobody() -> None:
    tx, rx = broadcast(int)
    tx.send(1)
    rx.close()
    assert tx.send(2) == 0
    assert await tx.subscribe().try_recv() is Nothing.EMPTY


async def test_a_receiver_of_a_broadcast_that_is_closed_while_it_waits_ends_and_the_others_do_not() -> None:
    tx, rx = broadcast(int)
    other = rx.clone()
    got: list[int] = []

    async def receive() -> None:
        got.extend([number async for number in rx])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        await anyio.wait_all_tasks_blocked()
        rx.close()
        await anyio.wait_all_tasks_blocked()
        tx.send(1)
    assert got == []
    assert await other.recv() == 1


async def test_the_last_sender_of_a_broadcast_ends_it() -> None:
    tx, rx = broadcast(int)
    other = tx.clone()
    tx.close()
    other.send(1)
    other.close()
    assert await rx.recv() == 1
    with pytest.raises(ChannelClosedError):
        await rx.recv()
    with pytest.raises(ChannelClosedError):
        other.send(2)


async def test_a_watch_shows_the_latest_value_and_nothing_in_between() -> None:
    tx, rx = watch("a")
    assert (rx.borrow(), await rx.try_recv()) == ("a", Nothing.EMPTY)
    tx.send("b")
    tx.send("c")
    assert await rx.recv() == "c"
    assert await rx.try_recv() is Nothing.EMPTY


async def test_a_change_of_a_watch_wakes_all_who_wait() -> None:
    tx, rx = watch(0)
    seen: list[int] = []

    async def see() -> None:
        receiver = rx.clone()
        await receiver.changed()
        seen.append(receiver.borrow())

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(see)
        await anyio.wait_all_tasks_blocked()
        tx.send(1)
    assert seen == [1, 1, 1]


async def test_a_watch_ends_with_its_last_sender_after_its_last_value() -> None:
    tx, rx = watch(0)
    other = tx.clone()
    tx.close()
    other.send(1)
    other.close()
    assert [value async for value in rx] == [1]
    assert rx.borrow() == other.borrow() == 1


async def test_a_receiver_of_a_watch_that_is_closed_while_it_waits_ends() -> None:
    tx, rx = watch(0)
    values: list[int] = []

    async def see() -> None:
        values.extend([value async for value in rx])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(see)
        await anyio.wait_all_tasks_blocked()
        rx.close()
    assert values == []
    assert await tx.subscribe().try_recv() is Nothing.EMPTY
