"""Commits what hops of one group have come to: all that has finished meanwhile goes in one call a partition.

Partitions may be on servers of their own, so one that is away keeps no other waiting.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable

import structlog

from headrace.bus.protocol import Work
from headrace.errors import BusError, BusUnavailableError
from headrace.ledger.values import Answer, Commit
from headrace.observe.traces import Traces

_log = structlog.get_logger("headrace.consumer")
_RETRY_S = 0.2  # between tries while the bus is away
# Commits in one call: enough to share its cost where much has finished; where little has, half of that, so that whoever
# waits for the first of them goes on while the server carries the others out.
COMMIT_LIMIT = 64
_FEW = COMMIT_LIMIT // 2


class Commits:
    """Commits for one consumer.

    Args:
        stream: The group's name on the bus.
        counts: Counts answers, and what the bus `refused`.
        let_go: Told of each delivery that needs no commit any more.
        traces: Told of each commit.
    """

    def __init__(
        self,
        bus: Work,
        stream: str,
        counts: Counter[str],
        let_go: Callable[[int, str], None],
        traces: Traces | None = None,
    ) -> None:
        self._bus = bus
        self._stream = stream
        self._counts = counts
        self._let_go = let_go
        self._traces = traces
        self._finished: defaultdict[int, list[Commit]] = defaultdict(list)
        self._committing: set[int] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._ended = asyncio.Event()

    def add(self, commit: Commit) -> None:
        """Have a hop committed soon: in the next turn of the loop, with all that finishes in this one."""
        self._finished[commit.partition].append(commit)
        if commit.partition not in self._committing:
            self._begin(commit.partition)

    async def run(self) -> None:
        """Commit until `end`."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for partition in list(self._finished):
                self._begin(partition)
            await self._ended.wait()
            self._tasks = None

    def end(self) -> None:
        """Ask `run` to return after the call under way."""
        self._ended.set()

    def _begin(self, partition: int) -> None:
        if self._tasks is not None and not self._ended.is_set():
            self._committing.add(partition)
            self._tasks.create_task(self._commit_all_of(partition))

    async def _commit_all_of(self, partition: int) -> None:
        while finished := self._finished.pop(partition, []):
            limit = COMMIT_LIMIT if len(finished) > COMMIT_LIMIT else _FEW
            batch, rest = finished[:limit], finished[limit:]
            if rest:
                self._finished[partition] = rest
            await self._commit(batch)
        self._committing.discard(partition)

    async def _commit(self, batch: list[Commit]) -> None:
        """Commit until the bus has answered; asking again is safe, what was recorded answers FENCED."""
        while not self._ended.is_set():
            started_s = asyncio.get_running_loop().time()
            try:
                answers = await self._bus.commit(self._stream, batch)
            except BusUnavailableError as error:
                _log.warning("commit_waits", stream=self._stream, commits=len(batch), code=error.code)
                await asyncio.sleep(_RETRY_S)
            except BusError as error:
                if len(batch) > 1:  # find the one that the bus refuses, so that it spoils no other
                    for commit in batch:
                        await self._commit([commit])
                    return
                _log.error("commit_refused", **self._about(batch[0]), error=str(error))
                self._counts["refused"] += 1
                self._let_go(batch[0].partition, batch[0].delivery_id)
                return
            else:
                self._counts.update(answer.value for answered in answers for answer in answered)
                for commit, answered in zip(batch, answers, strict=True):
                    self._let_go(commit.partition, commit.delivery_id)
                    if self._traces is not None:
                        took_s = asyncio.get_running_loop().time() - started_s
                        self._traces.committed(self._stream, commit, answered, took_s)
                    if Answer.FENCED in answered:
                        _log.warning("commit_fenced", **self._about(commit))
                return

    def _about(self, commit: Commit) -> dict[str, str]:
        """Say of a commit what it is of; of a lane's, which may be of several runs, the first."""
        trace_id = commit.settled[0].trace_id if commit.settled else ""
        return {"stream": self._stream, "delivery": commit.delivery_id, "trace_id": trace_id}
