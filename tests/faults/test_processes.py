"""Faults of processes and of the server, with real processes and a real Redis: each run still gets its one answer."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from tests.support.leaks import assert_no_leaks
from tests.support.places import Ask
from tests.support.places import pipe as places
from tests.support.redis_server import RedisServer
from tests.support.services import Service, services
from tests.support.streams import is_length

from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.keys import Keys
from headrace.ledger import dead_letter
from headrace.ledger.terminal import failure_of
from headrace.ledger.values import RunState
from headrace.runtime.bulk import run_all
from headrace.runtime.client import Client
from headrace.runtime.compose import connected
from headrace.testing.wait import wait_until, wait_until_sync
from headrace.wire.envelope import Framing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
LEASE_S = "1"
MANY = 400


@pytest.fixture
async def bus(redis_url: str, namespace: str) -> AsyncIterator[RedisBus]:
    bus = RedisBus(redis_url, namespace=namespace)
    yield bus
    await bus.aclose()


@pytest.fixture
def about(redis_url: str, namespace: str) -> dict[str, str]:
    return {"app": "tests.support.places:pipe", "bus_url": redis_url, "namespace": namespace, "lease_s": LEASE_S}


def reply(about: dict[str, str]) -> Service:
    return Service("reply", bus_url=about["bus_url"], namespace=about["namespace"])


async def ask_many(client: Client, count: int = MANY, gate: str = "") -> list[str]:
    """Ask, and give the answers' texts once all have come."""
    asked = await client.ask_all([Ask(str(number), gate) for number in range(count)])
    return [client.result(trace, await future).text for trace, future in asked]


async def run_many(client: Client, count: int) -> list[str]:
    """Ask as a file is run, starting runs while others end."""
    messages = [Ask(str(number)) for number in range(count)]
    return [client.result(trace, terminal).text async for trace, terminal in run_all(client, messages, window=256)]


async def test_a_worker_killed_in_its_node_loses_nothing(
    bus: RedisBus, about: dict[str, str], tmp_path: Path, redis_url: str, namespace: str
) -> None:
    gate = tmp_path / "gate"
    plan = places.compile()
    first, second = Service("worker", group="first", **about), Service("worker", group="second", **about)
    with services(first, second, reply(about)):
        async with connected(plan, bus, Framing()) as client:
            asked = asyncio.create_task(ask_many(client, gate=str(gate)))
            await wait_until(lambda: Path(f"{gate}.{second.pid}").exists(), description="it is in its node")
            second.kill()
            with services(Service("worker", group="second", **about)):
                gate.touch()
                assert await asked == [str(number) for number in range(MANY)]
    assert_no_leaks(redis_url, namespace, allow=("inbox",))


async def test_a_worker_paused_past_its_lease_is_fenced_and_every_run_has_one_answer(
    bus: RedisBus, about: dict[str, str], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    plan = places.compile()
    slow = Service("worker", group="second", **about)
    with services(Service("worker", group="first", **about), slow, reply(about)):
        async with connected(plan, bus, Framing()) as client:
            asked = asyncio.create_task(ask_many(client, gate=str(gate)))
            await wait_until(lambda: Path(f"{gate}.{slow.pid}").exists(), description="it is in its node")
            slow.signal(signal.SIGSTOP)
            gate.touch()
            with services(Service("worker", group="second", **about)):
                assert await asked == [str(number) for number in range(MANY)]
                slow.signal(signal.SIGCONT)
                await wait_until(lambda: "commit_fenced" in slow.log, description="the one that woke up is told")
            slow.terminate()


async def test_sigterm_under_load_drains_and_loses_nothing(bus: RedisBus, about: dict[str, str]) -> None:
    plan = places.compile()
    first, second = Service("worker", group="first", **about), Service("worker", group="second", **about)
    with services(first, second, reply(about)):
        async with connected(plan, bus, Framing()) as client:
            asked = asyncio.create_task(ask_many(client, 2000))
            await wait_until(lambda: is_under_way(bus), description="work is under way")
            assert await asyncio.to_thread(second.terminate) == 0
            assert stopped(second)["in_flight"] == 0
            with services(Service("worker", group="second", **about)):
                assert await asked == [str(number) for number in range(2000)]


async def test_a_reply_service_stopped_with_callers_waiting_answers_each_when_it_is_back(
    bus: RedisBus, about: dict[str, str]
) -> None:
    plan = places.compile()
    coordinator = reply(about)
    workers = (Service("worker", group="first", **about), Service("worker", group="second", **about))
    with services(*workers, coordinator):
        coordinator.kill()
        async with connected(plan, bus, Framing()) as client:
            asked = asyncio.create_task(ask_many(client))
            replies = Keys(about["namespace"], 0).replies
            await wait_until(is_length(about["bus_url"], replies, MANY), description="all runs have ended")
            assert not asked.done()
            with services(reply(about)):
                assert await asked == [str(number) for number in range(MANY)]


async def test_redis_killed_and_restarted_under_load_loses_nothing_with_aof_always(own_redis: RedisServer) -> None:
    about = {"app": "tests.support.places:pipe", "bus_url": own_redis.url, "namespace": "n", "lease_s": LEASE_S}
    plan = places.compile()
    bus = RedisBus(own_redis.url, namespace="n")
    workers = (Service("worker", group="first", **about), Service("worker", group="second", **about))
    try:
        with services(*workers, reply(about)):
            async with connected(plan, bus, Framing()) as client:
                asked = asyncio.create_task(run_many(client, 2000))
                await wait_until(lambda: is_under_way(bus), description="work is under way")
                await asyncio.to_thread(own_redis.restart)
                assert await asked == [str(number) for number in range(2000)]
    finally:
        await bus.aclose()


async def test_a_flushed_server_is_worked_on_again(bus: RedisBus, about: dict[str, str], namespace: str) -> None:
    plan = places.compile()
    workers = (Service("worker", group="first", **about), Service("worker", group="second", **about))
    with services(*workers, reply(about)):
        async with connected(plan, bus, Framing()) as client:
            assert await ask_many(client, 3) == ["0", "1", "2"]
            async with Redis.from_url(about["bus_url"]) as redis:
                await redis.delete(*[key async for key in redis.scan_iter(match=f"{{{namespace}:*")])
                await redis.script_flush()
            assert await ask_many(client, 3) == ["0", "1", "2"]


async def test_garbage_in_a_stream_becomes_a_dead_letter_with_its_bytes_and_stops_nothing(
    bus: RedisBus, about: dict[str, str], namespace: str
) -> None:
    plan = places.compile()
    workers = (Service("worker", group="first", **about), Service("worker", group="second", **about))
    stream = Keys(namespace, 0).stream("places.first")
    with services(*workers, reply(about)):
        async with Redis.from_url(about["bus_url"]) as redis:
            for garbage in (b"", b"\0", b"\0\xff", b"\x05abc", b"\0\x91\x01"):
                await redis.xadd(stream, {"0": garbage})
            await redis.xadd(stream, {"anything": "else"})
            await redis.xadd(stream, {"7": b"x", "lane": "places.see.k"})
        async with connected(plan, bus, Framing()) as client:
            assert await ask_many(client, 3) == ["0", "1", "2"]
        await wait_until(is_length(about["bus_url"], stream, 0), description="the stream is worked off")
        letters = [dead_letter.decode(letter) for letter in await bus.dead_letters("places.first", limit=100)]
        assert {frame for letter in letters for frame in letter.frames} == {
            *(b"", b"\0", b"\0\xff", b"\x05abc", b"\0\x91\x01"),
            *(b"else", b"x"),
        }
        assert {letter.failure.kind for letter in letters} == {"invalid_message"}


async def test_an_entry_that_kills_its_workers_is_given_up_and_its_run_fails(
    bus: RedisBus, about: dict[str, str], tmp_path: Path
) -> None:
    plan = places.compile()
    gate = tmp_path / "never"
    with services(Service("worker", group="first", **about), reply(about)):
        async with connected(plan, bus, Framing()) as client:
            ((trace_id, future),) = await client.ask_all([Ask("poison", str(gate))])
            for _ in range(2):
                victim = Service("worker", group="second", max_deliveries="2", **about)
                with services(victim):
                    entered = Path(f"{gate}.{victim.pid}")
                    await wait_until(entered.exists, timeout_s=30, description="it is in its node")
                    victim.kill()
            with services(Service("worker", group="second", max_deliveries="2", **about)):
                terminal = await asyncio.wait_for(future, 30)
            assert terminal.state is RunState.FAILED
            assert failure_of(terminal).kind == "worker_crash"
            (letter,) = await bus.dead_letters("places.second", limit=10)
            assert (dead_letter.decode(letter).trace_id, dead_letter.decode(letter).deliveries) == (trace_id, 3)


def stopped(service: Service) -> dict[str, int]:
    """What a worker said when it stopped."""
    wait_until_sync(lambda: "worker_stopped" in service.log, description="it says that it stopped")
    (line,) = (line for line in service.log.splitlines() if "worker_stopped" in line)
    said: dict[str, int] = json.loads(line)
    return said


async def is_under_way(bus: RedisBus) -> bool:
    return await bus.backlog("places.second") > 0
