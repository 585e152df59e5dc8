"""The blocking runner: a whole worker in its thread, which holds up nothing beside it."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from msgspec import Struct
from structlog.testing import capture_logs

from headrace.bus.memory.bus import MemoryBus
from headrace.graph.pipe import Pipe
from headrace.graph.plan import ExecutionPlan
from headrace.runtime.client import Client
from headrace.runtime.compose import beside, connected, coordinating
from headrace.runtime.far_bus import far_bus
from headrace.runtime.runner_thread import RunnerThread
from headrace.runtime.sync_runner import SyncRunner
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing

STOP_S = 20.0


class Ask(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int
    thread: int


class Blocking:
    """A pipe whose node blocks its event loop until it may go on."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        self.entered = threading.Event()
        self.may_go_on = threading.Event()

    def plan(self) -> ExecutionPlan:
        pipe = Pipe("blocking")

        @pipe.on_startup
        async def start() -> None:
            self.log.append(("start", threading.get_ident()))

        @pipe.on_shutdown
        def stop() -> None:
            self.log.append(("stop", threading.get_ident()))

        @pipe.node
        async def block(ask: Ask) -> Answer:
            self.entered.set()
            self.may_go_on.wait(STOP_S)
            return Answer(ask.number, threading.get_ident())

        return pipe.compile()


def runner_of(plan: ExecutionPlan, bus: MemoryBus) -> SyncRunner:
    return SyncRunner(plan, far_bus(bus, asyncio.get_running_loop()), Framing(), tuple(plan.groups))


@asynccontextmanager
async def threaded(plan: ExecutionPlan, bus: MemoryBus, stop_s: float = STOP_S) -> AsyncGenerator[Client]:
    thread = RunnerThread(runner_of(plan, bus), stop_s=stop_s)
    async with beside(bus, thread), coordinating(bus), connected(plan, bus, Framing()) as client:
        await thread.started()
        yield client


def has_ended() -> bool:
    return "runner" not in {thread.name for thread in threading.enumerate()}


async def test_the_whole_worker_lives_in_one_thread_which_is_not_that_of_the_bus() -> None:
    blocking = Blocking()
    blocking.may_go_on.set()
    async with threaded(blocking.plan(), MemoryBus()) as client:
        answer = await client.run(Ask(7))
    assert answer == Answer(7, answer.thread)
    assert blocking.log == [("start", answer.thread), ("stop", answer.thread)]
    assert answer.thread != threading.get_ident()


async def test_a_node_that_blocks_holds_up_nothing_but_its_own_runner() -> None:
    blocking, bus = Blocking(), MemoryBus()
    async with threaded(blocking.plan(), bus) as client:
        asked = asyncio.create_task(client.run(Ask(1)))
        await wait_until(blocking.entered.is_set, description="the node blocks")
        other = await client.submit(Ask(2))
        assert await client.view(other) is not None
        assert not asked.done()
        blocking.may_go_on.set()
        assert (await asked).number == 1
        assert client.result(other, await client.wait(other)).number == 2


async def test_a_stop_waits_for_what_is_under_way() -> None:
    blocking, bus = Blocking(), MemoryBus()
    plan = blocking.plan()
    async with coordinating(bus), connected(plan, bus, Framing()) as client:
        thread = RunnerThread(runner_of(plan, bus), stop_s=STOP_S)
        running = asyncio.create_task(thread.run())
        asked = asyncio.create_task(client.run(Ask(1)))
        await wait_until(blocking.entered.is_set, description="the node blocks")
        thread.stop()
        blocking.may_go_on.set()
        await running
        assert (await asked).number == 1


async def test_a_node_that_blocks_for_ever_is_left_behind() -> None:
    blocking, bus = Blocking(), MemoryBus()
    with capture_logs() as logged:
        async with threaded(blocking.plan(), bus, stop_s=0.01) as client:
            await client.submit(Ask(1))
            await wait_until(blocking.entered.is_set, description="the node blocks")
    assert [event["event"] for event in logged if event["log_level"] == "error"] == ["runner_left_behind"]
    blocking.may_go_on.set()
    await wait_until(has_ended, description="its thread ends after all")


async def test_a_start_up_that_fails_comes_out() -> None:
    pipe = Pipe("broken")

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        return Answer(ask.number, 0)

    @pipe.on_startup
    def fail() -> None:
        raise RuntimeError("no")

    bus = MemoryBus()
    thread = RunnerThread(runner_of(pipe.compile(), bus), stop_s=STOP_S)
    with pytest.raises(RuntimeError, match=r"^no$"):
        await thread.run()


async def test_a_runner_that_is_stopped_before_it_runs_starts_nothing() -> None:
    blocking = Blocking()
    runner = runner_of(blocking.plan(), MemoryBus())
    runner.stop()
    await asyncio.to_thread(runner.run)
    runner.stop()
    assert blocking.log == []
