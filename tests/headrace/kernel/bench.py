"""What the tests of the kernel share: a runner on a bench, deliveries as of a bus, commits made readable."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from headrace.errors import Failure
from headrace.graph.pipe import Pipe
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import Clock
from headrace.kernel.events import Observer
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
    Output,
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


class Bench:
    """A runner of one group, and what feeds it."""

    def __init__(self, plan: ExecutionPlan, runner: AsyncRunner, framing: Framing) -> None:
        self.plan = plan
        self.runner = runner
        self.framing = framing

    async def run(self, message: object, **headers: Any) -> Settled:
        """Run the entry message as a run's first delivery, and give how it was settled."""
        return only(await self.runner.run(self.deliver(message, **headers)))

    async def follow(self, output: Output) -> Settled:
        """Run what a bus would make of an output."""
        return only(await self.runner.run(delivery_of(items_of(output))))

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
    shows_detail: bool = False,
) -> AsyncGenerator[Bench]:
    """Put a runner of one group of a pipe on the bench."""
    plan = pipe.compile(placement)
    framing = framing or Framing()
    async with lifecycle(plan) as injector:
        runner = AsyncRunner(
            plan,
            group,
            injector=injector,
            framing=framing,
            observers=observers,
            clock=clock or FixedClock(),
            shows_detail=shows_detail,
        )
        yield Bench(plan, runner, framing)


def entry_items(plan: ExecutionPlan, message: object, framing: Framing, /, **headers: Any) -> list[Item]:
    """Make the items that start a run."""
    known = {"id": "1", "trace_id": TRACE, "pipe": plan.pipe, "node": "", "slot": "", "body": b"", "plan": plan.version}
    envelope = Envelope(**{**known, "type": plan.entry_type, **headers})
    outputs = Dispatcher(plan, "", framing.seal).start(envelope, message)
    return [item for output in outputs for item in items_of(output)]


def items_of(output: Output) -> list[Item]:
    """Give the items that a bus makes of an output."""
    match output:
        case Schedule(item=item):
            return [item]
        case Emit(frame=frame) | Arrive(frame=frame) | Enqueue(frame=frame):
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
    return Sent(type(output), output.group, plan.codecs[envelope.type].decode(envelope.body), envelope)


def only(commit: Commit) -> Settled:
    """Give how the one item of a commit was settled."""
    (settled,) = commit.settled
    return settled


def failure(settled: Settled) -> Failure:
    """Give why the run failed."""
    assert settled.terminal is not None
    assert settled.terminal.state is not RunState.COMPLETED
    return failure_of(settled.terminal)
