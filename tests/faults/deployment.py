"""A deployment of the pipe of the rows: which processes it has, who stands by, and what is seen of it from outside."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Self

from redis.asyncio import Redis
from redis.exceptions import ResponseError
from tests.faults.app import Ask, Counted, Do, pipe
from tests.faults.crashing import Point
from tests.support.leaks import assert_no_leaks
from tests.support.services import Service

from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.work import WORKERS
from headrace.ledger import dead_letter
from headrace.ledger.dead_letter import DeadLetter
from headrace.ledger.values import Terminal
from headrace.runtime.bulk import run_all
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.consumer import ConsumerOptions
from headrace.runtime.load import load_plan
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing

PLAN = pipe.compile()
APP = "tests.faults.app:pipe"
LEASE_S = 0.5  # short, so that a row takes few seconds
MANY = 200
ANSWER_S = 40.0

_KEPT = ("control",)  # it holds what was abandoned in the last two minutes, until the next one comes

Asked = Sequence[tuple[str, asyncio.Future[Terminal]]]


class Deployment:
    """Processes of one namespace; `aclose` ends them.

    Args:
        url: The server.
        app: The pipe, as `module:attribute`.
        settings: Of every process, over those of the rows.

    Attributes:
        plan: Of the pipe.
        started: The first process of each group, and of each service that is no worker.
    """

    def __init__(
        self, url: str, namespace: str, framing: Framing | None = None, *, app: str = APP, **settings: str
    ) -> None:
        self.plan = load_plan(app)
        self.url = url
        self.namespace = namespace
        self.framing = framing or Framing()
        self.keys = Keys(namespace, 0)
        self._settings = {"bus_url": url, "namespace": namespace, "lease_s": str(LEASE_S), "app": app, **settings}
        self.started: dict[str, Service] = {}
        self._all: list[Service] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def worker(self, group: str, **settings: str) -> Service:
        """Start a worker and wait until it works."""
        return await self._ready(self._service("worker", group=group, **settings))

    async def reply(self) -> Service:
        """Start a reply service and wait until it works."""
        return await self._ready(self._service("reply"))

    async def gateway(self, **settings: str) -> Service:
        """Start a gateway on a free port and wait until it works."""
        return await self._ready(self._service("gateway", port="0", **settings))

    async def named(self, group: str, consumer: str) -> Service:
        """Start a worker that has a certain name on the bus."""
        program = "tests.faults.crashing_worker"
        return await self._ready(self._service("worker", program, group=group, consumer=consumer))

    def crashing_worker(self, group: str, at: Point) -> Service:
        """Start a worker that is killed at a point."""
        return self._service("worker", "tests.faults.crashing_worker", group=group, crash_at=at)

    def crashing_reply(self, at: Point) -> Service:
        """Start a reply service that is killed at a point."""
        return self._service("reply", "tests.faults.crashing_reply", crash_at=at)

    @asynccontextmanager
    async def closing_bus(self) -> AsyncGenerator[RedisBus]:
        """Give a bus of the test's process."""
        bus = RedisBus(self.url, namespace=self.namespace)
        try:
            yield bus
        finally:
            await bus.aclose()

    async def dead_letters(self, group: str) -> list[DeadLetter]:
        """Look at a group's dead letters."""
        async with self.closing_bus() as bus:
            return [
                dead_letter.decode(letter.blob) for letter in await bus.dead_letters(self.plan.stream(group), limit=100)
            ]

    @asynccontextmanager
    async def client(self, *groups: str, with_reply: bool = False) -> AsyncGenerator[Client]:
        """Give a client; the groups that no fault of the row strikes may be consumed here, in the test's process."""
        error: BaseException | None = None
        over = asyncio.Event()
        async with self.closing_bus() as bus, asyncio.TaskGroup() as tasks:
            if groups:
                await _hold(self.here(bus, *groups), over, tasks)
            if with_reply:
                await _hold(coordinating(bus), over, tasks)
            async with connected(self.plan, bus, self.framing) as client:
                try:
                    yield client
                except BaseException as raised:  # noqa: BLE001 - raised again below, outside the group that would wrap it
                    error = raised
                over.set()  # all stop at once: each waits for a read under way
        if error is not None:
            raise error

    @asynccontextmanager
    async def here(self, bus: RedisBus, *groups: str) -> AsyncGenerator[None]:
        """Consume groups in the test's process."""
        async with consuming(self.plan, bus, self.framing, groups, options=ConsumerOptions(lease_s=LEASE_S)):
            yield

    async def length(self, stream: str) -> int:
        """Count a stream's entries."""
        async with Redis.from_url(self.url) as redis:
            return int(await redis.xlen(stream))

    async def backlog(self, group: str) -> int:
        """Count a group's entries."""
        return await self.length(self.keys.stream(self.plan.stream(group)))

    async def pending(self, group: str) -> int:
        """Count a group's entries that are in the hands of workers."""
        async with Redis.from_url(self.url) as redis:
            try:
                return int((await redis.xpending(self.keys.stream(self.plan.stream(group)), WORKERS))["pending"])
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                return 0  # no worker has read yet

    async def waited_for(self) -> int:
        """Count the runs that somebody is registered to wait for."""
        async with Redis.from_url(self.url) as redis:
            return int(await redis.hlen(self.keys.waiters))

    async def ended(self) -> int:
        """Count the terminal events that there have ever been."""
        async with Redis.from_url(self.url) as redis:
            told = int(await redis.get(self.keys.replied) or 0)
        return told + await self._ever_added(self.keys.replies)

    async def told(self) -> int:
        """Count the events that have ever been put into a caller's inbox."""
        async with Redis.from_url(self.url) as redis:
            inboxes = [key async for key in redis.scan_iter(match=f"{self.keys.inbox('')}*", count=1000)]
        return sum([await self._ever_added(inbox.decode()) for inbox in inboxes])

    async def assert_settled(self, runs: int, *, allow: Sequence[str] = ()) -> None:
        """Check from outside: each run was ended by one event, and nothing is left that nothing will remove."""
        with suppress(AssertionError):  # the check after it names what is left
            await wait_until(lambda: self._is_clean(allow), timeout_s=10, description="nothing is left")
        assert_no_leaks(self.url, self.namespace, allow=(*_KEPT, *allow))
        assert await self.ended() == runs

    async def aclose(self) -> None:
        """End what was started."""
        for service in self._all:
            await asyncio.to_thread(service.close)

    async def _ever_added(self, stream: str) -> int:
        async with Redis.from_url(self.url) as redis:
            return int((await redis.xinfo_stream(stream))["entries-added"]) if await redis.exists(stream) else 0

    def _is_clean(self, allow: Sequence[str]) -> bool:
        try:
            assert_no_leaks(self.url, self.namespace, allow=(*_KEPT, *allow))
        except AssertionError:
            return False
        return True

    def _service(self, name: str, module: str = "", **settings: str) -> Service:
        service = Service(name, module=module, **{**self._settings, **settings})
        self._all.append(service)
        self.started.setdefault(settings.get("group", name), service)
        return service

    async def _ready(self, service: Service) -> Service:
        await asyncio.to_thread(service.ready)
        return service


async def _hold(part: AbstractAsyncContextManager[object], over: asyncio.Event, tasks: asyncio.TaskGroup) -> None:
    """Keep a part open in a task of its own until all is over; gives when it is."""
    opened = asyncio.Event()

    async def hold() -> None:
        async with part:
            opened.set()
            await over.wait()

    tasks.create_task(hold())
    await opened.wait()


def asks(count: int = MANY, *, key: str = "k", do: Do = Do.NOTHING, path: object = "") -> list[Ask]:
    """Make messages of one key."""
    return [Ask(str(number), key, do, str(path)) for number in range(count)]


def counted(count: int = MANY) -> list[Counted]:
    """Give the answers to `asks`, each counted once, in order."""
    return [Counted(str(number), number + 1) for number in range(count)]


async def answers(client: Client, asked: Asked) -> list[Counted]:
    """Wait for answers."""
    async with asyncio.timeout(ANSWER_S):
        return [client.result(trace_id, await future) for trace_id, future in asked]


async def run_many(client: Client, count: int, *, key: str = "k") -> list[Counted]:
    """Have runs answered as a file's lines are: new ones start while others end, and wait while the bus is away."""
    async with asyncio.timeout(ANSWER_S):
        return [client.result(trace, end) async for trace, end in run_all(client, asks(count, key=key), window=512)]


async def killed(service: Service) -> bool:
    """Wait until a process has ended; tell whether it was killed."""
    return await asyncio.to_thread(service.process.wait, 30) == -signal.SIGKILL


async def logs(service: Service, event: str) -> None:
    """Wait until a service has logged an event."""
    await wait_until(lambda: event in service.log, timeout_s=30, description=f"{service.name} logs {event}")
