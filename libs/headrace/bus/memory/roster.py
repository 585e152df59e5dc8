"""The memory bus for who works, and which groups are paused: `bus.protocol.Roster`."""

from headrace.bus.protocol import Presence
from headrace.kernel.clock import Clock

_FORGOTTEN_S = 60.0


class MemoryRoster:
    """Keeps the roster.

    Args:
        clock: Silence goes by it.
    """

    def __init__(self, clock: Clock) -> None:
        self._said_by = clock
        self._roster: dict[str, tuple[float, Presence]] = {}
        self._paused: set[str] = set()

    async def attend(self, presence: Presence) -> bool:
        now_s = self._said_by.monotonic()
        if presence.worker not in self._roster:
            for name, (said_s, _) in list(self._roster.items()):
                if now_s - said_s > _FORGOTTEN_S:
                    del self._roster[name]
        self._roster[presence.worker] = (now_s, presence)
        return presence.group in self._paused

    async def depart(self, worker: str) -> None:
        self._roster.pop(worker, None)

    async def present(self, *, within_s: float) -> list[Presence]:
        since_s = self._said_by.monotonic() - within_s
        return [presence for _, (said_s, presence) in sorted(self._roster.items()) if said_s >= since_s]

    async def pause(self, group: str) -> bool:
        is_new = group not in self._paused
        self._paused.add(group)
        return is_new

    async def resume(self, group: str) -> bool:
        was_paused = group in self._paused
        self._paused.discard(group)
        return was_paused
