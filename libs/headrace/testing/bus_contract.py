"""The bus contract as tests: every bus passes them. A subclass gives the bus; see `BusContract.open_bus`.

The groups, frames and trace ids here mean nothing; a bus carries them as they are.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count

from headrace.bus.protocol import Bus
from headrace.errors import Failure, FailureKind, FailureSource
from headrace.ledger.level import Level
from headrace.ledger.terminal import cancelled, completed, ended
from headrace.ledger.values import (
    Answer,
    Commit,
    Delivery,
    Emit,
    Enqueue,
    Feed,
    Item,
    Output,
    RunState,
    Schedule,
    Settled,
    Submission,
    Submitted,
    Terminal,
    TerminalEvent,
)
from headrace.testing.wait import wait_until

IN, NEXT = "pipe.in", "pipe.next"
DONE = completed("Answer", b"42")
BROKEN = ended(RunState.FAILED, Failure(FailureKind.STEP, FailureSource.USER_CODE, "node", "in"))
_numbers = count(1)


def trace() -> str:
    """A new trace id in partition 0."""
    return f"{next(_numbers):032x}"


def submission(
    trace_id: str, *outputs: Output, tickets: tuple[tuple[str, str], ...] = (), inbox: str = ""
) -> Submission:
    """The start of a run that sends `b"in"` to the group `IN`, or the outputs given."""
    return Submission(trace_id, "pipe", "v1", outputs or (Emit(IN, b"in"),), tickets, inbox)


def commit(
    delivery: Delivery,
    trace_id: str,
    *outputs: Output,
    terminal: Terminal | None = None,
    dead: bytes | None = None,
    feeds: tuple[Feed, ...] = (),
) -> Commit:
    """The end of a hop over a delivery with one item."""
    item = delivery.entry.items[0]
    settled = Settled(trace_id, item.ticket, outputs, terminal, dead, (), feeds, item.stash)
    return Commit(delivery.partition, delivery.id, (settled,), (), delivery.entry.lane)


class BusContract(ABC):
    """What every bus promises. Subclass it in a test module, as `class TestMyBus(BusContract)`, and give `open_bus`."""

    @abstractmethod
    def open_bus(self) -> AbstractAsyncContextManager[Bus]:
        """Open an empty bus; it is closed when the context is."""

    @asynccontextmanager
    async def started(self, *outputs: Output) -> AsyncIterator[tuple[Bus, str]]:
        """Open a bus with one run under way."""
        async with self.open_bus() as bus:
            trace_id = trace()
            assert await bus.submit([submission(trace_id, *outputs)]) == [Submitted.NEW]
            yield bus, trace_id

    async def test_a_submitted_message_is_read_by_its_group(self) -> None:
        async with self.started() as (bus, _):
            assert await frames(bus, IN) == [(b"in",)]
            assert await frames(bus, NEXT) == []

    async def test_submitting_a_run_twice_is_submitting_it_once(self) -> None:
        async with self.started() as (bus, trace_id):
            assert await bus.submit([submission(trace_id), submission(trace())]) == [Submitted.KNOWN, Submitted.NEW]
            assert await bus.backlog(IN) == 2

    async def test_messages_are_read_in_the_order_of_their_submission(self) -> None:
        async with self.open_bus() as bus:
            sent = [(str(number).encode(),) for number in range(20)]
            await bus.submit([submission(trace(), Emit(IN, frame)) for (frame,) in sent])
            assert await frames(bus, IN, limit=7) + await frames(bus, IN) == sent

    async def test_a_delivery_tells_when_its_entry_came_by_the_clock_of_the_bus(self) -> None:
        async with self.open_bus() as bus:
            before_ms = await bus.now_ms()
            await bus.submit([submission(trace()), submission(trace())])
            after_ms = await bus.now_ms()
            first, second = await read(bus, IN)
            assert before_ms <= first.since_ms <= second.since_ms <= after_ms
            assert first.turn < second.turn

    async def test_the_level_of_a_group_is_what_stands_there_and_since_when(self) -> None:
        async with self.open_bus() as bus:
            assert await bus.level(IN) == Level()
            first, second = trace(), trace()
            await bus.submit([submission(first)])
            assert (await bus.level(IN)).backlog == 1  # though nobody has ever read
            (old,) = await read(bus, IN)

            async def is_older() -> bool:
                return (await bus.level(IN)).oldest_s >= 0.01

            await wait_until(is_older, description="time has passed")
            await bus.submit([submission(second)])
            assert (await bus.level(IN)).backlog == 2
            assert await is_older()  # the older of them counts, though it is in flight
            await bus.commit(IN, [commit(old, first, terminal=BROKEN, dead=b"letter")])
            (new,) = await read(bus, IN)
            assert [(level.backlog, level.dead_letters) for level in [await bus.level(IN)]] == [(1, 1)]
            await bus.commit(IN, [commit(new, second)])
            assert await bus.level(IN) == Level(dead_letters=1)

    async def test_an_entry_is_handed_to_one_consumer_only(self) -> None:
        async with self.started() as (bus, _):
            assert len(await read(bus, IN, "a")) == 1
            assert await read(bus, IN, "b") == []

    async def test_a_read_takes_no_more_than_its_limit(self) -> None:
        async with self.open_bus() as bus:
            await bus.submit([submission(trace()) for _ in range(5)])
            assert 1 <= len(await read(bus, IN, limit=3)) <= 3
            assert await bus.backlog(IN) == 5

    async def test_i1_a_commit_deletes_its_entry_and_appends_the_outputs(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            outputs = (Emit(NEXT, b"1"), Emit(NEXT, b"2"))
            assert await bus.commit(IN, [commit(delivery, trace_id, *outputs)]) == [[Answer.COMMITTED]]
            assert await frames(bus, NEXT) == [(b"1",), (b"2",)]
            assert await bus.backlog(IN) == 0
            assert await bus.claim(IN, "b", limit=10, idle_s=0) == []

    async def test_i1_committing_twice_is_committing_once(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            one = commit(delivery, trace_id, Emit(NEXT, b"1"))
            assert await bus.commit(IN, [one, one]) == [[Answer.COMMITTED], [Answer.FENCED]]
            assert await bus.commit(IN, [one]) == [[Answer.FENCED]]
            assert await frames(bus, NEXT) == [(b"1",)]
            assert await in_flight(bus, trace_id) == 1

    async def test_i2_of_two_holders_the_first_to_commit_wins(self) -> None:
        async with self.started() as (bus, trace_id):
            (first,) = await read(bus, IN, "a")
            (second,) = await bus.claim(IN, "b", limit=10, idle_s=0)
            assert await bus.commit(IN, [commit(second, trace_id, Emit(NEXT, b"b"))]) == [[Answer.COMMITTED]]
            assert await bus.commit(IN, [commit(first, trace_id, Emit(NEXT, b"a"))]) == [[Answer.FENCED]]
            assert await frames(bus, NEXT) == [(b"b",)]

    async def test_i2_a_lease_is_renewed_only_by_its_owner(self) -> None:
        async with self.started() as (bus, _):
            (first,) = await read(bus, IN, "a")
            assert await bus.extend(IN, "a", [first]) == [True]
            (second,) = await bus.claim(IN, "b", limit=10, idle_s=0)
            assert await bus.extend(IN, "a", [first]) == [False]
            assert await bus.extend(IN, "b", [second]) == [True]
            (third,) = await bus.claim(IN, "b", limit=10, idle_s=0)
            assert await bus.extend(IN, "b", [second, third]) == [False, True]

    async def test_a_claim_counts_deliveries_and_gives_the_entry_as_it_was(self) -> None:
        async with self.started() as (bus, _):
            (first,) = await read(bus, IN, "a")
            (second,) = await bus.claim(IN, "b", limit=10, idle_s=0)
            (third,) = await bus.claim(IN, "c", limit=10, idle_s=0)
            assert [first.deliveries, second.deliveries, third.deliveries] == [1, 2, 3]
            assert first.entry == second.entry == third.entry

    async def test_a_claim_leaves_live_leases_alone(self) -> None:
        async with self.started() as (bus, _):
            await read(bus, IN, "a")
            assert await bus.claim(IN, "b", limit=10, idle_s=60) == []

    async def test_claims_come_round_to_every_entry(self) -> None:
        async with self.open_bus() as bus:
            await bus.submit([submission(trace(), Emit(IN, str(number).encode())) for number in range(5)])
            held = await read(bus, IN, "a")
            claimed: set[str] = set()
            for _ in range(6):
                claimed |= {one.id for one in await bus.claim(IN, "b", limit=2, idle_s=0)}
            assert claimed == {one.id for one in held}

    async def test_commits_of_one_batch_are_each_atomic_on_their_own(self) -> None:
        async with self.open_bus() as bus:
            traces = [trace() for _ in range(3)]
            await bus.submit([submission(one) for one in traces])
            held = await read(bus, IN)
            await bus.commit(IN, [commit(held[1], traces[1], terminal=DONE)])
            batch = [commit(one, trace_id, terminal=DONE) for one, trace_id in zip(held, traces, strict=True)]
            answers = await bus.commit(IN, batch)
            assert answers == [[Answer.COMMITTED], [Answer.FENCED], [Answer.COMMITTED]]
            assert [await terminal(bus, one) for one in traces] == [DONE] * 3

    async def test_i3_a_terminal_output_ends_the_run_with_one_event(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            assert (await bus.view(trace_id)).terminal is None  # type: ignore[union-attr]  # it was just submitted
            await bus.commit(IN, [commit(delivery, trace_id, terminal=DONE)])
            assert await terminal(bus, trace_id) == DONE
            assert await replies(bus) == [(trace_id, DONE)]

    async def test_i3_a_run_that_drains_without_output_completes_with_an_empty_result(self) -> None:
        async with self.started(Emit(IN, b"1"), Emit(IN, b"2")) as (bus, trace_id):
            first, second = await read(bus, IN)
            await bus.commit(IN, [commit(first, trace_id)])
            assert await terminal(bus, trace_id) is None
            await bus.commit(IN, [commit(second, trace_id)])
            assert await terminal(bus, trace_id) == Terminal(RunState.COMPLETED, b"")
            assert len(await replies(bus)) == 1

    async def test_i3_the_first_terminal_wins_and_the_other_branch_goes_on(self) -> None:
        async with self.started(Emit(IN, b"1"), Emit(IN, b"2")) as (bus, trace_id):
            first, second = await read(bus, IN)
            await bus.commit(IN, [commit(first, trace_id, terminal=DONE)])
            later = commit(second, trace_id, Emit(NEXT, b"3"), terminal=completed("Answer", b"43"))
            assert await bus.commit(IN, [later]) == [[Answer.DUPLICATE]]
            assert await terminal(bus, trace_id) == DONE
            assert len(await replies(bus)) == 1
            assert await frames(bus, NEXT) == [(b"3",)]

    async def test_a_failed_run_keeps_a_dead_letter_and_takes_no_more_outputs(self) -> None:
        async with self.started(Emit(IN, b"1"), Emit(IN, b"2")) as (bus, trace_id):
            first, second = await read(bus, IN)
            answers = await bus.commit(IN, [commit(first, trace_id, terminal=BROKEN, dead=b"letter")])
            assert answers == [[Answer.COMMITTED]]
            assert await bus.commit(IN, [commit(second, trace_id, Emit(NEXT, b"3"))]) == [[Answer.LATE]]
            assert await bus.backlog(NEXT) == 0
            assert await terminal(bus, trace_id) == BROKEN
            assert [letter.blob for letter in await bus.dead_letters(IN, limit=10)] == [b"letter"]
            assert await in_flight(bus, trace_id) == 0

    async def test_an_entry_that_cannot_be_decoded_becomes_a_dead_letter_of_no_run(self) -> None:
        async with self.started() as (bus, _):
            (delivery,) = await read(bus, IN)
            assert await bus.commit(IN, [commit(delivery, "", dead=b"raw")]) == [[Answer.COMMITTED]]
            assert [letter.blob for letter in await bus.dead_letters(IN, limit=10)] == [b"raw"]
            assert await bus.backlog(IN) == 0

    async def test_a_run_is_ended_from_outside_once(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            assert await bus.end(trace_id, cancelled()) is True
            assert await bus.end(trace_id, cancelled()) is False
            assert await bus.end(trace(), cancelled()) is False
            assert await bus.commit(IN, [commit(delivery, trace_id, Emit(NEXT, b"1"))]) == [[Answer.LATE]]
            assert await bus.backlog(NEXT) == 0
            assert await replies(bus) == [(trace_id, cancelled())]

    async def test_a_scheduled_item_comes_back_when_it_is_due(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            later, now = Schedule(IN, 3_600_000, Item((b"later",))), Schedule(IN, 0, Item((b"x", b"y")))
            await bus.commit(IN, [commit(delivery, trace_id, later, now)])
            assert await in_flight(bus, trace_id) == 2
            assert await bus.promote(IN, limit=10) == 1
            assert await frames(bus, IN) == [(b"x", b"y")]
            assert await bus.promote(IN, limit=10) == 0
            assert await in_flight(bus, trace_id) == 2

    async def test_a_scheduled_item_of_an_ended_run_is_dropped(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            await bus.commit(IN, [commit(delivery, trace_id, Schedule(IN, 0, Item((b"x",))))])
            await bus.end(trace_id, cancelled())
            assert await bus.promote(IN, limit=10) == 1
            assert await bus.backlog(IN) == 0
            assert await in_flight(bus, trace_id) == 0

    async def test_a_waiter_is_told_of_the_terminal_through_its_inbox(self) -> None:
        async with self.open_bus() as bus:
            trace_id = trace()
            await bus.submit([submission(trace_id, inbox="gateway-1")])
            await bus.watch(trace_id, "gateway-2")
            assert await bus.waiters([trace_id, trace()]) == [("gateway-1", "gateway-2"), ()]
            (delivery,) = await read(bus, IN)
            await bus.commit(IN, [commit(delivery, trace_id, terminal=DONE)])
            await match(bus)
            for inbox in ("gateway-1", "gateway-2"):
                (event,) = await bus.read_inbox(inbox, limit=10, wait_s=0.01)
                assert (event.trace_id, event.terminal) == (trace_id, DONE)
                assert await bus.read_inbox(inbox, limit=10, wait_s=0.01) == []
            assert await bus.waiters([trace_id]) == [()]

    async def test_a_terminal_that_comes_before_its_waiter_is_not_lost(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            await bus.commit(IN, [commit(delivery, trace_id, terminal=DONE)])
            view = await bus.watch(trace_id, "gateway-1")
            assert view is not None
            assert view.terminal == DONE
            assert await bus.waiters([trace_id]) == [()]
            assert await bus.watch(trace(), "gateway-1") is None

    async def test_a_waiter_that_left_is_told_nothing(self) -> None:
        async with self.open_bus() as bus:
            trace_id = trace()
            await bus.submit([submission(trace_id, inbox="gateway-1")])
            await bus.watch(trace_id, "gateway-2")
            await bus.unwatch(trace_id, "gateway-1")
            await bus.unwatch(trace_id, "gateway-1")
            assert await bus.waiters([trace_id]) == [("gateway-2",)]
            await bus.unwatch(trace_id, "gateway-2")
            assert await bus.waiters([trace_id]) == [()]

    async def test_a_terminal_event_is_delivered_once_by_two_coordinators(self) -> None:
        async with self.open_bus() as bus:
            trace_id = trace()
            await bus.submit([submission(trace_id, inbox="gateway-1")])
            (delivery,) = await read(bus, IN)
            await bus.commit(IN, [commit(delivery, trace_id, terminal=DONE)])
            events = await bus.read_replies("a", limit=10, wait_s=0.01)
            matches = [(event, ("gateway-1",)) for event in events]
            assert [await bus.deliver(matches), await bus.deliver(matches)] == [1, 0]
            assert len(await bus.read_inbox("gateway-1", limit=10, wait_s=0.01)) == 1

    async def test_an_unknown_run_is_none(self) -> None:
        async with self.open_bus() as bus:
            assert await bus.view(trace()) is None


def enqueue(lane: str, frame: bytes, *, by_ingress: bool = False) -> Enqueue:
    """A place in a lane that feeds the group `NEXT`."""
    return Enqueue(NEXT, lane, frame, by_ingress)


async def read(bus: Bus, group: str, consumer: str = "a", *, limit: int = 100) -> list[Delivery]:
    """Read what is there."""
    return await bus.read(group, consumer, limit=limit, wait_s=0.01)


async def frames(bus: Bus, group: str, *, limit: int = 100) -> list[tuple[bytes, ...]]:
    """Read what is there and give the frames of every item."""
    return [item.frames for one in await read(bus, group, limit=limit) for item in one.entry.items]


async def replies(bus: Bus) -> list[tuple[str, Terminal]]:
    """Read the terminal events."""
    return [(event.trace_id, event.terminal) for event in await bus.read_replies("r", limit=100, wait_s=0.01)]


async def match(bus: Bus) -> list[TerminalEvent]:
    """Do once what a coordinator does."""
    events = await bus.read_replies("r", limit=100, wait_s=0.01)
    inboxes = await bus.waiters([event.trace_id for event in events])
    await bus.deliver(list(zip(events, inboxes, strict=True)))
    return events


async def terminal(bus: Bus, trace_id: str) -> Terminal | None:
    """A known run's terminal."""
    view = await bus.view(trace_id)
    assert view is not None
    return view.terminal


async def in_flight(bus: Bus, trace_id: str) -> int:
    """A known run's in-flight count."""
    view = await bus.view(trace_id)
    assert view is not None
    return view.in_flight
