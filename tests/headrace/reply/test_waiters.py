"""Waiters: told once, gone when they leave, counted when they are not there, and not lost while the bus is away."""

import asyncio

import pytest
from tests.headrace.reply.running import DONE, answering, finish, running, start

from headrace.bus.memory.bus import MemoryBus
from headrace.errors import UnknownRunError, WaitTimeoutError
from headrace.ledger.values import TerminalEvent
from headrace.reply.waiters import Waiters
from headrace.testing.bus_contract import trace
from headrace.testing.faulty_bus import Fault, FaultyBus
from headrace.testing.wait import wait_until

LONG_S = 30.0


async def watched(bus: MemoryBus, trace_id: str) -> tuple[str, ...]:
    return (await bus.waiters([trace_id]))[0]


async def put(bus: MemoryBus, trace_id: str, *, times: int = 1) -> None:
    """Have a run's terminal event put into the inbox so many times, whoever waits."""
    event = TerminalEvent(trace_id, DONE)
    for _ in range(times):
        bus._inboxes.put("inbox", event, 0)
    bus._sleepers.wake(("inbox", "inbox"))


async def test_a_waiter_registered_before_the_run_starts_is_told_how_it_ended() -> None:
    bus, trace_id = MemoryBus(), trace()
    async with answering(bus) as waiters, waiters.expect(trace_id) as future:
        await start(bus, trace_id, inbox="inbox")
        await finish(bus, trace_id)
        assert await waiters.result(trace_id, future, LONG_S) == DONE
        assert (waiters.counts, len(waiters)) == ({"replied": 1}, 0)


async def test_a_run_started_elsewhere_is_waited_for_by_its_trace_id() -> None:
    bus, trace_id = MemoryBus(), trace()
    async with answering(bus) as waiters:
        await start(bus, trace_id)
        waiting = asyncio.create_task(waiters.wait(trace_id, LONG_S))
        await wait_until(lambda: len(waiters) == 1, description="it waits")
        await finish(bus, trace_id)
        assert await waiting == DONE


async def test_a_run_that_has_ended_answers_at_once_and_nobody_waits() -> None:
    bus, trace_id = MemoryBus(), trace()
    await start(bus, trace_id)
    await finish(bus, trace_id)
    waiters = Waiters(bus, "inbox")
    assert await waiters.wait(trace_id, LONG_S) == DONE
    assert (len(waiters), await watched(bus, trace_id)) == (0, ())


async def test_an_unknown_run_is_said_to_be_so_and_nobody_waits() -> None:
    waiters = Waiters(MemoryBus(), "inbox")
    with pytest.raises(UnknownRunError):
        await waiters.wait(trace(), LONG_S)
    assert len(waiters) == 0


async def test_a_wait_that_runs_out_leaves_nothing_here_nor_on_the_bus_and_the_run_goes_on() -> None:
    bus, trace_id = MemoryBus(), trace()
    await start(bus, trace_id)
    waiters = Waiters(bus, "inbox")
    with pytest.raises(WaitTimeoutError) as caught:
        await waiters.wait(trace_id, 0.001)
    assert str(caught.value) == f"no answer within 0.001 s; the run goes on as trace_id '{trace_id}'"
    assert (waiters.counts, len(waiters), await watched(bus, trace_id)) == ({"timed_out": 1}, 0, ())
    assert (view := await bus.view(trace_id)) is not None
    assert view.terminal is None


async def test_a_wait_that_is_cancelled_leaves_nothing_here_nor_on_the_bus() -> None:
    bus, trace_id = MemoryBus(), trace()
    await start(bus, trace_id)
    waiters = Waiters(bus, "inbox")
    waiting = asyncio.create_task(waiters.wait(trace_id, LONG_S))
    await wait_until(lambda: len(waiters) == 1, description="it waits")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (waiters.counts, len(waiters), await watched(bus, trace_id)) == ({}, 0, ())


async def test_a_run_that_was_waited_for_in_vain_can_be_waited_for_again() -> None:
    bus, trace_id = MemoryBus(), trace()
    async with answering(bus) as waiters:
        await start(bus, trace_id)
        with pytest.raises(WaitTimeoutError):
            await waiters.wait(trace_id, 0.001)
        again = asyncio.create_task(waiters.wait(trace_id, LONG_S))
        await wait_until(lambda: len(waiters) == 1, description="it waits again")
        await finish(bus, trace_id)
        assert await again == DONE


async def test_two_waiters_of_one_run_are_both_told_and_one_that_leaves_does_not_take_the_other_along() -> None:
    bus, trace_id = MemoryBus(), trace()
    async with answering(bus) as waiters:
        await start(bus, trace_id)
        two = [asyncio.create_task(waiters.wait(trace_id, LONG_S)) for _ in range(2)]
        await wait_until(lambda: len(waiters) == 2, description="both wait")
        with pytest.raises(WaitTimeoutError):
            await waiters.wait(trace_id, 0.001)
        assert await watched(bus, trace_id) == ("inbox",)
        await finish(bus, trace_id)
        assert await asyncio.gather(*two) == [DONE, DONE]
        assert waiters.counts == {"timed_out": 1, "replied": 1}


async def test_a_second_terminal_of_a_run_is_counted_and_dropped() -> None:
    bus, trace_id = MemoryBus(), trace()
    waiters = Waiters(bus, "inbox")
    async with running(bus, waiters):
        future = waiters.register(trace_id)
        await put(bus, trace_id, times=3)
        assert await future == DONE
        await wait_until(lambda: waiters.counts["duplicate_terminal"] == 2, description="they are counted")
        assert waiters.counts["replied"] == 1


async def test_a_reply_whose_waiter_has_gone_is_counted_and_dropped() -> None:
    bus, trace_id = MemoryBus(), trace()
    waiters = Waiters(bus, "inbox")
    async with running(bus, waiters):
        waiters.discard(trace_id, waiters.register(trace_id))
        await put(bus, trace_id)
        await wait_until(lambda: waiters.counts["late_reply_drop"] == 1, description="it is counted")
        assert waiters.counts.total() == 1


async def test_discarding_twice_or_what_was_never_registered_does_nothing() -> None:
    waiters = Waiters(MemoryBus(), "inbox")
    future = waiters.register("a")
    waiters.discard("b", future)
    for _ in range(2):
        waiters.discard("a", future)
    assert len(waiters) == 0


async def test_stopping_cancels_the_waits_under_way_and_those_that_come_later() -> None:
    bus, trace_id = MemoryBus(), trace()
    waiters = Waiters(bus, "inbox")
    async with running(bus, waiters):
        await start(bus, trace_id)
        waiting = asyncio.create_task(waiters.wait(trace_id, LONG_S))
        await wait_until(lambda: len(waiters) == 1, description="it waits")
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (len(waiters), await watched(bus, trace_id)) == (0, ())
    assert waiters.register(trace_id).cancelled()


async def test_waits_are_cancelled_when_the_reader_itself_is() -> None:
    waiters = Waiters(MemoryBus(), "inbox")
    future = waiters.register("a")
    reader = asyncio.create_task(waiters.run())
    await wait_until(lambda: waiters.turn_s > 0, description="it reads")
    reader.cancel()
    await asyncio.wait([reader])
    assert future.cancelled()


async def test_stopping_before_the_start_is_legal_and_running_then_ends_at_once() -> None:
    waiters = Waiters(MemoryBus(), "inbox")
    waiters.stop()
    waiters.stop()
    await waiters.run()


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_bus_that_is_away_for_some_reads_loses_no_reply_and_stops_no_reader(fault: Fault) -> None:
    bus, trace_id = FaultyBus(MemoryBus()), trace()
    async with answering(bus) as waiters, waiters.expect(trace_id) as future:
        await start(bus, trace_id, inbox="inbox")
        bus.fail("read_inbox", fault)
        await wait_until(lambda: bus.calls["read_inbox"] == 1, description="it reads")
        bus.fail("read_inbox", fault)
        await finish(bus, trace_id)
        assert await waiters.result(trace_id, future, LONG_S) == DONE
        assert waiters.counts == {"replied": 1}


async def test_a_reply_that_comes_after_it_was_caught_up_with_is_no_duplicate_but_a_third_one_is() -> None:
    memory, trace_id = MemoryBus(), trace()
    bus = FaultyBus(memory)
    waiters = Waiters(bus, "inbox")
    await start(bus, trace_id)
    await finish(bus, trace_id)  # and no coordinator is there to say so
    bus.fail("read_inbox", Fault.BEFORE)
    bus.fail("watch", Fault.BEFORE)
    await put(memory, trace())
    async with running(bus, waiters):
        future = waiters.register(trace_id)
        assert await future == DONE
        await put(memory, trace_id, times=2)
        await wait_until(lambda: waiters.counts["duplicate_terminal"] == 1, description="the third is counted")
        assert waiters.counts == {"replied": 1, "duplicate_terminal": 1, "late_reply_drop": 1}


async def test_a_bus_that_is_away_when_a_wait_runs_out_does_not_hide_that_it_did() -> None:
    bus, trace_id = FaultyBus(MemoryBus()), trace()
    await start(bus, trace_id)
    bus.fail("unwatch", Fault.BEFORE)
    with pytest.raises(WaitTimeoutError):
        await Waiters(bus, "inbox").wait(trace_id, 0.001)


async def test_who_waits_for_a_run_that_the_bus_no_longer_knows_is_told_soon() -> None:
    bus, lost, open_run = MemoryBus(), trace(), trace()
    await start(bus, open_run)
    waiters = Waiters(bus, "inbox", look_every_s=0.01)
    async with running(bus, waiters):
        both = [waiters.register(trace_id) for trace_id in (open_run, lost)]
        with pytest.raises(UnknownRunError, match=lost):
            await waiters.result(lost, both[1], LONG_S)
        assert (waiters.counts["run_lost"], len(waiters), both[0].done()) == (1, 1, False)


async def test_all_who_wait_are_told_when_everything_is_lost() -> None:
    bus = MemoryBus()
    waiters = Waiters(bus, "inbox", look_every_s=0.01)
    async with running(bus, waiters):
        futures = [waiters.register(trace()) for _ in range(600)]
        await wait_until(lambda: len(waiters) == 0, description="all are told")
        assert waiters.counts == {"run_lost": 600}
        assert all(isinstance(future.exception(), UnknownRunError) for future in futures)


async def test_a_run_that_is_being_started_is_not_taken_for_lost() -> None:
    bus, starting, lost = FaultyBus(MemoryBus()), trace(), trace()
    waiters = Waiters(bus, "inbox", look_every_s=0.01)
    async with running(bus, waiters):
        future = waiters.register(starting)
        with waiters.starting([starting]):
            waiters.register(lost)
            await wait_until(lambda: waiters.counts["run_lost"] == 1, description="the other one is missed")
            await start(bus, starting)
        asked = bus.calls["view"]
        await wait_until(lambda: bus.calls["view"] >= asked + 3, description="it was asked for")
        assert not future.done()


async def test_the_end_of_a_run_whose_event_was_lost_is_found_by_looking() -> None:
    bus, trace_id = MemoryBus(), trace()
    waiters = Waiters(bus, "inbox", look_every_s=0.01)
    async with running(bus, waiters), waiters.expect(trace_id) as future:
        await start(bus, trace_id, inbox="another")
        await finish(bus, trace_id)
        assert await waiters.result(trace_id, future, LONG_S) == DONE
        await put(bus, trace_id, times=2)
        await wait_until(lambda: waiters.counts["duplicate_terminal"] == 1, description="the second is counted")
    assert waiters.counts == {"replied": 1, "duplicate_terminal": 1}


async def test_looking_goes_on_after_the_bus_was_away() -> None:
    bus, lost = FaultyBus(MemoryBus()), trace()
    bus.fail("view", Fault.BEFORE, Fault.AFTER)
    waiters = Waiters(bus, "inbox", look_every_s=0.01)
    async with running(bus, waiters):
        future = waiters.register(lost)
        with pytest.raises(UnknownRunError):
            await waiters.result(lost, future, LONG_S)
