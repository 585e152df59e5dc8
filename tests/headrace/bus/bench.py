"""What the tests of inspections share: a bus, its server, and runs whose work is in every place."""

from itertools import count

from redis.asyncio import Redis

from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.inspect.census import Census, take_census
from headrace.bus.redis.inspect.findings import Finding
from headrace.bus.redis.inspect.places import Places
from headrace.bus.redis.keys import Keys
from headrace.ledger.values import (
    Arrive,
    Commit,
    Delivery,
    Emit,
    Enqueue,
    Feed,
    Item,
    Join,
    Open,
    Output,
    Park,
    RunState,
    Schedule,
    Settled,
    Submission,
    Submitted,
    Terminal,
)

IN, NEXT, LANE = "pipe.in", "pipe.next", "pipe.node.key"
OTHER, OTHER_LANE = "pipe.other", "pipe.node.other"
JOIN = Join("pipe.next", "meet", "", ("a", "b"))
GATHER = Join("pipe.next", "gather", "1.0", ("items",), gathers=True)
FAILED = Terminal(RunState.FAILED, b"")
NEVER_MS = 1e15
_numbers = count(1)


def trace() -> str:
    return f"0000{next(_numbers):028x}"


def frame(of: str, text: str = "x") -> bytes:
    return bytes.fromhex(of) + text.encode()


class Bench:
    """A bus, its server, and what is looked at it with."""

    def __init__(self, url: str, namespace: str) -> None:
        self.bus = RedisBus(url, namespace=namespace)
        self.redis = Redis.from_url(url)
        self.keys = Keys(namespace, 0)
        self.places = Places(url, namespace)

    async def start(self, *outputs: Output, inbox: str = "", tickets: tuple[tuple[str, str], ...] = ()) -> str:
        run = trace()
        made = tuple(outputs) or (Emit(IN, frame(run)),)
        assert await self.bus.submit([Submission(run, "pipe", "v1", made, tickets, inbox)]) == [Submitted.NEW]
        return run

    async def start_as(self, run: str, *outputs: Output) -> None:
        assert await self.bus.submit([Submission(run, "pipe", "v1", outputs)]) == [Submitted.NEW]

    async def take(self, group: str = IN) -> Delivery:
        [delivery] = await self.bus.read(group, "worker", limit=1, wait_s=1)
        return delivery

    async def hop(self, run: str, *outputs: Output, terminal: Terminal | None = None, group: str = IN) -> None:
        delivery = await self.take(group)
        item = delivery.entry.items[0]
        settled = Settled(run, item.ticket, outputs, terminal)
        commit = Commit(0, delivery.id, (settled,), (), delivery.entry.lane)
        await self.bus.commit(group, [commit])

    async def census(self, *, silent_ms: int = 60_000) -> Census:
        return await take_census(self.places, silent_ms=silent_ms, apart_s=0.01)

    async def findings(self, *, silent_ms: int = 60_000) -> list[Finding]:
        return (await self.census(silent_ms=silent_ms)).findings

    async def aclose(self) -> None:
        await self.bus.aclose()
        await self.redis.aclose()
        await self.places.aclose()


async def every_place(bench: Bench) -> str:
    """A run that has work wherever work can be."""
    run = trace()
    feeds = (Feed(JOIN, "b"),)
    await bench.bus.submit(
        [
            Submission(
                run,
                "pipe",
                "v1",
                (
                    Emit(NEXT, frame(run, "stream"), feeds),
                    Schedule(OTHER, 600_000, Item((frame(run, "later"),)), feeds=feeds),
                    Enqueue(OTHER, OTHER_LANE, frame(run, "first"), by_ingress=False),
                    Enqueue(OTHER, OTHER_LANE, frame(run, "second"), by_ingress=False),
                    Arrive(JOIN, "a", frame(run, "a")),
                    Open(GATHER, frame(run, "open")),
                    Emit(NEXT, frame(run, "item"), (Feed(GATHER, "items"),)),
                    Arrive(GATHER, "items", frame(run, "gathered")),
                    Park(OTHER, "approved", Item((frame(run, "parked"),))),
                ),
            )
        ]
    )
    return run
