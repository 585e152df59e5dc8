"""The consumer of a group: reads its stream, runs hops side by side, commits what has finished together.

Beside that it does the chores of `headrace.runtime.chores`.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import structlog
from msgspec import Struct

from headrace.bus.protocol import Work
from headrace.errors import BusError, BusUnavailableError
from headrace.kernel.gate import Gate
from headrace.kernel.gathered import run_of
from headrace.kernel.runner import AsyncRunner
from headrace.ledger.values import Commit, Delivery
from headrace.observe.traces import Traces
from headrace.runtime.chores import Chore, repeat
from headrace.runtime.commits import Commits
from headrace.runtime.gates import all_open
from headrace.runtime.slow_hops import SlowHops

_log = structlog.get_logger("headrace.consumer")
_READ_WAIT_S = 0.5  # bounds how long a stop waits for the read under way
_RETRY_S = 0.2  # between tries while the bus is away
_EXPIRE_EVERY_S = 0.25
_CLAIM_EVERY_S = 0.5  # how long a dead worker's entries lie about after their lease
_PROMOTE_LIMIT = 256  # in one call: a few ms of the server's time
_GONE_S = 600.0  # a worker that lives has asked for work thousands of times meanwhile


class ConsumerOptions(Struct, frozen=True):
    """How a consumer works.

    Attributes:
        slots: The most deliveries under way at a time.
        lease_s: Seconds without renewal after which another worker may take a delivery over.
        max_deliveries: Times an entry is handed out before it is given up as poison.
        drain_s: Seconds that a stop waits for deliveries under way.
        promote_every_s: Seconds between looks for scheduled items that are due.
        attend_every_s: Seconds between two words to the bus that it is there, by which it hears of a pause.
        sweep_every_s: Seconds between looks for consumers that are long gone.
        slow_after_s: Seconds after which a delivery that is still under way is told of in the log.
        blocked_after_s: Seconds without a turn of the event loop after which that is told of in the log.
        shows_detail: Whether failures carry the texts of exceptions, which may hold payload.
    """

    slots: int = 256
    lease_s: float = 15.0
    max_deliveries: int = 5
    drain_s: float = 20.0
    promote_every_s: float = 0.1
    attend_every_s: float = 0.5
    sweep_every_s: float = 60.0
    slow_after_s: float = 60.0
    blocked_after_s: float = 1.0
    shows_detail: bool = False


class Consumer:
    """Consumes one group's stream until it is stopped.

    Args:
        stream: The group's name on the bus.
        name: This worker's name, unique among the group's live workers.
        gates: What must be open before what was read is begun.
        expires: Whether it ends runs whose deadline has passed, of whatever group their work is.
        traces: Told of each read that brought something, and of each commit.

    Attributes:
        stream: As given.
        counts: Hops by answer (`committed`, `fenced`, `late`, `duplicate`); entries `read`, `claimed`, `promoted`,
            `poison`; runs `expired`; consumers `swept`; and what should not be: `lease_lost`, `crashed`, `refused`,
            `hop_slow`, and `loop_blocked`, which the watchdog counts.
        read_s: Loop time of the last completed read.
        turn_s: Loop time of the last turn of the reader, whose read may have failed, while it has free slots.
        name: As given.
        is_taking: Whether it is about to take entries, or does.
    """

    def __init__(  # noqa: PLR0913 - four of them by name
        self,
        bus: Work,
        runner: AsyncRunner,
        stream: str,
        name: str,
        options: ConsumerOptions,
        *,
        gates: Sequence[Gate] = (),
        expires: bool = True,
        traces: Traces | None = None,
    ) -> None:
        self._bus = bus
        self._runner = runner
        self.stream = stream
        self.name = name
        self._options = options
        self._gates = tuple(gates)
        self._read_gates = self._gates
        self._expires = expires
        self._tasks = asyncio.TaskGroup()
        self._slow_hops = SlowHops(options.slow_after_s)
        self._held: dict[tuple[int, str], Delivery] = {}
        self._hops: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._slot_free = asyncio.Event()
        self._empty = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self.counts: Counter[str] = Counter()
        self._traces = traces
        self._commits = Commits(bus, stream, self.counts, self._let_go, traces)
        self.read_s = 0.0
        self.turn_s = 0.0
        self.is_taking = False
        self._claim_every_s = min(options.lease_s / 3, _CLAIM_EVERY_S)
        self._claim_at_s = 0.0

    @property
    def in_flight(self) -> int:
        """Deliveries held: running, or waiting for their commit."""
        return len(self._held)

    @property
    def is_full(self) -> bool:
        """Whether all slots are taken, so that nothing more is read for the time being."""
        return self.in_flight >= self._options.slots

    @property
    def slots(self) -> int:
        """The most deliveries held at a time."""
        return self._options.slots

    def rests_behind(self, gate: Gate) -> None:
        """Take nothing while a gate is closed; what has been taken goes on. Before `run`."""
        self._read_gates = (*self._gates, gate)

    async def run(self) -> None:
        """Consume until `stop`; then finish what is under way, within the drain budget, and commit it.

        What the budget cuts off stays leased, and another worker takes it over.
        """
        self.read_s = self.turn_s = asyncio.get_running_loop().time()
        self._claim_at_s = self.read_s + self._claim_every_s
        async with self._tasks as tasks:
            tasks.create_task(self._commits.run(), name="commit")
            for chore, every_s in self._chores():
                tasks.create_task(repeat(chore, every_s, self._ended, stream=self.stream), name=chore.__name__)
            await self._read_all()
            await self._drain()
            # what speaks to the bus is told rather than cancelled: a cancelled call leaves its connection half used
            self._ended.set()
            self._commits.end()
            for hop in self._hops.values():
                hop.cancel()

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()
        self._slot_free.set()

    def abandon(self, trace_ids: Sequence[str]) -> None:
        """Start no node of these runs any more; what is under way for them is committed, and answered LATE."""
        self._runner.abandon(trace_ids)

    async def _read_all(self) -> None:
        while not self._stopping.is_set():
            free = self._options.slots - len(self._held)
            if free <= 0:
                self._slot_free.clear()
                await self._slot_free.wait()
                continue
            self.turn_s = asyncio.get_running_loop().time()
            if not await all_open(self._read_gates, self._stopping, wait_s=_READ_WAIT_S):
                continue
            self.is_taking, asked_s = True, asyncio.get_running_loop().time()
            try:
                # what others left goes first, and a claim never runs beside a read: they share the free slots
                deliveries = await self._claimed(free) or await self._read(free)
            except BusError as error:
                _log.warning("stream_unreadable", stream=self.stream, code=error.code)
                await asyncio.sleep(_RETRY_S)
                continue
            finally:
                self.is_taking = False
            if self._traces is not None and deliveries:
                self._traces.received(self.stream, deliveries, asyncio.get_running_loop().time() - asked_s)
            await self._begin(deliveries)

    async def _read(self, free: int) -> list[Delivery]:
        deliveries = await self._bus.read(self.stream, self.name, limit=free, wait_s=_READ_WAIT_S)
        self.read_s = asyncio.get_running_loop().time()
        self.counts["read"] += len(deliveries)
        return deliveries

    async def _claimed(self, free: int) -> list[Delivery]:
        """Take over what silent workers held, now and then."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._claim_at_s:
            return []
        # jitter keeps the workers of a group from asking all at once
        self._claim_at_s = now_s + self._claim_every_s * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        claimed = await self._bus.claim(self.stream, self.name, limit=free, idle_s=self._options.lease_s)
        self.counts["claimed"] += len(claimed)
        return claimed

    async def _begin(self, deliveries: Sequence[Delivery]) -> None:
        """Begin what was taken; where a stop comes before it may be begun, its lease runs out."""
        while not await self._may_begin():
            if self._stopping.is_set():
                return
        for delivery in deliveries:
            self._start(delivery)

    async def _may_begin(self) -> bool:
        return await all_open(self._gates, self._stopping, wait_s=_READ_WAIT_S)

    def _about(self, delivery: Delivery) -> dict[str, str]:
        """Say of a delivery what it is; of a lane's, which may be of several runs, the first."""
        return {"stream": self.stream, "delivery": delivery.id, "trace_id": run_of(delivery.entry.items[0])}

    def _start(self, delivery: Delivery) -> None:
        key = (delivery.partition, delivery.id)
        is_running = key in self._held  # a blocked loop let our own lease run out: go on, under the new token
        self._held[key] = delivery
        if is_running:
            return
        if delivery.deliveries > self._options.max_deliveries:
            self.counts["poison"] += 1
            self._commits.add(self._runner.give_up(delivery))
            return
        self._hops[key] = self._tasks.create_task(self._hop(delivery))

    async def _hop(self, delivery: Delivery) -> None:
        try:
            commit = await self._run(delivery)
        except Exception as error:  # noqa: BLE001 - the top of a task; counted
            # a fault of ours, not of a node: the entry stays leased, is handed out again, and ends as poison
            _log.exception("hop_crashed", **self._about(delivery), error=type(error).__name__)
            self.counts["crashed"] += 1
            self._let_go(delivery.partition, delivery.id)
        except BaseException:  # cut off by the drain, or ended by its node: not held any longer, so its lease runs out
            self._let_go(delivery.partition, delivery.id)
            raise
        else:
            self._commits.add(commit)

    async def _run(self, delivery: Delivery) -> Commit:
        while True:
            try:
                return await self._runner.run(delivery)
            except BusUnavailableError as error:  # as if handed out again: nothing is committed yet
                _log.warning("hop_waits", **self._about(delivery), code=error.code)
                await asyncio.sleep(_RETRY_S)

    def _let_go(self, partition: int, delivery_id: str) -> None:
        key = (partition, delivery_id)
        self._held.pop(key, None)
        self._hops.pop(key, None)
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
            _log.warning("drain_cut_off", stream=self.stream, in_flight=self.in_flight)

    def _chores(self) -> tuple[tuple[Chore, float], ...]:
        options = self._options
        return (
            (self._renew, options.lease_s / 3),
            (self._promote, options.promote_every_s),
            *(((self._expire, _EXPIRE_EVERY_S),) if self._expires else ()),
            (self._sweep, options.sweep_every_s),
            (self._look, options.slow_after_s / 4),
        )

    async def _renew(self) -> None:
        """Renew the leases of what is under way."""
        held = list(self._held.values())
        if held:
            still_ours = await self._bus.extend(self.stream, self.name, held)
            self.counts["lease_lost"] += still_ours.count(False)

    async def _promote(self) -> None:
        """Put scheduled items that are due back."""
        self.counts["promoted"] += await self._bus.promote(self.stream, limit=_PROMOTE_LIMIT)

    async def _expire(self) -> None:
        """End runs whose deadline has passed, whatever their work waits for."""
        self.counts["expired"] += await self._bus.expire(limit=_PROMOTE_LIMIT)

    async def _sweep(self) -> None:
        """Remove the consumers of workers that are long gone."""
        self.counts["swept"] += await self._bus.sweep(self.stream, idle_s=_GONE_S)

    async def _look(self) -> None:
        """Tell of hops that take very long, once each."""
        for key, seconds in self._slow_hops.look(self._held, asyncio.get_running_loop().time()):
            _log.warning("hop_slow", **self._about(self._held[key]), seconds=round(seconds, 1))
            self.counts["hop_slow"] += 1
