"""The bus of one machine: what a broker serves over loopback TCP, as `bus.protocol` promises.

A process has one connection; calls on it are carried out side by side, and none waits for another. What was asked
while the connection ended may or may not have happened, and asking again is safe.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headrace.bus.protocol import Presence
from headrace.bus.tcp.address import parse
from headrace.bus.tcp.guards import DEFAULT_MAX_FRAME_BYTES
from headrace.bus.tcp.line import Line
from headrace.bus.tcp.methods import BY_NAME, Method
from headrace.errors import BusError
from headrace.kernel.clock import Clock, SystemClock
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
from headrace.wire.signing import Keyring

MAX_WAIT_S = 2.0  # the longest that a call waits in the broker, so that a dead one is noticed
DEFAULT_ANSWER_S = 5.0  # a broker answers within milliseconds; beyond this it is taken for gone
_encode = msgspec.msgpack.Encoder().encode
_HEADROOM_BYTES = 1024  # of a frame, for what is around the arguments of a call


class TcpBus:
    """Keeps the bus contract over a broker.

    Args:
        url: `tcp://HOST:PORT`, on this machine.
        keyring: Has a key that the broker has; the one that signs is used.
        max_frame_bytes: The longest frame that the broker takes; longer batches go in parts.
        answer_s: Seconds that an answer may take over what its call waits by itself.
        clock: By which frames are fresh.

    Raises:
        SettingsError: The address is none, or of another machine.
    """

    def __init__(
        self,
        url: str,
        keyring: Keyring,
        *,
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
        answer_s: float = DEFAULT_ANSWER_S,
        clock: Clock | None = None,
    ) -> None:
        self._address = parse(url)
        self._line = Line(self._address, keyring, clock or SystemClock(), answer_s=answer_s, first=self._still_here)
        self._most_bytes = max_frame_bytes - _HEADROOM_BYTES
        self._workers: set[tuple[str, str]] = set()
        self._heard: defaultdict[tuple[str, str], int] = defaultdict(int)

    @property
    def losses(self) -> int:
        """How often a broker answered that knows nothing of what was before."""
        return self._line.losses

    async def read(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Delivery]:
        self._workers.add((group, consumer))
        wait_s = min(wait_s, MAX_WAIT_S)
        deliveries: list[Delivery] = await self._ask("read", group, consumer, limit, wait_s, wait_s=wait_s)
        return deliveries

    async def claim(self, group: str, consumer: str, *, limit: int, idle_s: float) -> list[Delivery]:
        deliveries: list[Delivery] = await self._ask("claim", group, consumer, limit, idle_s)
        return deliveries

    async def extend(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> list[bool]:
        held: list[list[bool]] = await self._ask_in_parts("extend", group, consumer, parts=deliveries)
        return [one for part in held for one in part]

    async def commit(self, group: str, commits: Sequence[Commit]) -> list[list[Answer]]:
        answers: list[list[list[Answer]]] = await self._ask_in_parts("commit", group, parts=commits)
        return [one for part in answers for one in part]

    async def promote(self, group: str, *, limit: int) -> int:
        promoted: int = await self._ask("promote", group, limit)
        return promoted

    async def expire(self, *, limit: int) -> int:
        expired: int = await self._ask("expire", limit)
        return expired

    async def stashed(self, trace_id: str, stash: str, *, offset: int, limit: int) -> list[bytes]:
        frames: list[bytes] = await self._ask("stashed", trace_id, stash, offset, limit)
        return frames

    async def recall(self, trace_id: str, name: str) -> bytes | None:
        blob: bytes | None = await self._ask("recall", trace_id, name)
        return blob

    async def remember(self, trace_id: str, name: str, blob: bytes) -> bytes:
        kept: bytes = await self._ask("remember", trace_id, name, blob)
        return kept

    async def abandoned(self, listener: str, *, wait_s: float) -> list[str]:
        traces: list[str] = await self._hear("abandoned", listener, wait_s=min(wait_s, MAX_WAIT_S))
        return traces

    async def unlisten(self, listener: str) -> None:
        self._heard.pop(("abandoned", listener), None)
        await self._ask("unlisten", listener)

    async def sweep(self, group: str, *, idle_s: float) -> int:
        swept: int = await self._ask("sweep", group, idle_s)
        return swept

    async def backlog(self, group: str) -> int:
        entries: int = await self._ask("backlog", group)
        return entries

    async def level(self, group: str) -> Level:
        level: Level = await self._ask("level", group)
        return level

    async def dead_letters(self, group: str, *, limit: int) -> list[Letter]:
        letters: list[Letter] = await self._ask("dead_letters", group, limit)
        return letters

    async def submit(self, submissions: Sequence[Submission]) -> list[Submitted]:
        answers: list[list[Submitted]] = await self._ask_in_parts("submit", parts=submissions)
        return [one for part in answers for one in part]

    async def view(self, trace_id: str) -> RunView | None:
        view: RunView | None = await self._ask("view", trace_id)
        return view

    async def watch(self, trace_id: str, inbox: str) -> RunView | None:
        view: RunView | None = await self._ask("watch", trace_id, inbox)
        return view

    async def unwatch(self, trace_id: str, inbox: str) -> None:
        await self._ask("unwatch", trace_id, inbox)

    async def end(self, trace_id: str, terminal: Terminal) -> bool:
        is_ended: bool = await self._ask("end", trace_id, terminal)
        return is_ended

    async def signal(self, trace_id: str, signal: str, frame: bytes, groups: Sequence[str]) -> bool:
        is_taken: bool = await self._ask("signal", trace_id, signal, frame, groups)
        return is_taken

    async def redrive(self, group: str, letter: Letter, submission: Submission) -> bool:
        is_done: bool = await self._ask("redrive", group, letter, submission)
        return is_done

    async def purge(self, group: str, letters: Sequence[Letter]) -> int:
        purged: int = await self._ask("purge", group, letters)
        return purged

    async def load(self, pipe: str) -> Load:
        load: Load = await self._ask("load", pipe)
        return load

    async def now_ms(self) -> int:
        now_ms: int = await self._ask("now_ms")
        return now_ms

    async def read_replies(self, consumer: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        wait_s = min(wait_s, MAX_WAIT_S)
        events: list[TerminalEvent] = await self._ask("read_replies", consumer, limit, wait_s, wait_s=wait_s)
        return events

    async def waiters(self, trace_ids: Sequence[str]) -> list[tuple[str, ...]]:
        inboxes: list[tuple[str, ...]] = await self._ask("waiters", trace_ids)
        return inboxes

    async def deliver(self, matches: Sequence[tuple[TerminalEvent, tuple[str, ...]]]) -> int:
        delivered: list[int] = await self._ask_in_parts("deliver", parts=matches)
        return sum(delivered)

    async def read_inbox(self, inbox: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        events: list[TerminalEvent] = await self._hear("read_inbox", inbox, limit, wait_s=min(wait_s, MAX_WAIT_S))
        return events

    async def tell(self, told: Sequence[Told]) -> None:
        await self._ask_in_parts("tell", parts=told)

    async def events(self, after: Mapping[str, int], *, limit: int, wait_s: float) -> dict[str, list[RunEvent]]:
        wait_s = min(wait_s, MAX_WAIT_S)
        found: dict[str, list[RunEvent]] = await self._ask("events", after, limit, wait_s, wait_s=wait_s)
        return found

    async def attend(self, presence: Presence) -> bool:
        is_paused: bool = await self._ask("attend", presence)
        return is_paused

    async def depart(self, worker: str) -> None:
        await self._ask("depart", worker)

    async def present(self, *, within_s: float) -> list[Presence]:
        present: list[Presence] = await self._ask("present", within_s)
        return present

    async def pause(self, group: str) -> bool:
        is_new: bool = await self._ask("pause", group)
        return is_new

    async def resume(self, group: str) -> bool:
        was_paused: bool = await self._ask("resume", group)
        return was_paused

    async def aclose(self) -> None:
        """Close the connection; idempotent. Entries handed out and not committed are delivered again."""
        self._line.close()

    async def _ask(self, name: str, *arguments: object, wait_s: float = 0.0) -> Any:  # noqa: ANN401 - what the method gives
        given = await self._line.ask(BY_NAME[name], self._encoded(name, arguments), wait_s=wait_s, after=0)
        return given.value

    async def _hear(self, name: str, caller: str, *arguments: object, wait_s: float) -> Any:  # noqa: ANN401 - as above
        """Ask a confirmed method: what the last answer gave is confirmed by this call, or given again."""
        key = (name, caller)
        encoded = self._encoded(name, (caller, *arguments, wait_s))
        given = await self._line.ask(BY_NAME[name], encoded, wait_s=wait_s, after=self._heard[key])
        self._heard[key] = given.number
        return given.value

    async def _ask_in_parts(self, name: str, *arguments: object, parts: Sequence[Any]) -> list[Any]:
        """Ask for each of many things, in order, in as many calls as it takes; gives what each call gave."""
        encoded = _encode((*arguments, parts))
        if len(encoded) <= self._most_bytes or len(parts) <= 1:
            self._require_short(name, encoded)
            return [(await self._line.ask(BY_NAME[name], encoded, wait_s=0, after=0)).value]
        half = len(parts) // 2
        first = await self._ask_in_parts(name, *arguments, parts=parts[:half])
        return first + await self._ask_in_parts(name, *arguments, parts=parts[half:])

    def _still_here(self) -> list[tuple[Method, bytes]]:
        """Make the calls that say which workers live here, so that what they hold is left to them."""
        return [(BY_NAME["extend"], _encode((group, worker, ()))) for group, worker in self._workers]

    def _encoded(self, name: str, arguments: tuple[object, ...]) -> bytes:
        encoded = _encode(arguments)
        self._require_short(name, encoded)
        return encoded

    def _require_short(self, name: str, encoded: bytes) -> None:
        if len(encoded) > self._most_bytes:
            most = self._most_bytes
            raise BusError(
                f"the bus at {self._address} takes {most} bytes at a time, and a '{name}' has {len(encoded)}"
            )
