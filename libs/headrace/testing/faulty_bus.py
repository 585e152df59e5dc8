"""A bus that is away at chosen calls, around a real one: for tests of what must not stop, or be lost, because of it."""

from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Mapping, Sequence
from enum import Enum
from typing import TypeVar

from headrace.bus.protocol import Bus, Presence
from headrace.errors import BusUnavailableError
from headrace.ledger.level import Level
from headrace.ledger.told import Told
from headrace.ledger.values import (
    Answer,
    Commit,
    Delivery,
    Letter,
    Load,
    RunEvent,
    RunView,
    Submission,
    Submitted,
    Terminal,
    TerminalEvent,
)

T = TypeVar("T")


class Fault(Enum):
    """When a call fails: before it is carried out, or after, so that just its answer is lost."""

    BEFORE = "before"
    AFTER = "after"


class FaultyBus:
    """Passes calls on to a real bus, and fails those it was told to.

    Args:
        bus: What carries the calls out; closing this closes it.

    Attributes:
        calls: Calls by method, failed ones included.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._faults: defaultdict[str, deque[Fault | None]] = defaultdict(deque)
        self.calls: Counter[str] = Counter()

    def fail(self, method: str, *faults: Fault | None) -> None:
        """Have the next calls of a method fail, one by one, each as given; None lets one pass."""
        self._faults[method].extend(faults)

    async def read(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Delivery]:
        return await self._call("read", self._bus.read(group, consumer, limit=limit, wait_s=wait_s))

    async def claim(self, group: str, consumer: str, *, limit: int, idle_s: float) -> list[Delivery]:
        return await self._call("claim", self._bus.claim(group, consumer, limit=limit, idle_s=idle_s))

    async def extend(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> list[bool]:
        return await self._call("extend", self._bus.extend(group, consumer, deliveries))

    async def commit(self, group: str, commits: Sequence[Commit]) -> list[list[Answer]]:
        return await self._call("commit", self._bus.commit(group, commits))

    async def promote(self, group: str, *, limit: int) -> int:
        return await self._call("promote", self._bus.promote(group, limit=limit))

    async def expire(self, *, limit: int) -> int:
        return await self._call("expire", self._bus.expire(limit=limit))

    async def stashed(self, trace_id: str, stash: str, *, offset: int, limit: int) -> list[bytes]:
        return await self._call("stashed", self._bus.stashed(trace_id, stash, offset=offset, limit=limit))

    async def recall(self, trace_id: str, name: str) -> bytes | None:
        return await self._call("recall", self._bus.recall(trace_id, name))

    async def remember(self, trace_id: str, name: str, blob: bytes) -> bytes:
        return await self._call("remember", self._bus.remember(trace_id, name, blob))

    async def abandoned(self, listener: str, *, wait_s: float) -> list[str]:
        return await self._call("abandoned", self._bus.abandoned(listener, wait_s=wait_s))

    async def unlisten(self, listener: str) -> None:
        return await self._call("unlisten", self._bus.unlisten(listener))

    async def sweep(self, group: str, *, idle_s: float) -> int:
        return await self._call("sweep", self._bus.sweep(group, idle_s=idle_s))

    async def backlog(self, group: str) -> int:
        return await self._call("backlog", self._bus.backlog(group))

    async def level(self, group: str) -> Level:
        return await self._call("level", self._bus.level(group))

    async def dead_letters(self, group: str, *, limit: int) -> list[Letter]:
        return await self._call("dead_letters", self._bus.dead_letters(group, limit=limit))

    async def submit(self, submissions: Sequence[Submission]) -> list[Submitted]:
        return await self._call("submit", self._bus.submit(submissions))

    async def view(self, trace_id: str) -> RunView | None:
        return await self._call("view", self._bus.view(trace_id))

    async def watch(self, trace_id: str, inbox: str) -> RunView | None:
        return await self._call("watch", self._bus.watch(trace_id, inbox))

    async def unwatch(self, trace_id: str, inbox: str) -> None:
        return await self._call("unwatch", self._bus.unwatch(trace_id, inbox))

    async def end(self, trace_id: str, terminal: Terminal) -> bool:
        return await self._call("end", self._bus.end(trace_id, terminal))

    async def signal(self, trace_id: str, signal: str, frame: bytes, groups: Sequence[str]) -> bool:
        return await self._call("signal", self._bus.signal(trace_id, signal, frame, groups))

    async def redrive(self, group: str, letter: Letter, submission: Submission) -> bool:
        return await self._call("redrive", self._bus.redrive(group, letter, submission))

    async def purge(self, group: str, letters: Sequence[Letter]) -> int:
        return await self._call("purge", self._bus.purge(group, letters))

    async def load(self, pipe: str) -> Load:
        return await self._call("load", self._bus.load(pipe))

    async def now_ms(self) -> int:
        return await self._call("now_ms", self._bus.now_ms())

    async def read_replies(self, consumer: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        return await self._call("read_replies", self._bus.read_replies(consumer, limit=limit, wait_s=wait_s))

    async def waiters(self, trace_ids: Sequence[str]) -> list[tuple[str, ...]]:
        return await self._call("waiters", self._bus.waiters(trace_ids))

    async def deliver(self, matches: Sequence[tuple[TerminalEvent, tuple[str, ...]]]) -> int:
        return await self._call("deliver", self._bus.deliver(matches))

    async def read_inbox(self, inbox: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        return await self._call("read_inbox", self._bus.read_inbox(inbox, limit=limit, wait_s=wait_s))

    async def tell(self, told: Sequence[Told]) -> None:
        await self._call("tell", self._bus.tell(told))

    async def events(self, after: Mapping[str, int], *, limit: int, wait_s: float) -> dict[str, list[RunEvent]]:
        return await self._call("events", self._bus.events(after, limit=limit, wait_s=wait_s))

    async def attend(self, presence: Presence) -> bool:
        return await self._call("attend", self._bus.attend(presence))

    async def depart(self, worker: str) -> None:
        await self._call("depart", self._bus.depart(worker))

    async def present(self, *, within_s: float) -> list[Presence]:
        return await self._call("present", self._bus.present(within_s=within_s))

    async def pause(self, group: str) -> bool:
        return await self._call("pause", self._bus.pause(group))

    async def resume(self, group: str) -> bool:
        return await self._call("resume", self._bus.resume(group))

    async def aclose(self) -> None:
        """Close the bus."""
        await self._bus.aclose()

    async def _call(self, method: str, call: Awaitable[T]) -> T:
        self.calls[method] += 1
        faults = self._faults[method]
        fault = faults.popleft() if faults else None
        if fault is Fault.BEFORE:
            _discard(call)
            raise _away(method)
        answer = await call
        if fault is Fault.AFTER:
            raise _away(method)
        return answer


def _away(method: str) -> BusUnavailableError:
    return BusUnavailableError("test", f"'{method}' was told to fail")


def _discard(call: Awaitable[object]) -> None:
    """Throw a coroutine away that is not to be run, without the warning that it never was."""
    close = getattr(call, "close", None)
    if close is not None:
        close()
