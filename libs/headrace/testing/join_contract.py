"""The part of the bus contract that speaks of joins and gathers: arrivals, absences, starvation, scopes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from headrace.bus.protocol import Bus
from headrace.ledger.terminal import cancelled, starved, timed_out
from headrace.ledger.values import Answer, Arrive, Delivery, Emit, Feed, Item, Join, Open, RunState, Schedule, Terminal
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
    submission,
    terminal,
    trace,
)
from headrace.testing.wait import wait_until

ALL = Join(NEXT, "join", "", ("a", "b"))
PARTIAL = Join(NEXT, "join", "", ("a", "b"), optional=("b",))
FIRST = Join(NEXT, "join", "", ("winner",))
IMPATIENT = Join(NEXT, "join", "", ("a", "b"), timeout_ms=1)
PATIENT_PARTIAL = Join(NEXT, "join", "", ("a", "b"), optional=("b",), timeout_ms=1)
OUTER = Join(NEXT, "outer", "s", ("item",), gathers=True)
INNER = Join(IN, "inner", "s/t", ("item",), gathers=True)
STARVED = starved("join", NEXT)


def feeds(join: Join, *slots: str) -> tuple[Feed, ...]:
    """What a piece of work may lead to."""
    return tuple(Feed(join, slot) for slot in slots)


class JoinContract(BusContract):
    """What every bus promises of joins, beside the rest."""

    @asynccontextmanager
    async def branches(self, join: Join, *slots: str) -> AsyncIterator[tuple[Bus, str, list[Delivery]]]:
        """Open a bus with a run of several branches, each of which may feed one slot."""
        outputs = tuple(Emit(IN, slot.encode(), feeds(join, slot)) for slot in slots)
        async with self.started(*outputs) as (bus, trace_id):
            yield bus, trace_id, await read(bus, IN)

    async def test_i4_a_join_fires_once_with_each_arrival_in_the_order_of_its_slots(self) -> None:
        async with self.branches(ALL, "a", "b") as (bus, trace_id, (a, b)):
            await bus.commit(IN, [commit(b, trace_id, Arrive(ALL, "b", b"B"), feeds=feeds(ALL, "b"))])
            assert await bus.backlog(NEXT) == 0
            assert await in_flight(bus, trace_id) == 2
            await bus.commit(IN, [commit(a, trace_id, Arrive(ALL, "a", b"A"), feeds=feeds(ALL, "a"))])
            assert await frames(bus, NEXT) == [(b"A", b"B")]
            assert await in_flight(bus, trace_id) == 1

    async def test_i4_a_second_arrival_at_a_slot_is_absorbed(self) -> None:
        slots = ("a", "a", "b", "b")
        async with self.branches(ALL, *slots) as (bus, trace_id, held):
            for one, slot in zip(held, slots, strict=True):
                arrival = Arrive(ALL, slot, slot.upper().encode())
                await bus.commit(IN, [commit(one, trace_id, arrival, feeds=feeds(ALL, slot))])
            assert await frames(bus, NEXT) == [(b"A", b"B")]
            assert await in_flight(bus, trace_id) == 1

    async def test_i4_two_arrivals_of_one_commit_complete_the_join(self) -> None:
        async with self.branches(ALL, "a") as (bus, trace_id, (held,)):
            arrivals = Arrive(ALL, "a", b"A"), Arrive(ALL, "b", b"B")
            await bus.commit(IN, [commit(held, trace_id, *arrivals, feeds=feeds(ALL, "a"))])
            assert await frames(bus, NEXT) == [(b"A", b"B")]

    async def test_i4_joins_of_different_scopes_do_not_meet(self) -> None:
        inside = Join(NEXT, "join", "s", ("a", "b"))
        async with self.started(Emit(IN, b"x", feeds(ALL, "b"))) as (bus, trace_id):
            (held,) = await read(bus, IN)
            arrivals = Arrive(ALL, "a", b"A"), Arrive(inside, "b", b"B")
            back = Emit(IN, b"y", (*feeds(ALL, "b"), *feeds(inside, "a")))
            await bus.commit(IN, [commit(held, trace_id, *arrivals, back, feeds=feeds(ALL, "b"))])
            assert await bus.backlog(NEXT) == 0
            assert await in_flight(bus, trace_id) == 3

    async def test_a_join_starves_at_the_instant_its_last_feeder_is_gone_whatever_else_goes_on(self) -> None:
        async with self.started(
            Emit(IN, b"1", feeds(ALL, "a")), Emit(IN, b"2", feeds(ALL, "b")), Emit(IN, b"other")
        ) as (bus, trace_id):
            first, second, _ = await read(bus, IN)
            await bus.commit(IN, [commit(first, trace_id, Arrive(ALL, "a", b"A"), feeds=feeds(ALL, "a"))])
            assert await terminal(bus, trace_id) is None
            await bus.commit(IN, [commit(second, trace_id, Emit(NEXT, b"elsewhere"), feeds=feeds(ALL, "b"))])
            assert await terminal(bus, trace_id) == STARVED
            assert await in_flight(bus, trace_id) == 2

    async def test_a_join_that_is_reached_when_nothing_can_feed_the_rest_starves_at_once(self) -> None:
        async with self.branches(ALL, "b", "a") as (bus, trace_id, (b, a)):
            await bus.commit(IN, [commit(b, trace_id, feeds=feeds(ALL, "b"))])
            assert await terminal(bus, trace_id) is None
            await bus.commit(IN, [commit(a, trace_id, Arrive(ALL, "a", b"A"), feeds=feeds(ALL, "a"))])
            assert await terminal(bus, trace_id) == STARVED

    async def test_a_join_that_nothing_reaches_starves_nobody(self) -> None:
        async with self.branches(ALL, "a", "b") as (bus, trace_id, held):
            for one, slot in zip(held, ("a", "b"), strict=True):
                await bus.commit(IN, [commit(one, trace_id, feeds=feeds(ALL, slot))])
            assert await terminal(bus, trace_id) == Terminal(RunState.COMPLETED, b"")

    async def test_a_feeder_that_is_to_be_tried_again_keeps_the_join_waiting(self) -> None:
        async with self.branches(ALL, "a", "b") as (bus, trace_id, (a, b)):
            await bus.commit(IN, [commit(a, trace_id, Arrive(ALL, "a", b"A"), feeds=feeds(ALL, "a"))])
            again = Schedule(IN, 0, Item((b"again",)), "", feeds(ALL, "b"))
            await bus.commit(IN, [commit(b, trace_id, again, feeds=feeds(ALL, "b"))])
            assert await terminal(bus, trace_id) is None
            await bus.promote(IN, limit=10)
            (held,) = await read(bus, IN)
            await bus.commit(IN, [commit(held, trace_id, Arrive(ALL, "b", b"B"), feeds=feeds(ALL, "b"))])
            assert await frames(bus, NEXT) == [(b"A", b"B")]

    async def test_a_join_that_waits_keeps_those_behind_it_waiting(self) -> None:
        behind = Join(NEXT, "behind", "", ("x", "y"))
        outputs = (
            Emit(IN, b"a", (*feeds(ALL, "a"), *feeds(behind, "x"))),
            Emit(IN, b"b", (*feeds(ALL, "b"), *feeds(behind, "x"))),
        )
        async with self.started(*outputs) as (bus, trace_id):
            a, b = await read(bus, IN)
            arrivals = Arrive(ALL, "a", b"A", feeds(behind, "x")), Arrive(behind, "y", b"Y")
            await bus.commit(IN, [commit(a, trace_id, *arrivals, feeds=outputs[0].feeds)])
            await bus.commit(IN, [commit(b, trace_id, Arrive(ALL, "b", b"B"), feeds=outputs[1].feeds)])
            (joined,) = await read(bus, NEXT)
            assert joined.entry.items[0].frames == (b"A", b"B")
            assert await terminal(bus, trace_id) is None
            await bus.commit(NEXT, [commit(joined, trace_id, feeds=feeds(behind, "x"))])
            assert await terminal(bus, trace_id) == starved("behind", NEXT)

    async def test_the_first_arrival_fires_a_first_and_the_rest_is_absorbed(self) -> None:
        async with self.branches(FIRST, "winner", "winner") as (bus, trace_id, held):
            for one, frame in zip(held, (b"1", b"2"), strict=True):
                arrival = Arrive(FIRST, "winner", frame)
                await bus.commit(IN, [commit(one, trace_id, arrival, feeds=feeds(FIRST, "winner"))])
            assert await frames(bus, NEXT) == [(b"1",)]
            assert await in_flight(bus, trace_id) == 1

    async def test_a_partial_join_fires_with_what_came_once_the_rest_can_not_come(self) -> None:
        async with self.branches(PARTIAL, "a", "b") as (bus, trace_id, (a, b)):
            await bus.commit(IN, [commit(a, trace_id, Arrive(PARTIAL, "a", b"A"), feeds=feeds(PARTIAL, "a"))])
            assert await bus.backlog(NEXT) == 0
            await bus.commit(IN, [commit(b, trace_id, feeds=feeds(PARTIAL, "b"))])
            assert await frames(bus, NEXT) == [(b"A",)]

    async def test_a_partial_join_waits_for_what_it_needs(self) -> None:
        async with self.branches(PARTIAL, "b", "a") as (bus, trace_id, (b, a)):
            await bus.commit(IN, [commit(b, trace_id, Arrive(PARTIAL, "b", b"B"), feeds=feeds(PARTIAL, "b"))])
            assert await bus.backlog(NEXT) == 0
            await bus.commit(IN, [commit(a, trace_id, feeds=feeds(PARTIAL, "a"))])
            assert await terminal(bus, trace_id) == STARVED

    async def test_a_join_that_waited_too_long_fails_its_run(self) -> None:
        async with self.branches(IMPATIENT, "a", "b") as (bus, trace_id, (a, _)):
            await bus.commit(IN, [commit(a, trace_id, Arrive(IMPATIENT, "a", b"A"), feeds=feeds(IMPATIENT, "a"))])
            await self.until_promoted(bus, NEXT)
            assert await terminal(bus, trace_id) == timed_out("join", NEXT)
            assert await in_flight(bus, trace_id) == 1

    async def test_a_partial_join_that_waited_too_long_fires_with_what_came(self) -> None:
        async with self.branches(PATIENT_PARTIAL, "a", "b") as (bus, trace_id, (a, _)):
            arrival = Arrive(PATIENT_PARTIAL, "a", b"A")
            await bus.commit(IN, [commit(a, trace_id, arrival, feeds=feeds(PATIENT_PARTIAL, "a"))])
            await self.until_promoted(bus, NEXT)
            assert await frames(bus, NEXT) == [(b"A",)]
            assert await terminal(bus, trace_id) is None

    async def test_the_alarm_of_a_join_that_has_fired_does_nothing(self) -> None:
        async with self.branches(IMPATIENT, "a", "b") as (bus, trace_id, held):
            for one, slot in zip(held, ("a", "b"), strict=True):
                await bus.commit(
                    IN, [commit(one, trace_id, Arrive(IMPATIENT, slot, b""), feeds=feeds(IMPATIENT, slot))]
                )
            await self.until_promoted(bus, NEXT)
            assert await terminal(bus, trace_id) is None
            assert await bus.backlog(NEXT) == 1

    async def test_a_gather_fires_with_its_scope_when_no_more_can_come(self) -> None:
        async with self.scope(OUTER, 3) as (bus, trace_id, held):
            for number, one in enumerate(reversed(held)):
                outputs = () if number == 1 else (Arrive(OUTER, "item", str(number).encode()),)
                assert await bus.backlog(NEXT) == 0
                await bus.commit(IN, [commit(one, trace_id, *outputs, feeds=feeds(OUTER, "item"))])
            (gathered,) = await read(bus, NEXT)
            assert gathered.entry.items[0].frames == (b"opening",)
            assert await self.stash(bus, trace_id, gathered) == [b"0", b"2"]
            assert await in_flight(bus, trace_id) == 1
            await bus.commit(NEXT, [commit(gathered, trace_id, terminal=DONE)])
            assert await self.stash(bus, trace_id, gathered) == []
            assert await terminal(bus, trace_id) == DONE

    async def test_a_gather_of_nothing_fires_too(self) -> None:
        async with self.scope(OUTER, 0) as (bus, trace_id, _):
            (gathered,) = await read(bus, NEXT)
            assert gathered.entry.items == (Item((b"opening",)),)
            assert await in_flight(bus, trace_id) == 1

    async def test_a_gathered_item_that_is_to_be_tried_again_keeps_its_stash(self) -> None:
        async with self.scope(OUTER, 1) as (bus, trace_id, (one,)):
            await bus.commit(IN, [commit(one, trace_id, Arrive(OUTER, "item", b"x"), feeds=feeds(OUTER, "item"))])
            (gathered,) = await read(bus, NEXT)
            again = Schedule(NEXT, 0, Item((b"again",), stash=OUTER.name))
            await bus.commit(NEXT, [commit(gathered, trace_id, again)])
            await bus.promote(NEXT, limit=10)
            (back,) = await read(bus, NEXT)
            assert back.entry.items[0].frames == (b"again",)
            assert await self.stash(bus, trace_id, back) == [b"x"]

    async def test_a_stash_is_read_in_pages(self) -> None:
        async with self.scope(OUTER, 1) as (bus, trace_id, (one,)):
            arrivals = [Arrive(OUTER, "item", str(number).encode()) for number in range(2500)]
            await bus.commit(IN, [commit(one, trace_id, *arrivals, feeds=feeds(OUTER, "item"))])
            (gathered,) = await read(bus, NEXT)
            stash = gathered.entry.items[0].stash
            pages = [await bus.stashed(trace_id, stash, offset=offset, limit=1000) for offset in (0, 1000, 2000, 3000)]
            assert [len(page) for page in pages] == [1000, 1000, 500, 0]
            assert [frame for page in pages for frame in page] == [arrival.frame for arrival in arrivals]
            await bus.commit(NEXT, [commit(gathered, trace_id, terminal=DONE)])

    async def test_nested_scopes_close_from_within(self) -> None:
        to_outer, to_both = feeds(OUTER, "item"), (*feeds(INNER, "item"), *feeds(OUTER, "item"))
        async with self.scope(OUTER, 2) as (bus, trace_id, (first, second)):
            opened = Open(INNER, b"inner", to_outer), Emit(IN, b"x", to_both), Emit(IN, b"y", to_both)
            await bus.commit(IN, [commit(first, trace_id, *opened, feeds=to_outer)])
            await bus.commit(IN, [commit(second, trace_id, Arrive(OUTER, "item", b"2"), feeds=to_outer)])
            for one in await read(bus, IN):
                assert await bus.backlog(NEXT) == 0
                await bus.commit(IN, [commit(one, trace_id, Arrive(INNER, "item", b"i"), feeds=to_both)])
            (inner,) = await read(bus, IN)
            assert await self.stash(bus, trace_id, inner) == [b"i", b"i"]
            await bus.commit(IN, [commit(inner, trace_id, Arrive(OUTER, "item", b"1"), feeds=to_outer)])
            (outer,) = await read(bus, NEXT)
            assert sorted(await self.stash(bus, trace_id, outer)) == [b"1", b"2"]
            assert await in_flight(bus, trace_id) == 1

    async def test_a_run_that_ends_frees_what_waits_in_its_scopes(self) -> None:
        async with self.scope(OUTER, 2) as (bus, trace_id, (first, second)):
            await bus.commit(IN, [commit(first, trace_id, Arrive(OUTER, "item", b"1"), feeds=feeds(OUTER, "item"))])
            await bus.commit(IN, [commit(second, trace_id, terminal=BROKEN, feeds=feeds(OUTER, "item"))])
            assert await in_flight(bus, trace_id) == 0
            assert await bus.backlog(NEXT) == 0

    async def test_a_gathered_item_of_an_ended_run_is_late(self) -> None:
        async with self.scope(OUTER, 1) as (bus, trace_id, (one,)):
            await bus.commit(IN, [commit(one, trace_id, Arrive(OUTER, "item", b"x"), feeds=feeds(OUTER, "item"))])
            (gathered,) = await read(bus, NEXT)
            await bus.end(trace_id, cancelled())
            assert await self.stash(bus, trace_id, gathered) == []
            assert await bus.commit(NEXT, [commit(gathered, trace_id, terminal=DONE)]) == [[Answer.LATE]]
            assert await in_flight(bus, trace_id) == 0

    @asynccontextmanager
    async def scope(self, gather: Join, items: int) -> AsyncIterator[tuple[Bus, str, list[Delivery]]]:
        """Open a bus with a run that has opened a scope with some items in it."""
        async with self.open_bus() as bus:
            trace_id = trace()
            await bus.submit([submission(trace_id)])
            (head,) = await read(bus, IN)
            fanned = (Emit(IN, str(number).encode(), feeds(gather, "item")) for number in range(items))
            await bus.commit(IN, [commit(head, trace_id, Open(gather, b"opening"), *fanned)])
            yield bus, trace_id, await read(bus, IN)

    async def stash(self, bus: Bus, trace_id: str, delivery: Delivery) -> list[bytes]:
        """Read the whole stash of a gathered item."""
        return await bus.stashed(trace_id, delivery.entry.items[0].stash, offset=0, limit=100)

    async def until_promoted(self, bus: Bus, group: str) -> None:
        """Wait until something of a group's schedule was due and has been dealt with."""

        async def is_promoted() -> bool:
            return await bus.promote(group, limit=10) > 0

        await wait_until(is_promoted, description="what is scheduled is due")
