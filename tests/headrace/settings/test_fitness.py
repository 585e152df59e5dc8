"""A service that is only to wait for its bus, as the init container of its pods is."""

import asyncio
import base64
import re
import signal

import pytest
from redis import Redis
from tests.headrace_worker.service_process import launched
from tests.support.redis_server import IN_MEMORY, RedisServer

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.tcp.broker import serving
from headrace.wire.signing import Keyring
from headrace_reply.main import main
from headrace_worker.main import main as worker_main

NOWHERE = "redis://user:sesame@127.0.0.1:1/0"
KEY = b"k" * 32
LONG = {"verify_s": "60"}
pytestmark = pytest.mark.slow


def test_a_bus_that_is_fit_is_exit_code_0_and_the_pipe_is_not_loaded(
    redis_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert worker_main(["no.such:pipe", "--group", "none", "--bus-url", redis_url, "--verify-s", "0"]) == 0
    assert capfd.readouterr() == ("", "")


def test_a_bus_that_is_not_fit_is_exit_code_1_with_what_failed_and_what_to_do(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with RedisServer((*IN_MEMORY, "--maxmemory-policy", "allkeys-lru")) as server:
        assert main(["--bus-url", server.url, "--verify-s", "0.6"]) == 1
    assert capfd.readouterr().err.endswith(
        "error[bus_failed]: the bus is not fit: eviction: allkeys-lru; set maxmemory-policy noeviction\n"
    )


def test_a_bus_that_is_not_there_is_exit_code_1_and_its_password_is_not_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["--bus-url", NOWHERE, "--verify-s", "0"]) == 1
    told = capfd.readouterr().err
    assert re.match(r"error\[bus_unavailable]: the bus at redis://127.0.0.1:1", told)
    assert "sesame" not in told


def test_a_bus_that_comes_late_and_is_made_fit_later_still_is_waited_for() -> None:
    server = RedisServer((*IN_MEMORY, "--maxmemory-policy", "allkeys-lru"))
    with launched("headrace_reply", bus_url=server.url, **LONG) as verifying:
        verifying.wait_for_log("bus_awaited")
        with server, Redis.from_url(server.url) as admin:
            assert b"eviction" in verifying.wait_for_log("bus_awaited")
            admin.config_set("maxmemory-policy", "noeviction")
            assert verifying.ended() == 0


def test_sigterm_ends_the_wait() -> None:
    with launched("headrace_reply", bus_url=NOWHERE, **LONG) as verifying:
        verifying.wait_for_log("bus_awaited")
        verifying.signal(signal.SIGTERM)
        assert verifying.ended() == 1


async def test_a_broker_is_fit_when_it_answers() -> None:
    keys = base64.b64encode(KEY).decode()
    async with serving(MemoryBus(), Keyring({"main": KEY}, "main")) as broker:
        settings = {"bus_url": str(broker.address), "bus_keys": f"main:{keys}", "verify_s": "10"}
        with launched("headrace_reply", **settings) as verifying:
            assert await asyncio.to_thread(verifying.ended) == 0
