"""The watchdog: a blocked loop is told of while it is blocked and when it is free again, with where it stood."""

import asyncio
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import structlog
from msgspec import Struct
from structlog.testing import capture_logs
from structlog.typing import EventDict
from tests.headrace_worker.app import Answer, Number
from tests.headrace_worker.app import pipe as numbers
from tests.support.services import Service, services

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.redis.bus import RedisBus
from headrace.graph.pipe import Pipe
from headrace.runtime.compose import beside, connected, consuming, coordinating
from headrace.runtime.consumer import ConsumerOptions
from headrace.runtime.watchdog import Watchdog
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing

AFTER_S = 0.05


class Watched:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.stream = "pipe.main"
        self.in_flight = 3


class Ask(Struct):
    text: str = ""


class Told(Struct):
    text: str = ""


def named(logs: list[EventDict], event: str) -> list[EventDict]:
    return [one for one in logs if one["event"] == event]


def block_until(logs: list[EventDict], event: str, *, for_s: float = 0.0) -> None:
    """Block the event loop until the watchdog's thread has said so, and for some time more."""
    end_s = time.monotonic() + 10
    while not named(logs, event):
        assert time.monotonic() < end_s, f"no {event}"
        time.sleep(0.001)
    time.sleep(for_s)


async def test_a_blocked_loop_is_told_of_once_with_where_it_stands_and_again_when_it_is_free() -> None:
    watched = Watched()
    with capture_logs() as logs:
        async with beside(MemoryBus(), Watchdog([watched], blocked_after_s=AFTER_S)):
            await asyncio.sleep(0)
            block_until(logs, "loop_blocked", for_s=4 * AFTER_S)
            await wait_until(lambda: bool(named(logs, "loop_free_again")), description="it is free again")
    (blocked,), (free,) = named(logs, "loop_blocked"), named(logs, "loop_free_again")
    assert (blocked["log_level"], blocked["in_flight"], watched.counts) == (
        "warning",
        {"pipe.main": 3},
        {"loop_blocked": 1},
    )
    assert blocked["seconds"] >= AFTER_S
    assert free["seconds"] >= blocked["seconds"] + 3 * AFTER_S
    assert 1 <= len(blocked["at"]) <= 10
    assert any(line.startswith(__file__) and line.endswith(":block_until") for line in blocked["at"])


async def test_each_episode_is_told_of() -> None:
    watched = Watched()
    async with beside(MemoryBus(), Watchdog([watched], blocked_after_s=AFTER_S)):
        for episode in range(1, 3):
            with capture_logs() as logs:
                await asyncio.sleep(0)
                block_until(logs, "loop_blocked")
                await wait_until(lambda: bool(named(logs, "loop_free_again")), description="it is free again")
            assert watched.counts["loop_blocked"] == episode


async def test_a_loop_that_turns_is_not_told_of_and_the_thread_ends_with_the_watchdog() -> None:
    watched = Watched()
    with capture_logs() as logs:
        async with beside(MemoryBus(), Watchdog([watched], blocked_after_s=30)):
            await wait_until(lambda: "headrace-watchdog" in names(), description="the thread runs")
        assert "headrace-watchdog" not in names()
    assert (logs, watched.counts) == ([], {})


async def test_what_it_says_can_be_written_for_people() -> None:
    with capture_logs() as logs:
        async with beside(MemoryBus(), Watchdog([Watched()], blocked_after_s=AFTER_S)):
            await asyncio.sleep(0)
            block_until(logs, "loop_blocked")
    for one in logs:
        assert one["event"] in structlog.dev.ConsoleRenderer()(None, "warning", dict(one))


async def test_stopping_before_the_start_is_legal() -> None:
    watchdog = Watchdog([Watched()])
    watchdog.stop()
    watchdog.stop()
    await watchdog.run()
    assert "headrace-watchdog" not in names()


async def test_a_node_that_hogs_a_thread_is_told_of_once_with_its_delivery() -> None:
    pipe, go_on = Pipe("hogs"), threading.Event()

    @pipe.node
    def hog(ask: Ask) -> Told:
        go_on.wait(30)
        return Told(ask.text)

    plan, bus = pipe.compile(), MemoryBus()
    options = ConsumerOptions(slow_after_s=0.05)
    with capture_logs() as logs:
        async with (
            consuming(plan, bus, Framing(), ("main",), options=options) as (consumer,),
            coordinating(bus),
            connected(plan, bus, Framing()) as client,
        ):
            [(trace_id, asked)] = await client.ask_all([Ask("secret")])
            await wait_until(lambda: consumer.counts["hop_slow"] == 1, description="it is told of")
            go_on.set()
            assert client.result(trace_id, await asked) == Told("secret")
    (slow,) = named(logs, "hop_slow")
    assert (slow["stream"], slow["log_level"]) == ("hogs.main", "warning")
    assert slow["delivery"].replace("-", "").isdigit()
    assert slow["trace_id"] == trace_id
    assert "secret" not in str(logs)


@pytest.mark.slow
async def test_a_worker_whose_loop_is_blocked_says_so_and_another_does_its_work_once(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    bus = RedisBus(redis_url, namespace=namespace)
    about = {"app": "tests.headrace_worker.app:pipe", "bus_url": redis_url, "namespace": namespace, "lease_s": "0.5"}
    blocked = Service("worker", group="one", **about)
    with services(blocked):
        async with (
            consuming(numbers.compile(), bus, Framing(), ("two",)),
            coordinating(bus),
            connected(numbers.compile(), bus, Framing()) as client,
        ):
            asked = asyncio.create_task(client.run(Number(21, blocks_once=str(tmp_path / "blocks"), block_s=6.0)))
            await wait_until((tmp_path / "blocks").exists, description="it blocks")
            with services(Service("worker", group="one", **about)):
                assert await asked == Answer("42")
                await wait_until(lambda: "commit_fenced" in blocked.log, description="the one that woke up is told")
        assert "loop_free_again" in blocked.log
        assert blocked.log.count('"loop_blocked"') == 1
        assert "app.py" in blocked.log
    await bus.aclose()


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]
