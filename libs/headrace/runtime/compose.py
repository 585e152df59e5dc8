"""The parts of a deployment as contexts: consumers of groups, the reply coordinator, a client; over any bus.

A service opens one of them; the memory profile opens all of them in one event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.executors.nodes import elsewhere
from headrace.graph.edges import edges_of
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import BusClock, Clock, random_bytes
from headrace.kernel.events import Observer
from headrace.kernel.lifecycle import lifecycle
from headrace.kernel.runner import AsyncRunner
from headrace.kernel.witness import Witness
from headrace.observe.traces import Traces
from headrace.reply.coordinator import ReplyCoordinator
from headrace.reply.waiters import Waiters
from headrace.runtime.attendance import Attendance
from headrace.runtime.bus_time import BusTime
from headrace.runtime.client import Client
from headrace.runtime.consumer import Consumer, ConsumerOptions
from headrace.runtime.followers import Followers
from headrace.runtime.listener import Listener
from headrace.runtime.teller import Teller
from headrace.runtime.watchdog import Watchdog
from headrace.wire.envelope import Framing

_NAME_BYTES = 4


@asynccontextmanager
async def consuming(  # noqa: PLR0913 - the parts of one machine, all but four by name
    plan: ExecutionPlan,
    bus: Bus,
    framing: Framing,
    groups: tuple[str, ...],
    *,
    options: ConsumerOptions | None = None,
    observers: tuple[Observer, ...] = (),
    witnesses: tuple[Witness, ...] = (),
    traces: Traces | None = None,
    clock: Clock | None = None,
) -> AsyncGenerator[tuple[Consumer, ...]]:
    """Consume groups in this event loop until the context closes; what is under way is finished first.

    Args:
        traces: Sees hops, calls and commits.
        clock: The host's; deadlines go by the bus's.
    """
    seen = () if traces is None else (traces,)
    options = options or ConsumerOptions()
    bus_clock = BusClock(clock)
    time = BusTime(bus, bus_clock)
    consumers: list[Consumer] = []
    listener = Listener(bus, instance_name("worker"), lambda traces: _abandon(consumers, traces))
    teller = Teller(bus)
    async with lifecycle(plan) as injector, elsewhere(plan, groups) as places:
        for group in groups:
            name = instance_name(group)
            runner = AsyncRunner(
                plan,
                group,
                injector=injector,
                framing=framing,
                store=bus,
                observers=(*observers, *seen),
                clock=bus_clock,
                gate=listener,
                teller=teller,
                name=name,
                witnesses=(*witnesses, *seen),
                elsewhere=places,
                shows_detail=options.shows_detail,
            )
            consumers.append(
                Consumer(
                    bus,
                    runner,
                    plan.stream(group),
                    name,
                    options,
                    gates=(time, listener),
                    expires=edges_of(plan, group).may_end_any,
                    traces=traces,
                )
            )
        watchdog = Watchdog(consumers, blocked_after_s=options.blocked_after_s)
        attendances = [Attendance(bus, consumer, every_s=options.attend_every_s) for consumer in consumers]
        # consumers stop before the listener does: what they drain may be cancelled, too
        async with beside(bus, time, listener, watchdog, teller, *attendances), beside(bus, *consumers):
            yield tuple(consumers)


@asynccontextmanager
async def coordinating(bus: Bus, *, traces: Traces | None = None) -> AsyncGenerator[ReplyCoordinator]:
    """Match terminal events to waiters in this event loop until the context closes."""
    coordinator = ReplyCoordinator(bus, instance_name("reply"), traces=traces)
    async with beside(bus, coordinator):
        yield coordinator


@asynccontextmanager
async def connected(
    plan: ExecutionPlan, bus: Bus, framing: Framing, *, partitions: int = 1, clock: Clock | None = None
) -> AsyncGenerator[Client]:
    """Give a client with waiters of its own until the context closes.

    Args:
        clock: The host's; deadlines go by the bus's.
    """
    waiters = Waiters(bus, instance_name("client"))
    bus_clock = BusClock(clock)
    time = BusTime(bus, bus_clock)
    followers = Followers(bus)
    async with beside(bus, waiters, followers, time):
        await time.first()
        yield Client(plan, bus, waiters, followers, framing=framing, partitions=partitions, clock=bus_clock)


class Background(Protocol):
    """What runs beside something else until it is stopped."""

    async def run(self) -> None:
        """Run until `stop`."""
        ...

    def stop(self) -> None:
        """Ask `run` to return."""
        ...


@asynccontextmanager
async def beside(bus: Bus, *parts: Background) -> AsyncGenerator[None]:
    """Run parts beside the body of the context; when it ends, however it does, stop them and wait until they have.

    The body's own error comes out as it is; a part that crashes cancels the body and comes out in a group.
    """
    error: BaseException | None = None
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(part.run(), name=type(part).__name__)
        try:
            yield
        except BaseException as raised:  # noqa: BLE001 - raised again below, outside the group that would wrap it
            error = raised
        for part in parts:
            part.stop()
        if isinstance(bus, MemoryBus):
            await bus.aclose()  # wakes readers at once; on Redis a read under way must come back by itself
    if error is not None:
        raise error


def _abandon(consumers: Sequence[Consumer], trace_ids: Sequence[str]) -> None:
    for consumer in consumers:
        consumer.abandon(trace_ids)


def instance_name(role: str) -> str:
    """Make a name for a process's part on the bus, unique among live ones."""
    return f"{role}-{random_bytes(_NAME_BYTES).hex()}"
