"""The consumer of a group: reads its stream, runs hops side by side, commits what has finished together.

Beside that it claims what dead workers held, renews its own leases, and promotes scheduled items that are due.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from msgspec import Struct

from headrace.bus.protocol import Work
from headrace.errors import BusError, BusUnavailableError
from headrace.kernel.runner import AsyncRunner
from headrace.ledger.values import Answer, Commit, Delivery

_log = structlog.get_logger("headrace.consumer")
_READ_WAIT_S = 0.5  # bounds how long a stop waits for the read under way
_RETRY_S = 0.2  # between tries while the bus is away
_COMMIT_LIMIT = 256  # commits in one call: a few ms of the server's time

Chore = Callable[[asyncio.TaskGroup], Coroutine[Any, Any, None]]


class ConsumerOptions(Struct, frozen=True):
    """How a consumer works.

    Attributes:
        slots: The most deliveries under way at a time.
        lease_s: Seconds without renewal after which another worker may take a delivery over.
        max_deliveries: Times an entry is handed out before it is given up as poison.
        drain_s: Seconds that a stop waits for deliveries under way.
        promote_every_s: Seconds between looks for scheduled items that are due.
    """

    slots: int = 256
    lease_s: float = 15.0
    max_deliveries: int = 5
    drain_s: float = 20.0
    promote_every_s: float = 0.1


class Consumer:
    """Consumes one group's stream until it is stopped.

    Args:
        stream: The group's name on the bus.
        name: This worker's name, unique among the group's live workers.

    Attributes:
        counts: Hops by answer (`committed`, `fenced`, `late`, `duplicate`); entries `read`, `claimed`, `promoted`,
            `poison`; and what should not be: `lease_lost`, `crashed`, `refused`.
        read_s: Loop time of the last completed read.
    """

    def __init__(self, bus: Work, runner: AsyncRunner, stream: str, name: str, options: ConsumerOptions) -> None:
        self._bus = bus
        self._runner = runner
        self._stream = stream
        self._name = name
        self._options = options
        self._held: dict[tuple[int, str], Delivery] = {}
        self._hops: set[asyncio.Task[None]] = set()
        self._finished: list[Commit] = []
        self._commit_due = asyncio.Event()
        self._slot_free = asyncio.Event()
        self._empty = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self.counts: Counter[str] = Counter()
        self.read_s = 0.0

    @property
    def in_flight(self) -> int:
        """Deliveries held: running, or waiting for their commit."""
        return len(self._held)

    async def run(self) -> None:
        """Consume until `stop`; then finish what is under way, within the drain budget, and commit it.

        What the budget cuts off stays leased, and another worker takes it over.
        """
        self.read_s = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._commit_all(), name="commit")
            tasks.create_task(self._every(self._options.lease_s / 3, self._claim, tasks), name="claim")
            tasks.create_task(self._every(self._options.lease_s / 3, self._renew, tasks), name="renew")
            tasks.create_task(self._every(self._options.promote_every_s, self._promote, tasks), name="promote")
            await self._read_all(tasks)
            await self._drain()
            # what speaks to the bus is told rather than cancelled: a cancelled call leaves its connection half used
            self._ended.set()
            self._commit_due.set()
            for hop in self._hops:
                hop.cancel()

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()
        self._slot_free.set()

    async def _read_all(self, tasks: asyncio.TaskGroup) -> None:
        while not self._stopping.is_set():
            free = self._options.slots - len(self._held)
            if free <= 0:
                self._slot_free.clear()
                await self._slot_free.wait()
                continue
            try:
                deliveries = await self._bus.read(self._stream, self._name, limit=free, wait_s=_READ_WAIT_S)
            except BusError as error:
                _log.warning("stream_unreadable", stream=self._stream, code=error.code)
                await asyncio.sleep(_RETRY_S)
                continue
            self.read_s = asyncio.get_running_loop().time()
            self.counts["read"] += len(deliveries)
            for delivery in deliveries:
                self._start(delivery, tasks)

    def _start(self, delivery: Delivery, tasks: asyncio.TaskGroup) -> None:
        key = (delivery.partition, delivery.id)
        is_running = key in self._held  # a blocked loop let our own lease run out: go on, under the new token
        self._held[key] = delivery
        if is_running:
            return
        if delivery.deliveries > self._options.max_deliveries:
            self.counts["poison"] += 1
            self._finish(self._runner.give_up(delivery))
            return
        task = tasks.create_task(self._hop(delivery))
        self._hops.add(task)
        task.add_done_callback(self._hops.discard)

    async def _hop(self, delivery: Delivery) -> None:
        try:
            commit = await self._runner.run(delivery)
        except Exception as error:  # noqa: BLE001 - the top of a task; counted
            # a fault of ours, not of a node: the entry stays leased, is handed out again, and ends as poison
            _log.exception("hop_crashed", stream=self._stream, delivery=delivery.id, error=type(error).__name__)
            self.counts["crashed"] += 1
            self._let_go((delivery.partition, delivery.id))
        except BaseException:  # cut off by the drain, or ended by its node: not held any longer, so its lease runs out
            self._let_go((delivery.partition, delivery.id))
            raise
        else:
            self._finish(commit)

    def _finish(self, commit: Commit) -> None:
        self._finished.append(commit)
        self._commit_due.set()

    async def _commit_all(self) -> None:
        while not self._ended.is_set():
            await self._commit_due.wait()
            batch, self._finished = self._finished[:_COMMIT_LIMIT], self._finished[_COMMIT_LIMIT:]
            if not self._finished:
                self._commit_due.clear()
            if batch:
                await self._commit(batch)

    async def _commit(self, batch: list[Commit]) -> None:
        """Commit until the bus has answered; asking again is safe, what was recorded answers FENCED."""
        while not self._ended.is_set():
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
                _log.error("commit_refused", stream=self._stream, delivery=batch[0].delivery_id, error=str(error))
                self.counts["refused"] += 1
                self._let_go((batch[0].partition, batch[0].delivery_id))
                return
            else:
                self.counts.update(answer.value for answered in answers for answer in answered)
                for commit, answered in zip(batch, answers, strict=True):
                    self._let_go((commit.partition, commit.delivery_id))
                    if Answer.FENCED in answered:
                        _log.warning("commit_fenced", stream=self._stream, delivery=commit.delivery_id)
                return

    def _let_go(self, key: tuple[int, str]) -> None:
        self._held.pop(key, None)
        self._slot_free.set()
        if not self._held:
            self._empty.set()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self._options.drain_s):
                while self._held:
                    self._empty.clear()
                    await self._empty.wait()
        except TimeoutError:
            _log.warning("drain_cut_off", stream=self._stream, in_flight=self.in_flight)

    async def _every(self, interval_s: float, chore: Chore, tasks: asyncio.TaskGroup) -> None:
        # jitter keeps the workers of a group from asking all at once
        while not await self._has_ended_within(interval_s * random.uniform(0.8, 1.2)):  # noqa: S311 - no secret
            try:
                await chore(tasks)
            except BusError as error:
                _log.warning("chore_waits", stream=self._stream, chore=chore.__name__, code=error.code)

    async def _has_ended_within(self, pause_s: float) -> bool:
        try:
            async with asyncio.timeout(pause_s):
                return await self._ended.wait()
        except TimeoutError:
            return False

    async def _claim(self, tasks: asyncio.TaskGroup) -> None:
        """Take over what silent workers held."""
        free = self._options.slots - len(self._held)
        if free <= 0 or self._stopping.is_set():
            return
        claimed = await self._bus.claim(self._stream, self._name, limit=free, idle_s=self._options.lease_s)
        self.counts["claimed"] += len(claimed)
        for delivery in claimed:
            self._start(delivery, tasks)

    async def _renew(self, _tasks: asyncio.TaskGroup) -> None:
        """Renew the leases of what is under way."""
        held = list(self._held.values())
        if held:
            still_ours = await self._bus.extend(self._stream, self._name, held)
            self.counts["lease_lost"] += still_ours.count(False)

    async def _promote(self, _tasks: asyncio.TaskGroup) -> None:
        """Put scheduled items that are due back."""
        self.counts["promoted"] += await self._bus.promote(self._stream, limit=_COMMIT_LIMIT)
