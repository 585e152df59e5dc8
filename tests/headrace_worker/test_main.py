"""The worker as a process: its signals, its waiting for Redis, and what it refuses to start with."""

import json
import signal
from pathlib import Path

import httpx
import pytest
from tests.headrace_worker.app import Answer, Number, pipe
from tests.headrace_worker.service_process import launched, service
from tests.support.redis_server import RedisServer

from headrace.bus.redis.bus import RedisBus
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.settings.services import WorkerSettings
from headrace.settings.sources import read_settings
from headrace.testing.wait import wait_until, wait_until_sync
from headrace.wire.envelope import Framing
from headrace_worker.main import main, options_of

APP = "tests.headrace_worker.app:pipe"
NOWHERE = "redis://127.0.0.1:1"
LONG_LEASE_S = 600.0  # so that what a worker left leased would not come back within a test


def test_check_loads_everything_and_connects_to_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([APP, "--group", "one", "--bus-url", NOWHERE, "--check"]) == 0
    assert capfd.readouterr().out == ""


def test_an_unknown_group_is_refused_with_the_groups_there_are(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([APP, "--group", "on", "--bus-url", NOWHERE]) == 2
    assert capfd.readouterr().err == (
        "error[settings_invalid]: setting 'group' is 'on', and pipe 'numbers' has the groups: one, two; "
        "did you mean 'one'?\n"
    )


def test_the_memory_bus_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([APP, "--group", "one"]) == 2
    assert "setting 'bus_url' is memory://" in capfd.readouterr().err


@pytest.mark.parametrize("shown", [False, True])
def test_the_texts_of_exceptions_are_shown_where_the_settings_say_so(shown: bool) -> None:
    given = {"app": APP, "group": "one", **({"shows_detail": "true"} if shown else {})}
    assert options_of(read_settings(WorkerSettings, given)).shows_detail is shown


@pytest.mark.slow
async def test_sigterm_under_load_loses_nothing(redis_url: str, namespace: str) -> None:
    plan, bus = pipe.compile(), RedisBus(redis_url, namespace=namespace)
    settings = {"bus_url": redis_url, "namespace": namespace, "lease_s": str(LONG_LEASE_S), "slots": "16"}
    async with (
        consuming(plan, bus, Framing(), ("two",)),
        coordinating(bus),
        connected(plan, bus, Framing()) as client,
    ):
        with service("headrace_worker", app=APP, group="one", **settings) as first:
            runs = await client.ask_all([Number(value, pause_s=0.02) for value in range(1, 401)])
            await runs[50][1]
            first.signal(signal.SIGTERM)
            assert first.ended() == 0
        assert any(not future.done() for _, future in runs), "the worker was to stop under load"
        with service("headrace_worker", app=APP, group="one", **settings):
            answers = [client.result(trace_id, await future) for trace_id, future in runs]
    assert answers == [Answer(str(2 * value)) for value in range(1, 401)]
    await bus.aclose()


@pytest.mark.slow
async def test_a_second_signal_ends_the_worker_at_once(redis_url: str, namespace: str, tmp_path: Path) -> None:
    bus, is_under_way = RedisBus(redis_url, namespace=namespace), tmp_path / "under-way"
    async with connected(pipe.compile(), bus, Framing()) as client:
        with service("headrace_worker", app=APP, group="one", bus_url=redis_url, namespace=namespace) as worker:
            await client.submit(Number(1, pause_s=600.0, touches=str(is_under_way)))
            await wait_until(is_under_way.exists, description="the node runs")
            worker.signal(signal.SIGTERM)
            worker.wait_for_log("stopping")
            worker.signal(signal.SIGTERM)
            assert worker.ended() == 128 + signal.SIGTERM
    await bus.aclose()


@pytest.mark.slow
def test_a_worker_waits_for_a_redis_that_is_away(own_redis: RedisServer) -> None:
    own_redis.kill()
    with launched("headrace_worker", app=APP, group="one", bus_url=own_redis.url) as worker:
        worker.wait_for_log("bus_awaited")
        own_redis.start()
        worker.wait_until_ready()
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0


@pytest.mark.slow
def test_a_worker_that_waits_for_redis_stops_when_told() -> None:
    with launched("headrace_worker", app=APP, group="one", bus_url=NOWHERE) as worker:
        worker.wait_for_log("bus_awaited")
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0


@pytest.mark.slow
def test_a_worker_touches_its_heartbeat_file_while_it_works(redis_url: str, namespace: str, tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    about = {"app": APP, "group": "one", "bus_url": redis_url, "namespace": namespace, "heartbeat_file": str(file)}
    with service("headrace_worker", **about) as worker:
        wait_until_sync(file.exists, description="it is there")
        first = file.stat().st_mtime_ns
        wait_until_sync(lambda: file.stat().st_mtime_ns > first, description="it is touched again")
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0


@pytest.mark.slow
async def test_a_worker_serves_its_metrics_at_a_port_of_their_own(redis_url: str, namespace: str) -> None:
    plan, bus = pipe.compile(), RedisBus(redis_url, namespace=namespace)
    about = {"app": APP, "group": "one", "bus_url": redis_url, "namespace": namespace, "metrics_port": "0"}
    async with (
        consuming(plan, bus, Framing(), ("two",)),
        coordinating(bus),
        connected(plan, bus, Framing()) as client,
        httpx.AsyncClient() as http,
    ):
        with service("headrace_worker", **about) as worker:
            url = json.loads(worker.wait_for_log("worker_started"))["metrics"]
            await client.run(Number(7))
            text = (await http.get(url)).text
            worker.signal(signal.SIGTERM)
            assert worker.ended() == 0
    await bus.aclose()
    assert 'headrace_hops_total{answer="committed",group="one",pipe="numbers"} 1.0' in text
    assert 'headrace_backlog{group="one",pipe="numbers"} ' in text
    assert 'headrace_handler_seconds_count{group="one",node=' in text
