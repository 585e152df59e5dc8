"""The bus contract, which memory and Redis keep alike and `headrace.testing.BusContract` checks.

A bus delivers at least once and commits exactly once. Frames and blobs are opaque to it; it knows no node function.
Every method may raise `BusUnavailableError`: then what was asked may or may not have happened, and asking again is
safe for each of them. Cancelling a call has the same meaning.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

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

DEFAULT_KEPT_EVENTS = 10_000
"""Events kept of a run that asks for it: of tokens, more than any answer has, and about 1 MB of them."""


class Presence(Struct, frozen=True):
    """A worker, as it says of itself.

    Attributes:
        worker: Its name, as its reads have it.
        group: The group whose stream it reads.
        in_flight: Entries that it has in hand.
        slots: The most that it takes.
        is_resting: Whether it takes nothing, because its group is paused.
    """

    worker: str
    group: str
    host: str = ""
    pid: int = 0
    in_flight: int = 0
    slots: int = 0
    is_resting: bool = False


class Work(Protocol):
    """What a worker needs of a bus."""

    async def read(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Delivery]:
        """Take entries that were never handed out, oldest first.

        Args:
            group: The group whose stream to read.
            consumer: The worker's name, unique among the group's live workers; it then holds the leases.
            limit: The most entries to take, at least 1.
            wait_s: Seconds to wait for the first; an empty list says none came.
        """
        ...

    async def claim(self, group: str, consumer: str, *, limit: int, idle_s: float) -> list[Delivery]:
        """Take over entries whose lease nobody has renewed for `idle_s` seconds, at most `limit` of them."""
        ...

    async def extend(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> list[bool]:
        """Renew leases; only the owner's, so a worker that woke up late cannot take an entry back (I2).

        Returns:
            For each delivery, whether this consumer still holds it.
        """
        ...

    async def commit(self, group: str, commits: Sequence[Commit]) -> list[list[Answer]]:
        """End hops; each commit is atomic on its own, and they are applied in order.

        A delivery that is no longer there answers FENCED and changes nothing, so committing twice is committing once
        (I1, I2). Nothing is acknowledged without its outputs (I5).

        Returns:
            For each commit, an answer a settled item.
        """
        ...

    async def promote(self, group: str, *, limit: int) -> int:
        """Put scheduled items of the group that are due back into their stream or lane; gives how many.

        A join of the group whose time is up fires with what it has, or fails its run.
        """
        ...

    async def expire(self, *, limit: int) -> int:
        """End runs whose deadline has passed by the bus's clock; gives how many."""
        ...

    async def stashed(self, trace_id: str, stash: str, *, offset: int, limit: int) -> list[bytes]:
        """Look at frames of a gathered item, in order of arrival; they stay until its commit.

        Returns:
            The `limit` frames from `offset` on; fewer, or none, only where the stash ends.
        """
        ...

    async def recall(self, trace_id: str, name: str) -> bytes | None:
        """Give what is remembered under a name in a run; None for nothing."""
        ...

    async def remember(self, trace_id: str, name: str, blob: bytes) -> bytes:
        """Remember a value under a name as long as the run is kept; the first one stays.

        Returns:
            What is remembered now: the value that came first. Of a run that has ended or is unknown, the given one.
        """
        ...

    async def abandoned(self, listener: str, *, wait_s: float) -> list[str]:
        """Learn of runs that have ended other than completed while work of them was under way (I8).

        The first call gives all there are, each later one what came since. To call again says that of the former answer
        nothing will be started any more.

        Args:
            listener: The caller's name, unique among live ones.
            wait_s: Seconds to wait for the first; an empty list says none came.
        """
        ...

    async def unlisten(self, listener: str) -> None:
        """Take a listener back, so that nobody waits for it; nothing happens where it is gone."""
        ...

    async def sweep(self, group: str, *, idle_s: float) -> int:
        """Remove consumers of the group that hold nothing and have been silent for so long; gives how many."""
        ...

    async def backlog(self, group: str) -> int:
        """Count the entries that wait or are in flight."""
        ...

    async def level(self, group: str) -> Level:
        """Look at what stands in the group's stream: how much, how old, and how many dead letters lie beside it."""
        ...

    async def dead_letters(self, group: str, *, limit: int) -> list[Letter]:
        """Look at the group's dead letters, oldest first; they stay."""
        ...


class Ingress(Protocol):
    """What whoever starts runs and asks for them needs of a bus."""

    async def submit(self, submissions: Sequence[Submission]) -> list[Submitted]:
        """Start runs, in order; each is atomic on its own, its bound on open runs included.

        Returns:
            For each, whether it is new; any other answer changed nothing.
        """
        ...

    async def view(self, trace_id: str) -> RunView | None:
        """Look a run up; None where it is unknown or forgotten."""
        ...

    async def watch(self, trace_id: str, inbox: str) -> RunView | None:
        """Register an inbox as a waiter, unless the run has ended; then the view has its terminal and nothing waits.

        So a terminal that comes before its waiter is never lost for that. None where the run is unknown.
        """
        ...

    async def unwatch(self, trace_id: str, inbox: str) -> None:
        """Take a waiter back; nothing happens where it is gone."""
        ...

    async def end(self, trace_id: str, terminal: Terminal) -> bool:
        """End an open run from outside, and answer when every live listener of `abandoned` has dealt with that (I8).

        A listener that does not ask again within a few seconds is taken for dead; its leases will run out.

        Returns:
            Whether this ended it; False where it is unknown or had ended.
        """
        ...

    async def signal(self, trace_id: str, signal: str, frame: bytes, groups: Sequence[str]) -> bool:
        """Give a run a signal: items parked for it go on, now and whenever one is parked later.

        Args:
            groups: The groups that may have items parked for it.

        Returns:
            Whether it was taken; False where the run is unknown or has ended, or had this signal already.
        """
        ...

    async def redrive(self, group: str, letter: Letter, submission: Submission) -> bool:
        """Take a dead letter out and start the run that does its work again, as one step.

        Returns:
            Whether this did it; False, and nothing changed, where the letter is gone: redriving again does nothing.
        """
        ...

    async def purge(self, group: str, letters: Sequence[Letter]) -> int:
        """Throw dead letters away; gives how many were there."""
        ...

    async def load(self, pipe: str) -> Load:
        """Count a pipe's runs that were started with a bound on the open ones, over all partitions."""
        ...

    async def now_ms(self) -> int:
        """Give the bus's Unix time in milliseconds, by which deadlines and schedules go."""
        ...


class Replies(Protocol):
    """What the reply coordinator, and whoever waits, needs of a bus."""

    async def read_replies(self, consumer: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        """Take terminal events never handed out, or not delivered by their reader within the lease."""
        ...

    async def waiters(self, trace_ids: Sequence[str]) -> list[tuple[str, ...]]:
        """Look up the inboxes that wait for each run, in O(1) a run."""
        ...

    async def deliver(self, matches: Sequence[tuple[TerminalEvent, tuple[str, ...]]]) -> int:
        """Put terminal events into inboxes, forget their waiters and acknowledge the events, as one step an event.

        Returns:
            How many were delivered or dropped now; the others had been dealt with by another coordinator.
        """
        ...

    async def read_inbox(self, inbox: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        """Take the next events of an inbox; it has one reader, and what is returned is gone from it."""
        ...


class Events(Protocol):
    """What is told of runs that ask for it, and who follows them.

    A run's events are numbered from 1 on without a gap. The newest are kept, a bounded number, as long as the run's
    record. Commits tell too (`Settled.told`), and what ends a run adds its terminal, behind which nothing comes (I8).
    """

    async def tell(self, told: Sequence[Told]) -> None:
        """Keep events of calls that are under way, in order; each call's are kept as one step, and once.

        What is told of a run that has ended, or does not keep its events, is dropped. So is what an earlier turn of a
        call tells once a later one has told anything; that later one is marked by an event of its own (`replaced`).
        """
        ...

    async def events(self, after: Mapping[str, int], *, limit: int, wait_s: float) -> dict[str, list[RunEvent]]:
        """Read events of runs, each after the `seq` given for it, without taking them.

        Args:
            limit: The most events of each run.
            wait_s: Seconds to wait until any run has one.

        Returns:
            What there is, by run; runs without news, or without events, are not in it. The first may come later than
            the next number: those between are kept no longer.
        """
        ...


class Roster(Protocol):
    """Who works, and which groups are paused: their workers take no entries, and finish what they have in hand."""

    async def attend(self, presence: Presence) -> bool:
        """Say that a worker is there; who says nothing for a minute is forgotten.

        Returns:
            Whether its group is paused.
        """
        ...

    async def depart(self, worker: str) -> None:
        """Take a worker off the roster; nothing happens where it is gone."""
        ...

    async def present(self, *, within_s: float) -> list[Presence]:
        """Give the workers that have said so within so many seconds, by name."""
        ...

    async def pause(self, group: str) -> bool:
        """Pause a group, until it is resumed; gives whether it was not paused before."""
        ...

    async def resume(self, group: str) -> bool:
        """Resume a group; gives whether it was paused."""
        ...


class Bus(Work, Ingress, Replies, Events, Roster, Protocol):
    """A whole bus."""

    async def aclose(self) -> None:
        """Close connections; idempotent. Entries handed out and not committed are delivered again."""
        ...
