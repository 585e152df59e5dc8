"""The supervisor: all places of a deployment on one host, started together, stopped in order.

First those in front stop, which take work in; then what they took in is finished; then those behind them stop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from headrace_supervisor.place import Place


class Supervisor:
    """Runs places until it is stopped, or until one of them is given up.

    Args:
        front: Those that take work in.
        behind: Those that do it.
        closing: Called when a stop begins, so that nothing comes to those in front any more.
        finished: Waits until what was taken in is done, or would take too long.

    Attributes:
        places: All of them.
    """

    def __init__(
        self,
        front: Sequence[Place],
        behind: Sequence[Place],
        *,
        closing: Callable[[], object] | None = None,
        finished: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._front = tuple(front)
        self._behind = tuple(behind)
        self._closing = closing
        self._finished = finished
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self.places = (*self._behind, *self._front)

    async def run(self) -> None:
        """Run until `stop`; every child has ended when this returns.

        Raises:
            HandoffError, ChildLostError: A place was given up; the first of them. What went wrong with the stop after
                that stands in the log.
        """
        lost: list[Place] = []
        async with asyncio.TaskGroup() as tasks:
            running = {place: tasks.create_task(self._run(place, lost)) for place in self.places}
            await self._stopping.wait()
            if self._closing is not None:
                self._closing()
            await _stop(self._front, running)
            if self._finished is not None and not lost:
                await self._finished()
            await _stop(self._behind, running)
        self._ended.set()
        if lost and lost[0].lost is not None:
            raise lost[0].lost

    def stop(self) -> None:
        """Ask `run` to stop everything in order; idempotent, legal before start."""
        self._stopping.set()

    def kill(self) -> None:
        """End every child at once, and `run` with them."""
        self.stop()
        for place in self.places:
            place.stop()
            place.kill()

    async def ready(self) -> None:
        """Wait until every place had a child that works.

        Raises:
            HandoffError, ChildLostError: One was given up.
        """
        for place in self.places:
            await place.settled()
            if place.lost is not None:
                raise place.lost

    async def ended(self) -> None:
        """Wait until every child has ended."""
        await self._ended.wait()

    @property
    def url(self) -> str:
        """Where those in front listen; empty for nowhere."""
        return next((place.url for place in self._front), "")

    @property
    def was_cut_off(self) -> bool:
        """Whether a child did not stop in time, and was killed."""
        return any(place.was_cut_off for place in self.places)

    async def _run(self, place: Place, lost: list[Place]) -> None:
        def give_up() -> None:
            lost.append(place)
            self.stop()

        await place.run(give_up)


async def _stop(places: Sequence[Place], running: dict[Place, asyncio.Task[None]]) -> None:
    for place in places:
        place.stop()
    for place in places:
        await running[place]
