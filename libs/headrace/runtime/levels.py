"""What stands in the streams of a pipe's groups, looked at every so often, so that a scrape costs the bus nothing."""

import asyncio
from collections.abc import Iterable, Iterator

import structlog

from headrace.bus.protocol import Work
from headrace.errors import BusError
from headrace.graph.plan import ExecutionPlan
from headrace.ledger.level import Level
from headrace.observe.metrics import catalog
from headrace.observe.metrics.catalog import Sample

_EVERY_S = 5.0  # Prometheus comes every 15 s, as most have it
_log = structlog.get_logger("headrace.metrics")


class Levels:
    """Looks at the streams of some groups until it is stopped.

    Args:
        every_s: Seconds between looks.
    """

    def __init__(self, bus: Work, plan: ExecutionPlan, groups: Iterable[str], *, every_s: float = _EVERY_S) -> None:
        self._bus = bus
        self._pipe = plan.pipe
        self._streams = {group: plan.stream(group) for group in groups}
        self._every_s = every_s
        self._levels: dict[str, Level] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Look until `stop`; while the bus is away nothing is known, and an old level is not told as a new one."""
        while not self._stopping.is_set():
            try:
                self._levels = {group: await self._bus.level(stream) for group, stream in self._streams.items()}
            except BusError as error:
                self._levels = {}
                _log.warning("levels_unreadable", code=error.code)
            await self._pause()

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()

    def samples(self) -> Iterator[Sample]:
        """Give what was seen last; may be called from another thread."""
        for group, level in self._levels.items():
            labels = (self._pipe, group)
            yield Sample(catalog.BACKLOG, labels, level.backlog)
            yield Sample(catalog.OLDEST_AGE, labels, level.oldest_s)
            yield Sample(catalog.DEAD_LETTERS, labels, level.dead_letters)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._every_s):
                await self._stopping.wait()
        except TimeoutError:
            return
