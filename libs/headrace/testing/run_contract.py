"""The part of the bus contract that speaks of whole runs: their end, signals, memory, deadlines, dead letters."""

import asyncio

from headrace.bus.protocol import Bus
from headrace.ledger.terminal import EXPIRED, cancelled
from headrace.ledger.values import Answer, Emit, Item, Park, Schedule, Submission
from headrace.testing.bus_contract import (
    BROKEN,
    DONE,
    IN,
    NEXT,
    BusContract,
    commit,
    frames,
    in_flight,
    read,
    replies,
    submission,
    terminal,
    trace,
)
from headrace.testing.wait import wait_until


class RunContract(BusContract):
    """What every bus promises of runs, beside the rest."""

    async def test_i8_an_end_answers_when_every_listener_has_dealt_with_it(self) -> None:
        async with self.started() as (bus, trace_id):
            assert await bus.abandoned("a", wait_s=0) == []
            assert await bus.abandoned("a", wait_s=0) == []
            ending = asyncio.create_task(bus.end(trace_id, cancelled()))
            assert await bus.abandoned("a", wait_s=5) == [trace_id]
            await asyncio.wait([ending], timeout=0.05)
            assert not ending.done()
            assert await bus.abandoned("a", wait_s=0) == []
            assert await ending is True

    async def test_i8_who_begins_to_listen_learns_of_what_was_abandoned_before(self) -> None:
        async with self.started() as (bus, trace_id):
            await bus.end(trace_id, cancelled())
            assert await bus.abandoned("a", wait_s=0) == [trace_id]
            await bus.unlisten("a")

    async def test_i8_a_listener_that_has_left_keeps_nobody_waiting(self) -> None:
        async with self.started() as (bus, trace_id):
            await bus.abandoned("a", wait_s=0)
            await bus.unlisten("a")
            async with asyncio.timeout(1):
                assert await bus.end(trace_id, cancelled()) is True

    async def test_a_run_that_fails_with_work_under_way_is_abandoned_until_the_last_of_it_is_gone(self) -> None:
        async with self.started(Emit(IN, b"1"), Emit(IN, b"2")) as (bus, trace_id):
            await bus.abandoned("a", wait_s=0)
            first, second = await read(bus, IN)
            await bus.commit(IN, [commit(first, trace_id, terminal=BROKEN)])
            assert await bus.abandoned("a", wait_s=5) == [trace_id]
            assert await bus.abandoned("b", wait_s=0) == [trace_id]
            assert await bus.commit(IN, [commit(second, trace_id)]) == [[Answer.LATE]]
            assert await bus.abandoned("c", wait_s=0) == []
            for listener in "abc":
                await bus.unlisten(listener)

    async def test_a_run_that_ends_with_nothing_under_way_is_not_abandoned(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            await bus.commit(IN, [commit(delivery, trace_id, terminal=BROKEN)])
            assert await bus.abandoned("a", wait_s=0) == []
            await bus.unlisten("a")

    async def test_a_signal_lets_go_on_what_is_parked_for_it(self) -> None:
        async with self.started() as (bus, trace_id):
            await park(bus, trace_id, b"parked")
            assert await in_flight(bus, trace_id) == 1
            assert await terminal(bus, trace_id) is None
            assert await bus.signal(trace_id, "other", b"no", [IN]) is True
            assert await bus.backlog(IN) == 0
            assert await bus.signal(trace_id, "approval", b"yes", [IN, NEXT]) is True
            assert await frames(bus, IN) == [(b"parked", b"yes")]
            assert await in_flight(bus, trace_id) == 1

    async def test_a_signal_that_comes_first_is_kept_for_what_is_parked_later(self) -> None:
        async with self.started() as (bus, trace_id):
            assert await bus.signal(trace_id, "approval", b"yes", [IN]) is True
            await park(bus, trace_id, b"parked")
            assert await frames(bus, IN) == [(b"parked", b"yes")]

    async def test_the_first_signal_of_a_name_stays(self) -> None:
        async with self.started() as (bus, trace_id):
            assert await bus.signal(trace_id, "approval", b"yes", [IN]) is True
            assert await bus.signal(trace_id, "approval", b"no", [IN]) is False
            await park(bus, trace_id, b"parked")
            assert await frames(bus, IN) == [(b"parked", b"yes")]

    async def test_an_ended_or_unknown_run_takes_no_signal(self) -> None:
        async with self.started() as (bus, trace_id):
            await park(bus, trace_id, b"parked")
            await bus.end(trace_id, cancelled())
            assert await bus.signal(trace_id, "approval", b"yes", [IN]) is False
            assert await bus.signal(trace(), "approval", b"yes", [IN]) is False
            assert await bus.backlog(IN) == 0
            assert await in_flight(bus, trace_id) == 0

    async def test_what_is_remembered_first_stays(self) -> None:
        async with self.started() as (bus, trace_id):
            assert await bus.recall(trace_id, "charge") is None
            assert await bus.remember(trace_id, "charge", b"1") == b"1"
            assert await bus.remember(trace_id, "charge", b"2") == b"1"
            assert await bus.recall(trace_id, "charge") == b"1"
            assert await bus.recall(trace_id, "other") is None
            assert await bus.recall(trace(), "charge") is None
            await bus.end(trace_id, cancelled())
            assert await bus.recall(trace_id, "charge") is None
            assert await bus.remember(trace_id, "charge", b"3") == b"3"
            assert await bus.recall(trace_id, "charge") is None

    async def test_a_run_expires_at_its_deadline_though_nothing_of_it_runs(self) -> None:
        async with self.open_bus() as bus:
            soon, later, done = trace(), trace(), trace()
            bounds = ((soon, 1), (later, 600_000), (done, 1))
            await bus.submit([Submission(one, "pipe", "v1", (Emit(IN, b"x"),), (), "", ms) for one, ms in bounds])
            *_, held = await read(bus, IN)
            await bus.commit(IN, [commit(held, done, terminal=DONE)])

            async def has_expired() -> bool:
                return await bus.expire(limit=10) == 1

            await wait_until(has_expired, description="the run expires")
            assert await bus.expire(limit=10) == 0
            assert [await terminal(bus, one) for one in (soon, later, done)] == [EXPIRED, None, DONE]
            assert sorted(await replies(bus)) == sorted([(done, DONE), (soon, EXPIRED)])

    async def test_a_dead_letter_is_redriven_once(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            await bus.commit(IN, [commit(delivery, trace_id, terminal=BROKEN, dead=b"letter")])
            (letter,) = await bus.dead_letters(IN, limit=10)
            again = submission(trace(), Emit(IN, b"again"))
            assert await bus.redrive(IN, letter, again) is True
            assert await bus.redrive(IN, letter, again) is False
            assert await bus.redrive(IN, letter, submission(trace(), Emit(IN, b"other"))) is False
            assert await bus.dead_letters(IN, limit=10) == []
            assert await frames(bus, IN) == [(b"again",)]
            assert await terminal(bus, trace_id) == BROKEN

    async def test_a_dead_letter_stays_where_the_run_of_its_redrive_is_there_already(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            await bus.commit(IN, [commit(delivery, trace_id, terminal=BROKEN, dead=b"letter")])
            (letter,) = await bus.dead_letters(IN, limit=10)
            assert await bus.redrive(IN, letter, submission(trace_id)) is False
            assert await bus.dead_letters(IN, limit=10) == [letter]

    async def test_dead_letters_are_purged_one_by_one(self) -> None:
        async with self.started(Emit(IN, b"1"), Emit(IN, b"2")) as (bus, _):
            held = await read(bus, IN)
            await bus.commit(IN, [commit(one, "", dead=str(number).encode()) for number, one in enumerate(held)])
            first, second = await bus.dead_letters(IN, limit=10)
            assert await bus.purge(IN, [first]) == 1
            assert await bus.purge(IN, [first]) == 0
            assert await bus.dead_letters(IN, limit=10) == [second]

    async def test_a_dead_letter_of_an_unknown_run_is_kept(self) -> None:
        async with self.started() as (bus, _):
            (delivery,) = await read(bus, IN)
            assert await bus.commit(IN, [commit(delivery, trace(), terminal=BROKEN, dead=b"raw")]) == [[Answer.LATE]]
            assert [letter.blob for letter in await bus.dead_letters(IN, limit=10)] == [b"raw"]

    async def test_consumers_that_hold_nothing_and_are_silent_are_removed(self) -> None:
        async with self.started(Emit(IN, b"1"), Emit(IN, b"2")) as (bus, trace_id):
            first, _ = await read(bus, IN, "idle")
            await bus.commit(IN, [commit(first, trace_id)])
            assert len(await bus.claim(IN, "busy", limit=10, idle_s=0)) == 1
            assert await bus.sweep(IN, idle_s=600) == 0
            assert await bus.sweep(IN, idle_s=0) == 1
            assert await bus.sweep(IN, idle_s=0) == 0
            assert len(await bus.claim(IN, "other", limit=10, idle_s=0)) == 1

    async def test_a_scheduled_item_of_a_failed_run_counts_out_when_it_is_due(self) -> None:
        async with self.started(Emit(IN, b"1"), Emit(IN, b"2")) as (bus, trace_id):
            first, second = await read(bus, IN)
            await bus.commit(IN, [commit(first, trace_id, Schedule(IN, 0, Item((b"x",))))])
            await bus.commit(IN, [commit(second, trace_id, terminal=BROKEN)])
            assert await bus.abandoned("a", wait_s=0) == [trace_id]
            await bus.promote(IN, limit=10)
            assert await in_flight(bus, trace_id) == 0
            assert await bus.abandoned("b", wait_s=0) == []
            for listener in "ab":
                await bus.unlisten(listener)

    async def test_what_is_parked_of_a_completed_run_is_given_up_with_the_last_that_moves(self) -> None:
        async with self.started(Emit(IN, b"1"), Emit(IN, b"2")) as (bus, trace_id):
            await park(bus, trace_id, b"parked")
            (other,) = await read(bus, IN)
            await bus.commit(IN, [commit(other, trace_id, terminal=DONE)])
            assert await in_flight(bus, trace_id) == 0
            assert await bus.signal(trace_id, "approval", b"yes", [IN]) is False

    async def test_an_entry_of_a_run_that_has_no_work_left_changes_nothing(self) -> None:
        async with self.open_bus() as bus:
            done, other = trace(), trace()
            await bus.submit([submission(done), submission(other, Emit(IN, b"1"), Emit(IN, b"2"))])
            first, second, _ = await read(bus, IN)
            await bus.commit(IN, [commit(first, done, terminal=DONE)])
            # what the second entry holds may be anything: here it names the run that is done
            assert await bus.commit(IN, [commit(second, done, Emit(NEXT, b"again"), terminal=DONE)]) == [[Answer.LATE]]
            assert await bus.backlog(NEXT) == 0
            assert await in_flight(bus, done) == 0
            assert len(await replies(bus)) == 1

    async def test_the_clock_of_the_bus_goes_on(self) -> None:
        async with self.open_bus() as bus:
            assert 0 < await bus.now_ms() <= await bus.now_ms()


async def park(bus: Bus, trace_id: str, frame: bytes) -> None:
    """Park an item of a run for the signal `approval`, as the outcome of its next hop."""
    (delivery,) = await read(bus, IN, limit=1)
    await bus.commit(IN, [commit(delivery, trace_id, Park(IN, "approval", Item((frame,))))])
