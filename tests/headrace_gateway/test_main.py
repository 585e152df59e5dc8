"""The gateway as a process, over real HTTP and Redis."""

import asyncio
import json
import signal
import socket
from pathlib import Path

import httpx
import pytest
from tests.headrace_worker.app import pipe
from tests.headrace_worker.service_process import launched

from headrace.bus.redis.bus import RedisBus
from headrace.runtime.compose import consuming
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing
from headrace_gateway.main import main

APP = "tests.headrace_worker.app:pipe"
NOWHERE = "redis://127.0.0.1:1"


def test_check_connects_to_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([APP, "--bus-url", NOWHERE, "--check"]) == 0
    assert capfd.readouterr().out == ""


def test_one_pipe_twice_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([f"{APP},{APP}", "--bus-url", NOWHERE, "--check"]) == 2
    assert capfd.readouterr().err == "error[settings_invalid]: setting 'app' names pipe 'numbers' twice\n"


def test_a_port_that_is_taken_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main([APP, "--bus-url", NOWHERE, "--port", str(port)]) == 2
    assert f"setting 'port' {port} on host '127.0.0.1' cannot be listened on" in capfd.readouterr().err


def test_the_production_profile_does_not_start_without_control_of_access(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([APP, "--bus-url", NOWHERE, "--profile", "production", "--check"]) == 2
    told = capfd.readouterr().err
    assert "setting 'signing_keys' is missing" in told
    assert "setting 'api_keys_file' is missing, as is 'jwks'" in told


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--jwks", "x"], "setting 'jwt_issuer' is missing"),
        (["--jwks", "x", "--jwt-issuer", "i"], "setting 'jwt_audience' is missing"),
        (
            ["--jwks", "x", "--jwt-issuer", "i", "--jwt-audience", "a", "--jwt-algorithms", "HS256"],
            "setting 'jwt_algorithms' names 'HS256'",
        ),
        (["--api-keys-file", "nowhere.toml"], "setting 'api_keys_file' names 'nowhere.toml', which cannot be read"),
    ],
)
def test_half_an_access_control_is_refused(flags: list[str], why: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([APP, "--bus-url", NOWHERE, *flags, "--check"]) == 2
    assert why in capfd.readouterr().err


@pytest.mark.slow
async def test_sigterm_answers_the_requests_under_way(redis_url: str, namespace: str, tmp_path: Path) -> None:
    bus, is_under_way = RedisBus(redis_url, namespace=namespace), tmp_path / "under-way"
    settings = {"app": APP, "bus_url": redis_url, "namespace": namespace, "port": "0", "with_reply": "true"}
    async with consuming(pipe.compile(), bus, Framing(), ("one", "two")):
        with launched("headrace_gateway", **settings) as gateway:
            url = json.loads(gateway.wait_for_log("gateway_started"))["url"]
            async with httpx.AsyncClient(base_url=url) as http:
                first = await http.post("/v1/pipes/numbers", json={"value": 1})
                slow = {"value": 2, "pause_s": 0.5, "touches": str(is_under_way)}
                async with asyncio.TaskGroup() as tasks:
                    request = tasks.create_task(http.post("/v1/pipes/numbers", json=slow))
                    await wait_until(is_under_way.exists, description="the node runs")
                    gateway.signal(signal.SIGTERM)
                    second = await request
            assert gateway.ended() == 0
    assert (first.json(), second.json()) == ({"text": "2"}, {"text": "4"})
    await bus.aclose()


@pytest.mark.slow
async def test_requests_that_outlast_the_drain_are_told_their_trace_id(redis_url: str, namespace: str) -> None:
    bus = RedisBus(redis_url, namespace=namespace)
    settings = {"app": APP, "bus_url": redis_url, "namespace": namespace, "port": "0", "drain_s": "2"}
    with launched("headrace_gateway", **settings) as gateway:
        url = json.loads(gateway.wait_for_log("gateway_started"))["url"]
        async with httpx.AsyncClient(base_url=url, timeout=30) as http, asyncio.TaskGroup() as tasks:
            request = tasks.create_task(http.post("/v1/pipes/numbers", json={"value": 1}))
            await wait_until(lambda: is_backlog(bus, 1), description="the run has started, and no worker is there")
            gateway.signal(signal.SIGTERM)
            answer = await request
        assert gateway.ended() == 0
    assert (answer.status_code, answer.json()["code"]) == (504, "wait_timeout")
    view = await bus.view(answer.json()["trace_id"])
    assert view is not None
    assert view.terminal is None
    assert await bus.waiters([view.trace_id]) == [()]
    await bus.aclose()


async def is_backlog(bus: RedisBus, count: int) -> bool:
    return await bus.backlog("numbers.one") == count
