"""The census: conservation (I7) and leaks over all runs of a namespace, while they run.

What a look finds wrong may be something that moved under it. So whatever it finds is looked for again, half a second
apart, and told only where it was the same each time and, for a run, where nobody wrote its record during the last look:
every commit does, so then all of the run's work stood still and was counted exactly.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field

from headrace.bus.redis.inspect.findings import Finding, Kind
from headrace.bus.redis.inspect.judge import SILENT_MS, Judge
from headrace.bus.redis.inspect.look import Look
from headrace.bus.redis.inspect.places import Place, Places
from headrace.bus.redis.keys import Keys
from headrace.wire.trace import is_trace_id, partition_of

_AGAIN = 2  # looks after the first
_MOST_LOOKS = 8  # while runs under suspicion share a watch with one that moves
_APART_S = 0.5
_WATCHES = 24  # connections that watch runs
_NEEDS_ALL = frozenset({Kind.TICKET_OF_NOBODY})  # whose it is only all records together tell


@dataclass(slots=True)
class Census:
    """What a census found.

    Attributes:
        runs: How many runs have a record.
        live: Of these, how many are open or have work under way.
        work: How much work they have in all.
        findings: What is wrong, confirmed.
    """

    runs: int = 0
    live: int = 0
    work: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])


async def take_census(places: Places, *, silent_ms: int = SILENT_MS, apart_s: float = _APART_S) -> Census:
    """Take the census of all servers.

    Args:
        silent_ms: Milliseconds after which a consumer that says nothing is taken for gone.
        apart_s: Seconds between looks.

    Raises:
        BusUnavailableError: A server is away.
    """
    census = Census()
    async with places.errors():
        for place in await places.all():
            await _OfPlace(place, places.namespace, silent_ms, apart_s).take(census)
    return census


class _OfPlace:
    def __init__(self, place: Place, namespace: str, silent_ms: int, apart_s: float) -> None:
        self._place = place
        self._namespace = namespace
        self._silent_ms = silent_ms
        self._apart_s = apart_s

    async def take(self, census: Census) -> None:
        suspects = await self._first(census)
        for number in range(1, _MOST_LOOKS + 1):
            if not suspects:
                return
            await asyncio.sleep(self._apart_s)
            suspects, untouched = await self._again(suspects, _WATCHES - number)
            if number >= _AGAIN:
                proven = {
                    key: finding for key, finding in suspects.items() if not finding.run or finding.run in untouched
                }
                census.findings += proven.values()
                suspects = {key: finding for key, finding in suspects.items() if key not in proven}

    async def _first(self, census: Census) -> dict[object, Finding]:
        inventory = await self._place.inventory(self._namespace)
        seen = await Look(self._place, inventory).all()
        live = [record for record in seen.records.values() if record.state == "open" or record.in_flight > 0]
        census.runs += len(seen.records)
        census.live += len(live)
        census.work += sum(record.in_flight for record in live)
        return {finding.identity: finding for finding in Judge(seen, inventory, self._silent_ms).findings()}

    async def _again(self, suspects: dict[object, Finding], watches: int) -> tuple[dict[object, Finding], set[str]]:
        """Look again; gives what is still wrong, and the runs that nobody wrote meanwhile."""
        runs = [*dict.fromkeys(finding.run for finding in suspects.values() if is_trace_id(finding.run))]
        only = None if any(finding.kind in _NEEDS_ALL for finding in suspects.values()) else set(runs)
        async with AsyncExitStack() as watching:
            watched = [(part, await watching.enter_async_context(self._watch(part))) for part in _parts(runs, watches)]
            found = await self._look(only)
            untouched = await _untouched(watched)
        again = {key: finding for key, finding in suspects.items() if key in found}
        return again, untouched | {finding.run for finding in again.values() if not is_trace_id(finding.run)}

    async def _look(self, only: Collection[str] | None) -> set[object]:
        inventory = await self._place.inventory(self._namespace)
        seen = await Look(self._place, inventory, only).all()
        return {finding.identity for finding in Judge(seen, inventory, self._silent_ms).findings()}

    def _watch(self, runs: Sequence[str]) -> AbstractAsyncContextManager[Callable[[], Awaitable[bool]]]:
        return self._place.watching([Keys(self._namespace, partition_of(run)).run(run)[0] for run in runs])


def _parts(runs: Sequence[str], watches: int) -> list[Sequence[str]]:
    """Deal runs out, otherwise for each number of watches, so that one that moves meets others each time."""
    return [part for at in range(watches) if (part := runs[at::watches])]


async def _untouched(watched: Sequence[tuple[Sequence[str], Callable[[], Awaitable[bool]]]]) -> set[str]:
    found: set[str] = set()
    for runs, is_untouched in watched:
        if await is_untouched():
            found.update(runs)
    return found
