"""`select` takes one message and leaves the others where they are."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.bus.memory.bus import MemoryBus
from headrace.channels import Nothing, Received, Selected, broadcast, channel, select, watch
from headrace.errors import ChannelClosedError, ChannelLaggedError
from headrace.testing.channel_contract import Note


async def test_where_two_are_ready_the_one_that_is_not_taken_stays() -> None:
    (tx1, rx1), (tx2, rx2) = channel(int), channel(int)
    await tx1.send(1)
    await tx2.send(2)
    first = await select(rx1, rx2)
    second = await select(rx1, rx2)
    assert {first, second} == {Selected(0, 1), Selected(1, 2)}
    assert (await rx1.try_recv(), await rx2.try_recv()) == (Nothing.EMPTY, Nothing.EMPTY)


async def test_a_biased_select_serves_the_first_that_has_one() -> None:
    (tx1, rx1), (tx2, rx2) = channel(int), channel(int)
    for number in range(5):
        await tx1.send(number)
        await tx2.send(number)
    assert [(await select(rx1, rx2, is_biased=True)).place for _ in range(10)] == [0] * 5 + [1] * 5


async def test_a_fair_select_starves_nobody() -> None:
    (tx1, rx1), (tx2, rx2) = channel(int, capacity=200), channel(int, capacity=200)
    for number in range(200):
        await tx1.send(number)
        await tx2.send(number)
    places = [(await select(rx1, rx2)).place for _ in range(200)]
    assert 40 < sum(places) < 160  # 100 on the average; this far off once in 10^16


async def test_a_fair_select_gives_who_follows_an_idle_one_no_more_than_its_share() -> None:
    (_tx, idle), (tx1, rx1), (tx2, rx2) = channel(int), channel(int, capacity=600), channel(int, capacity=600)
    for number in range(600):
        await tx1.send(number)
        await tx2.send(number)
    places = [(await select(idle, rx1, rx2)).place for _ in range(600)]
    assert 200 < places.count(1) < 400  # 300 on the average; this far off once in 10^15


async def test_receivers_over_a_bus_are_refused() -> None:
    _, rx = channel(Note, distributed=True, bus=MemoryBus(), name="notes")
    with pytest.raises(TypeError, match="no DistributedReceiver"):
        await select(rx)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_it_waits_for_the_first_and_a_closed_one_is_passed_over() -> None:
    (tx1, rx1), (tx2, rx2) = channel(int), channel(int)
    tx1.close()
    got: list[Selected[int]] = []

    async def receive() -> None:
        got.append(await select(rx1, rx2))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        await anyio.wait_all_tasks_blocked()
        await tx2.send(2)
    assert got == [Selected(1, 2)]


async def test_it_ends_when_all_are_closed_also_while_it_waits() -> None:
    (tx1, rx1), (tx2, rx2) = channel(int), channel(int)
    tx1.close()

    async def receive() -> None:
        with pytest.raises(ChannelClosedError):
            await select(rx1, rx2)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        await anyio.wait_all_tasks_blocked()
        tx2.close()
    with pytest.raises(ChannelClosedError):
        await select()


async def test_receivers_of_all_kinds_can_be_selected() -> None:
    (_, rx1), (tx2, rx2), (tx3, rx3) = channel(int), broadcast(int, capacity=1), watch(0)
    tx3.send(3)
    assert await select(rx1, rx2, rx3) == Selected(2, 3)
    tx2.send(1)
    tx2.send(2)
    with pytest.raises(ChannelLaggedError):
        await select(rx1, rx2, rx3)
    assert await select(rx1, rx2, rx3) == Selected(1, 2)


async def test_a_select_that_is_cancelled_loses_nothing() -> None:
    (tx1, rx1), (_, rx2) = channel(int), channel(int)
    got: list[object] = []
    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def doomed() -> None:
            with scope:
                got.append(Received((await select(rx1, rx2)).value))

        tasks.start_soon(doomed)
        await anyio.wait_all_tasks_blocked()
        await tx1.send(1)
        scope.cancel()
    got.append(await rx1.try_recv())
    assert got.count(Received(1)) == 1  # its own, or still there


async def test_two_selects_that_wait_for_the_same_are_quiet_when_there_is_nothing() -> None:
    (tx1, rx1), (tx2, rx2) = channel(int), broadcast(int)
    got: list[int] = []

    async def receive() -> None:
        try:
            while True:
                got.append((await select(rx1, rx2)).value)
        except ChannelClosedError:
            pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        tasks.start_soon(receive)
        for number in range(4):
            await tx1.send(number)
            tx2.send(10 + number)
            await anyio.wait_all_tasks_blocked()
        tx1.close()
        tx2.close()
    assert sorted(got) == [0, 1, 2, 3, 10, 11, 12, 13]


@given(
    backend=st.sampled_from(["asyncio", "trio"]),
    sends=st.lists(st.integers(0, 2), max_size=30),
    tasks=st.integers(1, 3),
    cancel_after=st.integers(0, 30),
    pauses=st.sets(st.integers(0, 30)),
)
def test_nothing_is_lost_or_doubled_whatever_is_selected_received_and_cancelled(
    backend: str, sends: list[int], tasks: int, cancel_after: int, pauses: set[int]
) -> None:
    async def main() -> None:
        pairs = [channel(int, capacity=2) for _ in range(3)]
        got: list[int] = []
        doomed = anyio.CancelScope()

        async def take(scope: anyio.CancelScope) -> None:
            with scope:
                try:
                    while True:
                        got.append((await select(*(rx for _, rx in pairs))).value)
                except ChannelClosedError:
                    pass

        async with anyio.create_task_group() as group:
            group.start_soon(take, doomed)
            for _ in range(tasks):
                group.start_soon(take, anyio.CancelScope())
            for number, place in enumerate(sends):
                if number == cancel_after:
                    doomed.cancel()
                await pairs[place][0].send(number)
                if number in pauses:
                    await anyio.lowlevel.checkpoint()
            for tx, _ in pairs:
                tx.close()
        assert sorted(got) == list(range(len(sends)))

    anyio.run(main, backend=backend)
