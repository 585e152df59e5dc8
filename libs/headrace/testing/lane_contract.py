"""The part of the bus contract that speaks of lanes: order per key, tickets, keyed state."""

from headrace.bus.protocol import Bus
from headrace.ledger.terminal import cancelled
from headrace.ledger.values import Answer, Commit, Delivery, Emit, Item, Output, Schedule, Settled, Terminal
from headrace.testing.bus_contract import (
    BROKEN,
    DONE,
    IN,
    NEXT,
    BusContract,
    enqueue,
    frames,
    in_flight,
    read,
    submission,
    trace,
)
from headrace.testing.wait import wait_until

LANE = "pipe.node.key"
TICKET = ((LANE, NEXT),)


class LaneContract(BusContract):
    """What every bus promises of lanes, beside the rest."""

    async def test_envelopes_of_one_key_are_handed_out_in_order_and_one_entry_at_a_time(self) -> None:
        async with self.open_bus() as bus:
            traces = [trace() for _ in range(4)]
            await bus.submit([submission(one, enqueue(LANE, one.encode())) for one in traces])
            (first,) = await read(bus, NEXT)
            assert lane_frames(first) == [traces[0].encode()]
            assert await read(bus, NEXT, "b") == []
            await settle(bus, first, traces[:1])
            (second,) = await read(bus, NEXT)
            assert lane_frames(second) == [one.encode() for one in traces[1:]]

    async def test_envelopes_of_different_keys_do_not_wait_for_each_other(self) -> None:
        async with self.open_bus() as bus:
            await bus.submit([submission(trace(), enqueue(f"pipe.node.{key}", key.encode())) for key in "abc"])
            assert await frames(bus, NEXT) == [(b"a",), (b"b",), (b"c",)]

    async def test_state_is_saved_by_the_commit_and_handed_out_with_the_next_entry(self) -> None:
        async with self.open_bus() as bus:
            traces = [trace() for _ in range(2)]
            await bus.submit([submission(one, enqueue(LANE, b"x")) for one in traces])
            (first,) = await read(bus, NEXT)
            assert first.entry.state is None
            await settle(bus, first, traces[:1], state=b"one")
            (second,) = await read(bus, NEXT)
            assert second.entry.state == b"one"
            await settle(bus, second, traces[1:])
            last = trace()
            await bus.submit([submission(last, enqueue(LANE, b"x"))])
            (third,) = await read(bus, NEXT)
            assert third.entry.state == b"one"

    async def test_a_state_is_kept_for_its_time_after_the_last_work_and_no_longer(self) -> None:
        async with self.open_bus() as bus:
            for ttl_ms, kept in ((600_000, b"state"), (1, None)):
                trace_id = trace()
                await bus.submit([submission(trace_id, enqueue(LANE, b"x"))])
                (held,) = await read(bus, NEXT)
                await settle(bus, held, [trace_id], state=b"state", ttl_ms=ttl_ms)
                assert await self.state_becomes(bus, kept) == kept

    async def state_becomes(self, bus: Bus, state: bytes | None) -> bytes | None:
        """Send through the lane until it has a state, and give the one it has last."""
        found: list[bytes | None] = []

        async def is_it() -> bool:
            trace_id = trace()
            await bus.submit([submission(trace_id, enqueue(LANE, b"look"))])
            (held,) = await read(bus, NEXT)
            found.append(held.entry.state)
            await settle(bus, held, [trace_id])
            return found[-1] == state

        await wait_until(is_it, description="the lane has that state")
        return found[-1]

    async def test_a_fenced_commit_changes_neither_state_nor_lane(self) -> None:
        async with self.open_bus() as bus:
            trace_id = trace()
            await bus.submit([submission(trace_id, enqueue(LANE, b"x"))])
            (held,) = await read(bus, NEXT)
            await settle(bus, held, [trace_id], state=b"first")
            assert await settle(bus, held, [trace_id], state=b"second") == [Answer.FENCED]
            await bus.submit([submission(trace(), enqueue(LANE, b"y"))])
            (after,) = await read(bus, NEXT)
            assert after.entry.state == b"first"

    async def test_order_by_ingress_is_the_order_of_submission_whoever_comes_first(self) -> None:
        async with self.open_bus() as bus:
            traces = [trace() for _ in range(3)]
            await bus.submit([submission(one, tickets=TICKET) for one in traces])
            await pass_on_backwards(bus, traces)
            assert await frames(bus, NEXT) == [(one.encode(),) for one in traces]

    async def test_a_run_that_ends_without_using_its_ticket_gives_it_back(self) -> None:
        endings: tuple[tuple[Terminal | None, bytes | None], ...] = ((BROKEN, b"letter"), (DONE, None), (None, None))
        for terminal, dead in endings:
            async with self.open_bus() as bus:
                first, second = trace(), trace()
                await bus.submit([submission(one, tickets=TICKET) for one in (first, second)])
                one, other = await read(bus, IN)
                await pass_on(bus, other, second)
                assert await read(bus, NEXT) == []
                settled = Settled(first, terminal=terminal, dead=dead, tickets=TICKET)
                await bus.commit(IN, [Commit(one.partition, one.id, (settled,))])
                assert await frames(bus, NEXT) == [(second.encode(),)]

    async def test_a_cancelled_run_gives_its_ticket_back(self) -> None:
        async with self.open_bus() as bus:
            first, second = trace(), trace()
            await bus.submit([submission(one, tickets=TICKET) for one in (first, second)])
            _, other = await read(bus, IN)
            await pass_on(bus, other, second)
            await bus.end(first, cancelled())
            assert await frames(bus, NEXT) == [(second.encode(),)]

    async def test_items_not_settled_go_back_to_their_places(self) -> None:
        async with self.open_bus() as bus:
            traces = [trace() for _ in range(5)]
            await bus.submit([submission(one, tickets=TICKET) for one in traces])
            await pass_on_backwards(bus, traces)
            (entry,) = await read(bus, NEXT)
            settled = (Settled(traces[0], entry.entry.items[0].ticket, terminal=DONE),)
            rest = entry.entry.items[1:]
            await bus.commit(NEXT, [Commit(entry.partition, entry.id, settled, rest, LANE, b"state", 2)])
            (again,) = await read(bus, NEXT)
            assert lane_frames(again) == [one.encode() for one in traces[1:3]]
            assert again.entry.state == b"state"
            assert await in_flight(bus, traces[4]) == 1

    async def test_a_retried_item_keeps_its_place_in_its_lane(self) -> None:
        async with self.open_bus() as bus:
            first, second = trace(), trace()
            await bus.submit([submission(one, enqueue(LANE, one.encode())) for one in (first, second)])
            (held,) = await read(bus, NEXT)
            again = Schedule(NEXT, 0, Item((b"again",), held.entry.items[0].ticket), LANE)
            await settle(bus, held, [first], outputs=(again,))
            assert await read(bus, NEXT) == []
            assert await bus.promote(NEXT, limit=10) == 1
            (entry,) = await read(bus, NEXT)
            assert lane_frames(entry) == [b"again", second.encode()]

    async def test_a_retried_item_keeps_its_place_whatever_else_its_hop_has_sent(self) -> None:
        async with self.open_bus() as bus:
            first, second = trace(), trace()
            await bus.submit([submission(one, enqueue(LANE, one.encode())) for one in (first, second)])
            (held,) = await read(bus, NEXT)
            again = Schedule(NEXT, 0, Item((b"again",), held.entry.items[0].ticket), LANE)
            await settle(bus, held, [first], outputs=(*(Emit(IN, b"x", ()) for _ in range(4)), again))
            assert await bus.promote(NEXT, limit=10) == 1
            (entry,) = await read(bus, NEXT)
            assert lane_frames(entry) == [b"again", second.encode()]

    async def test_a_scheduled_item_of_an_ended_run_frees_its_lane(self) -> None:
        async with self.open_bus() as bus:
            first, second = trace(), trace()
            await bus.submit([submission(one, enqueue(LANE, one.encode())) for one in (first, second)])
            (held,) = await read(bus, NEXT)
            again = Schedule(NEXT, 0, Item((b"again",), held.entry.items[0].ticket), LANE)
            await settle(bus, held, [first], outputs=(again,))
            await bus.end(first, cancelled())
            await bus.promote(NEXT, limit=10)
            assert await frames(bus, NEXT) == [(second.encode(),)]

    async def test_an_item_of_an_ended_run_still_frees_its_lane(self) -> None:
        async with self.open_bus() as bus:
            first, second = trace(), trace()
            await bus.submit([submission(one, enqueue(LANE, one.encode())) for one in (first, second)])
            (held,) = await read(bus, NEXT)
            await bus.end(first, cancelled())
            assert await settle(bus, held, [first]) == [Answer.LATE]
            assert await frames(bus, NEXT) == [(second.encode(),)]


def lane_frames(delivery: Delivery) -> list[bytes]:
    """The frames of a lane's entry, in its order."""
    assert delivery.entry.lane == LANE
    return [item.frames[0] for item in delivery.entry.items]


async def settle(
    bus: Bus,
    delivery: Delivery,
    traces: list[str],
    *,
    state: bytes | None = None,
    outputs: tuple[Output, ...] = (),
    ttl_ms: int = 0,
) -> list[Answer]:
    """Settle every item of a lane's entry, each of its run."""
    pairs = zip(delivery.entry.items, traces, strict=True)
    settled = tuple(Settled(trace_id, item.ticket, outputs) for item, trace_id in pairs)
    end = Commit(delivery.partition, delivery.id, settled, (), LANE, state, 0, ttl_ms)
    (answers,) = await bus.commit(NEXT, [end])
    return answers


async def pass_on(bus: Bus, delivery: Delivery, trace_id: str) -> None:
    """Commit a delivery of `IN` with one output into the lane, by the run's ticket."""
    output = enqueue(LANE, trace_id.encode(), by_ingress=True)
    settled = Settled(trace_id, outputs=(output,), tickets=TICKET)
    await bus.commit(IN, [Commit(delivery.partition, delivery.id, (settled,))])


async def pass_on_backwards(bus: Bus, traces: list[str]) -> None:
    """Have the runs' messages come to the lane in the order opposite to that of their submission."""
    held = await read(bus, IN)
    for delivery, trace_id in reversed(list(zip(held, traces, strict=True))):
        await pass_on(bus, delivery, trace_id)
