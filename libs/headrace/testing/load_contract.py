"""The part of the bus contract that bounds how many runs of a pipe are open, and tells what a run was asked for."""

from msgspec import structs

from headrace.bus.protocol import Bus
from headrace.ledger.terminal import cancelled
from headrace.ledger.values import Emit, Load, Submission, Submitted
from headrace.testing.bus_contract import BROKEN, DONE, IN, BusContract, commit, read, submission, trace
from headrace.testing.wait import wait_until

BOUND = 2


class LoadContract(BusContract):
    """What every bus promises of bounded pipes, beside the rest."""

    async def test_a_run_over_the_bound_is_refused_whole(self) -> None:
        async with self.open_bus() as bus:
            made = [bounded() for _ in range(3)]
            assert await bus.submit(made) == [Submitted.NEW, Submitted.NEW, Submitted.FULL]
            assert await bus.backlog(IN) == BOUND
            assert await bus.view(made[2].trace_id) is None
            assert await bus.waiters([made[2].trace_id]) == [()]
            assert await bus.load("pipe") == Load(BOUND, 0)

    async def test_a_run_that_is_there_is_known_though_no_more_are_taken(self) -> None:
        async with self.open_bus() as bus:
            made = [bounded() for _ in range(BOUND)]
            await bus.submit(made)
            assert await bus.submit([*made, bounded()]) == [Submitted.KNOWN, Submitted.KNOWN, Submitted.FULL]

    async def test_however_a_run_ends_it_makes_room_for_one(self) -> None:
        async with self.open_bus() as bus:
            for number, end in enumerate((complete, fail, drain, cancel, expire), 1):
                first, second = bounded(1, timeout_ms=1 if end is expire else 0), bounded(1)
                assert await bus.submit([first, second]) == [Submitted.NEW, Submitted.FULL]
                await end(bus, first.trace_id)
                assert await bus.submit([second]) == [Submitted.NEW]
                await bus.end(second.trace_id, cancelled())
                await read(bus, IN)
                assert await bus.load("pipe") == Load(2 * number, 2 * number)

    async def test_a_run_that_has_ended_with_work_under_way_ends_once(self) -> None:
        async with self.open_bus() as bus:
            one = structs.replace(bounded(), outputs=(Emit(IN, b"1"), Emit(IN, b"2")))
            await bus.submit([one])
            first, second = await read(bus, IN)
            await bus.commit(IN, [commit(first, one.trace_id, terminal=DONE)])
            await bus.commit(IN, [commit(second, one.trace_id, terminal=DONE)])
            assert await bus.load("pipe") == Load(1, 1)

    async def test_only_runs_with_a_bound_are_counted(self) -> None:
        async with self.started() as (bus, trace_id):
            other = structs.replace(bounded(), pipe="other")
            assert await bus.submit([other]) == [Submitted.NEW]
            await bus.end(trace_id, cancelled())
            assert [await bus.load("pipe"), await bus.load("other")] == [Load(), Load(1, 0)]

    async def test_a_run_tells_what_it_was_asked_for(self) -> None:
        async with self.started() as (bus, trace_id):
            asked = structs.replace(submission(trace()), fingerprint="abc")
            await bus.submit([asked])
            views = [await bus.view(asked.trace_id), await bus.watch(trace_id, "gateway")]
            assert [view.fingerprint for view in views if view is not None] == ["abc", ""]


def bounded(most_open: int = BOUND, *, timeout_ms: int = 0) -> Submission:
    """The start of a run of a pipe of which so many may be open."""
    return structs.replace(submission(trace(), inbox="gateway"), most_open=most_open, timeout_ms=timeout_ms)


async def complete(bus: Bus, trace_id: str) -> None:
    """Have the one run that waits complete with a result."""
    (delivery,) = await read(bus, IN)
    await bus.commit(IN, [commit(delivery, trace_id, terminal=DONE)])


async def fail(bus: Bus, trace_id: str) -> None:
    """Have it fail."""
    (delivery,) = await read(bus, IN)
    await bus.commit(IN, [commit(delivery, trace_id, terminal=BROKEN)])


async def drain(bus: Bus, trace_id: str) -> None:
    """Have it complete without a result."""
    (delivery,) = await read(bus, IN)
    await bus.commit(IN, [commit(delivery, trace_id)])


async def cancel(bus: Bus, trace_id: str) -> None:
    """Cancel it."""
    await bus.end(trace_id, cancelled())


async def expire(bus: Bus, trace_id: str) -> None:
    """Have it expire."""

    async def has_expired() -> bool:
        await bus.expire(limit=10)
        view = await bus.view(trace_id)
        return view is not None and view.terminal is not None

    await wait_until(has_expired, description="the run's deadline has passed")
