"""What moves in a pipe right now: backlog, rate and replicas of its groups, and what of that is its nodes'."""

import asyncio
from collections import Counter

from msgspec import Struct

from headrace.bus.redis.inspect.groups import Group, Worker
from headrace.errors import EnvelopeError
from headrace.graph.plan import ExecutionPlan
from headrace.wire.envelope import Framing
from headrace_gateway.console.rates import Rates
from headrace_gateway.console.sight import Sight


class Replica(Struct, frozen=True):
    """A worker of a group.

    Attributes:
        host: Where it runs, empty where it did not say.
        silent_ms: Since it was last heard of.
    """

    name: str
    host: str
    pid: int
    held: int
    silent_ms: int


class GroupPulse(Struct, frozen=True):
    """A group.

    Attributes:
        backlog: What waits and what is held.
        oldest_ms: For how long the oldest of it has been there.
        per_s: Entries done a second, None where that is not known.
        paused_ms: For how long it is paused; -1 where it is not.
    """

    backlog: int
    held: int
    scheduled: int
    dead: int
    oldest_ms: int
    per_s: float | None
    paused_ms: int
    replicas: tuple[Replica, ...]


class NodePulse(Struct, frozen=True):
    """A node.

    Attributes:
        backlog: Of its group's, what is for it.
        is_estimate: Whether that is reckoned from the first entries, because there are more.
        per_s: Calls a second, None where they are not counted here.
        failed: Calls that failed since this process started, None as above.
    """

    backlog: int
    is_estimate: bool
    per_s: float | None = None
    failed: int | None = None


class Pulse(Struct, frozen=True):
    """A pipe; its groups and its nodes by name."""

    groups: dict[str, GroupPulse]
    nodes: dict[str, NodePulse]


class PulseReader:
    """Reads the pulse of pipes, and remembers counts from one time to the next for their rates."""

    def __init__(self, sight: Sight, framing: Framing) -> None:
        self._sight = sight
        self._framing = framing
        self._rates = Rates()

    async def read(self, plan: ExecutionPlan) -> Pulse:
        """Read a pipe's.

        Raises:
            BusError: The bus is away, or does not let it.
        """
        looks = await self._sight.groups([plan.stream(group) for group in plan.groups])
        now_s = asyncio.get_running_loop().time()
        groups = {name: self._group(look, now_s) for name, look in zip(plan.groups, looks, strict=True)}
        nodes: dict[str, NodePulse] = {}
        for name, look in zip(plan.groups, looks, strict=True):
            nodes |= self._nodes(plan, name, look, now_s)
        return Pulse(groups, nodes)

    def _group(self, look: Group, now_s: float) -> GroupPulse:
        per_s = None if look.done is None else self._rates.rate(look.name, look.done, now_s)
        return GroupPulse(
            look.backlog,
            look.held,
            look.scheduled,
            look.dead,
            look.oldest_ms,
            per_s,
            look.paused_ms,
            tuple(map(_replica, look.workers)),
        )

    def _nodes(self, plan: ExecutionPlan, group: str, look: Group, now_s: float) -> dict[str, NodePulse]:
        calls = self._sight.calls(plan)
        waiting = Counter(node for frame in look.frames if (node := self._node_of(frame)) is not None)
        seen, found = waiting.total(), dict[str, NodePulse]()
        for name in plan.groups[group]:
            share = round(look.backlog * waiting[name] / seen) if seen else 0
            pulse = NodePulse(share, is_estimate=look.backlog > seen > 0)
            if (counted := calls.get(name)) is not None:
                per_s = self._rates.rate(f"{plan.pipe}/{name}", counted.ended + counted.failed, now_s)
                pulse = NodePulse(share, pulse.is_estimate, per_s, counted.failed)
            found[name] = pulse
        return found

    def _node_of(self, frame: bytes) -> str | None:
        try:
            return self._framing.open(frame).node
        except EnvelopeError:
            return None


def _replica(worker: Worker) -> Replica:
    heard = [ms for ms in (worker.said_ms, worker.idle_ms) if ms >= 0]
    presence = worker.presence
    host, pid = (presence.host, presence.pid) if presence is not None else ("", 0)
    return Replica(worker.name, host, pid, worker.held, min(heard, default=0))
