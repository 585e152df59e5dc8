"""What the tests of the kernel share: a runner on a bench, deliveries as of a bus, commits made readable."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from headrace.errors import Failure
from headrace.graph.pipe import Pipe
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import Clock
from headrace.kernel.events import Observer
from headrace.kernel.gate import Gate
from headrace.kernel.lifecycle import lifecycle
from headrace.kernel.outputs import Dispatcher
from headrace.kernel.runner import AsyncRunner
from headrace.ledger.terminal import failure_of, result_of
from headrace.ledger.values import (
    Arrive,
    Commit,
    Delivery,
    Emit,
    Enqueue,
    Entry,
    Item,
    Open,
    Output,
    Park,
    RunState,
    Schedule,
    Settled,
)
from headrace.wire.envelope import Envelope, Framing

TRACE = "0" * 31 + "1"
NOW_S = 1_000_000.0


class FixedClock:
    """A clock that stands."""

    def now(self) -> float:
        return NOW_S

    def monotonic(self) -> float:
        return NOW_S


@dataclass(frozen=True)
class Sent:
    """An output, opened."""

    kind: type[Output]
    group: str
    message: Any
    envelope: Envelope

    @property
    def target(self) -> tuple[str, str, str]:
        return self.group, self.envelope.node, self.envelope.slot


class Shelf:
    """A run store in memory."""

    def __init__(self) -> None:
        self.stashes: dict[tuple[str, str], list[bytes]] = {}
        self.remembered: dict[tuple[str, str], bytes] = {}

    async def stashed(self, trace_id: str, stash: str, *, offset: int, limit: int) -> list[bytes]:
        assert 0 < limit <= 512
        return self.stashes.get((trace_id, stash), [])[offset : offset + limit]

    async def recall(self, trace_id: str, name: str) -> bytes | None:
        return self.remembered.get((trace_id, name))

    async def remember(self, trace_id: str, name: str, blob: bytes) -> bytes:
        return self.remembered.setdefault((trace_id, name), blob)


class Bench:
    """A runner of one group, and what feeds it."""

    def __init__(self, plan: ExecutionPlan, runner: AsyncRunner, framing: Framing, shelf: Shelf) -> None:
        self.plan = plan
        self.runner = runner
        self.framing = framing
        self.shelf = shelf

    async def run(self, message: object, **headers: Any) -> Settled:
        """Run the entry message as a run's first delivery, and give how it was settled."""
        return only(await self.runner.run(self.deliver(message, **headers)))

    async def follow(self, output: Output) -> Settled:
        """Run what a bus would make of an output."""
        return only(await self.runner.run(delivery_of(items_of(output))))

    def gathered(self, outputs: Iterable[Output]) -> Item:
        """Make the item of the gather that outputs open, with all that they send it on the shelf."""
        outputs = list(outputs)
        (opened,) = (output for output in outputs if isinstance(output, Open))
        name = opened.join.name
        arrived = [output.frame for output in outputs if isinstance(output, Arrive) and output.join.name == name]
        self.shelf.stashes[TRACE, name] = arrived
        return Item((opened.frame,), stash=name)

    async def call(self, node: str, message: object, **headers: Any) -> Settled:
        """Run a node as if somebody had sent it a message."""
        name = self.plan.type_names[type(message)]
        (slot,) = self.plan.nodes[node].slots
        known = {"id": "1", "trace_id": TRACE, "pipe": self.plan.pipe, "plan": self.plan.version}
        envelope = {
            **known,
            "node": node,
            "slot": slot.name,
            "type": name,
            "body": self.plan.codecs[name].encode(message),
        }
        return await self.settle(Item((self.framing.seal(Envelope(**{**envelope, **headers})),)))

    def resealed(self, frame: bytes, **headers: Any) -> bytes:
        """Change what a frame says."""
        return self.framing.seal(structs.replace(self.framing.open(frame), **headers))

    async def settle(self, item: Item) -> Settled:
        """Run an item that is of no lane."""
        return only(await self.runner.run(delivery_of([item])))

    def deliver(self, message: object, **headers: Any) -> Delivery:
        """Make the delivery of a run's entry message."""
        return delivery_of(entry_items(self.plan, message, self.framing, **headers))

    def lane(self, messages: Iterable[object], state: bytes | None = None, lane: str = "lane") -> Delivery:
        """Make the delivery of a lane's entry, whose items are entry messages of one run each."""
        items = [
            Item(item.frames, number)
            for number, message in enumerate(messages, 1)
            for item in entry_items(self.plan, message, self.framing, trace_id=f"{number:032x}")
        ]
        return Delivery(0, "1-0", 1, Entry(tuple(items), lane, state))

    def sent(self, settled: Settled) -> list[Sent]:
        """Open the outputs."""
        return [sent(self.plan, output, self.framing) for output in settled.outputs]

    def messages(self, settled: Settled) -> list[Any]:
        """Give the messages of the outputs."""
        return [each.message for each in self.sent(settled)]

    def result(self, settled: Settled) -> Any:
        """Give the run's result, decoded."""
        assert settled.terminal is not None
        assert settled.terminal.state is RunState.COMPLETED
        result = result_of(settled.terminal)
        return self.plan.codecs[result.type].decode(result.body)


@asynccontextmanager
async def bench(
    pipe: Pipe,
    group: str = "main",
    *,
    placement: Mapping[str, str] | None = None,
    framing: Framing | None = None,
    observers: tuple[Observer, ...] = (),
    clock: Clock | None = None,
    gate: Gate | None = None,
    shows_detail: bool = False,
    change: Callable[[ExecutionPlan], ExecutionPlan] | None = None,
) -> AsyncGenerator[Bench]:
    """Put a runner of one group of a pipe, whose plan may be changed by hand, on the bench."""
    plan = pipe.compile(placement)
    plan = change(plan) if change else plan
    framing, shelf = framing or Framing(), Shelf()
    async with lifecycle(plan) as injector:
        runner = AsyncRunner(
            plan,
            group,
            injector=injector,
            framing=framing,
            store=shelf,
            observers=observers,
            clock=clock or FixedClock(),
            gate=gate,
            shows_detail=shows_detail,
        )
        yield Bench(plan, runner, framing, shelf)


def entry_items(plan: ExecutionPlan, message: object, framing: Framing, /, **headers: Any) -> list[Item]:
    """Make the items that start a run."""
    known = {"id": "1", "trace_id": TRACE, "pipe": plan.pipe, "node": "", "slot": "", "body": b"", "plan": plan.version}
    envelope = Envelope(**{**known, "type": plan.entry_type, **headers})
    outputs = Dispatcher(plan, "", framing.seal).start(envelope, message)
    return [item for output in outputs for item in items_of(output)]


def items_of(output: Output) -> list[Item]:
    """Give the items that a bus makes of an output."""
    match output:
        case Schedule(item=item) | Park(item=item):
            return [item]
        case Emit(frame=frame) | Arrive(frame=frame) | Open(frame=frame) | Enqueue(frame=frame):
            return [Item((frame,))]


def joined_item(arrivals: Iterable[Output]) -> Item:
    """Give the item that a bus makes of the arrivals at a join, all of them there."""
    return Item(tuple(frame for arrival in arrivals for frame in items_of(arrival)[0].frames))


def delivery_of(items: Iterable[Item], deliveries: int = 1) -> Delivery:
    """Make the delivery of an entry that is of no lane."""
    return Delivery(0, "1-0", deliveries, Entry(tuple(items)))


def sent(plan: ExecutionPlan, output: Output, framing: Framing) -> Sent:
    """Open an output; of a scheduled join the first message."""
    frame = items_of(output)[0].frames[0]
    envelope = framing.open(frame)
    group = output.join.group if isinstance(output, Arrive | Open) else output.group
    return Sent(type(output), group, plan.codecs[envelope.type].decode(envelope.body), envelope)


def only(commit: Commit) -> Settled:
    """Give how the one item of a commit was settled."""
    (settled,) = commit.settled
    return settled


def failure(settled: Settled) -> Failure:
    """Give why the run failed."""
    assert settled.terminal is not None
    assert settled.terminal.state is not RunState.COMPLETED
    return failure_of(settled.terminal)
