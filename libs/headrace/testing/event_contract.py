"""The part of the bus contract that speaks of run events: kept once, in order, for whoever follows, and no longer."""

import asyncio

from headrace.bus.protocol import DEFAULT_KEPT_EVENTS, Bus
from headrace.ledger.terminal import cancelled
from headrace.ledger.told import Told
from headrace.ledger.values import Answer, Commit, Delivery, Emit, RunEvent, Settled, Submission, Submitted, Terminal
from headrace.testing.bus_contract import BROKEN, DONE, IN, NEXT, BusContract, read, submission, trace

CALL, OTHER = "ca11", "0ther"


class EventContract(BusContract):
    """What every bus promises of run events, beside the rest."""

    async def test_what_is_told_is_read_in_order_from_any_place(self) -> None:
        async with self.open_bus() as bus:
            run, delivery = await followed(bus)
            await bus.tell([told(run, delivery, b"1", b"2"), told(run, delivery, b"3", call=OTHER)])
            await bus.tell([told(run, delivery, b"4", first=2)])
            assert await texts(bus, run) == ["1", "2", "3", "4"]
            assert await texts(bus, run, after=2) == ["3", "4"]
            assert await texts(bus, run, after=4) == []
            assert [event.seq for event in await events(bus, run)] == [1, 2, 3, 4]
            assert [event.seq for event in await events(bus, run, limit=2)] == [1, 2]
            now_ms = await bus.now_ms()
            assert all(abs(now_ms - event.at_ms) < 60_000 for event in await events(bus, run))

    async def test_a_read_waits_for_the_first_event_of_any_of_its_runs(self) -> None:
        async with self.open_bus() as bus:
            (one, _), (two, delivery) = await followed(bus), await followed(bus)
            reading = asyncio.create_task(bus.events({one: 0, two: 0}, limit=10, wait_s=10))
            await asyncio.wait([reading], timeout=0.02)
            assert not reading.done()
            await bus.tell([told(two, delivery, b"1")])
            assert {run: [event.blob for event in found] for run, found in (await reading).items()} == {two: [b"1"]}
            assert await bus.events({one: 0}, limit=10, wait_s=0.01) == {}

    async def test_a_run_that_does_not_ask_for_it_keeps_no_events(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            await bus.tell([told(trace_id, delivery, b"1")])
            await bus.tell([told(trace(), delivery, b"1")])
            await bus.commit(IN, [ending(trace_id, delivery, DONE, keeps_events=False)])
            assert await events(bus, trace_id) == []
            assert await bus.events({}, limit=1, wait_s=0) == {}
            view = await bus.view(trace_id)
            assert view is not None
            assert not view.keeps_events

    async def test_a_commit_tells_before_it_ends_the_run_and_the_terminal_comes_last(self) -> None:
        async with self.open_bus() as bus:
            run, delivery = await followed(bus)
            await bus.tell([told(run, delivery, b"1")])
            await bus.commit(IN, [ending(run, delivery, DONE, told(run, delivery, b"1", b"2"))])
            assert await texts(bus, run) == ["1", "2", "completed"]
            assert (await events(bus, run))[-1].terminal == DONE
            view = await bus.view(run)
            assert view is not None
            assert view.keeps_events

    async def test_i8_nothing_is_told_of_a_run_behind_its_end(self) -> None:
        async with self.open_bus() as bus:
            run, delivery = await followed(bus, Emit(IN, b"1"), Emit(NEXT, b"2"))
            await bus.tell([told(run, delivery, b"1")])
            await bus.end(run, cancelled())
            await bus.tell([told(run, delivery, b"2", first=1)])
            late = ending(run, delivery, None, told(run, delivery, b"1", b"2"))
            assert await bus.commit(IN, [late]) == [[Answer.LATE]]
            assert await texts(bus, run) == ["1", "cancelled"]

    async def test_i8_nor_by_the_branches_that_a_completed_run_still_has(self) -> None:
        async with self.open_bus() as bus:
            run, delivery = await followed(bus, Emit(IN, b"1"), Emit(NEXT, b"2"))
            await bus.commit(IN, [ending(run, delivery, DONE)])
            (other,) = await read(bus, NEXT)
            await bus.tell([told(run, other, b"1")])
            assert await bus.commit(NEXT, [ending(run, other, None, told(run, other, b"1", b"2"))]) == [
                [Answer.COMMITTED]
            ]
            assert await texts(bus, run) == ["completed"]

    async def test_every_way_in_which_a_run_ends_is_told(self) -> None:
        async with self.open_bus() as bus:
            failed, delivery = await followed(bus)
            await bus.commit(IN, [ending(failed, delivery, BROKEN)])
            drained, delivery = await followed(bus)
            await bus.commit(IN, [ending(drained, delivery, None)])
            expired = trace()
            start = Submission(expired, "pipe", "v1", (Emit(NEXT, b"in"),), timeout_ms=1, keeps_events=True)
            await bus.submit([start])
            while not await bus.expire(limit=10):
                await bus.events({expired: 0}, limit=1, wait_s=0.002)
            assert await texts(bus, failed) == ["failed"]
            assert await texts(bus, drained) == ["completed"]
            assert await texts(bus, expired) == ["expired"]

    async def test_i1_telling_again_what_may_have_been_kept_keeps_it_once(self) -> None:
        async with self.open_bus() as bus:
            run, delivery = await followed(bus)
            for _ in range(2):
                await bus.tell([told(run, delivery, b"1", b"2")])
            await bus.tell([told(run, delivery, b"2", b"3", first=1)])
            assert await texts(bus, run) == ["1", "2", "3"]

    async def test_what_a_call_tells_anew_is_marked_and_what_its_earlier_turn_still_tells_is_dropped(self) -> None:
        async with self.open_bus() as bus:
            run, first = await followed(bus)
            await bus.tell([told(run, first, b"old"), told(run, first, b"other", call=OTHER)])
            (second,) = await bus.claim(IN, "b", limit=1, idle_s=0)
            assert second.turn > first.turn
            await bus.tell([told(run, second, b"new")])
            await bus.tell([told(run, first, b"late", first=1)])
            assert await texts(bus, run) == ["old", "other", f"{CALL} anew", "new"]
            assert await bus.commit(IN, [ending(run, second, DONE, told(run, second, b"end", first=1))]) == [
                [Answer.COMMITTED]
            ]
            assert await texts(bus, run, after=4) == ["end", "completed"]

    async def test_the_newest_events_are_kept_and_their_numbers_say_what_is_missing(self) -> None:
        count = DEFAULT_KEPT_EVENTS + 2
        async with self.open_bus() as bus:
            run, delivery = await followed(bus)
            await bus.tell([told(run, delivery, *(b"%d" % number for number in range(1, count + 1)))])
            assert [(event.seq, event.blob) for event in await events(bus, run, limit=2)] == [(3, b"3"), (4, b"4")]
            assert await texts(bus, run, after=count - 1) == [str(count)]


async def followed(bus: Bus, *outputs: Emit) -> tuple[str, Delivery]:
    """Start a run that keeps its events, and read its first entry."""
    start = submission(trace(), *outputs)
    run = Submission(start.trace_id, start.pipe, start.plan, start.outputs, keeps_events=True)
    assert await bus.submit([run]) == [Submitted.NEW]
    (delivery,) = await read(bus, IN)
    return run.trace_id, delivery


def told(run: str, delivery: Delivery, *blobs: bytes, first: int = 0, call: str = CALL) -> Told:
    """What a call tells in a delivery's turn."""
    return Told(run, call, delivery.turn, first, blobs)


def ending(
    run: str, delivery: Delivery, terminal: Terminal | None, *telling: Told, keeps_events: bool = True
) -> Commit:
    """The end of a hop that tells something."""
    settled = Settled(run, terminal=terminal, keeps_events=keeps_events, told=telling)
    return Commit(delivery.partition, delivery.id, (settled,))


async def events(bus: Bus, run: str, *, after: int = 0, limit: int = 100) -> list[RunEvent]:
    """The events of a run."""
    return (await bus.events({run: after}, limit=limit, wait_s=0)).get(run, [])


async def texts(bus: Bus, run: str, *, after: int = 0) -> list[str]:
    """The events of a run, each as a word."""
    return [_text(event) for event in await events(bus, run, after=after)]


def _text(event: RunEvent) -> str:
    if event.terminal is not None:
        return event.terminal.state.value
    return f"{event.replaced} anew" if event.replaced else event.blob.decode()
