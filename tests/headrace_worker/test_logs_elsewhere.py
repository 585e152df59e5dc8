"""What a node logs in another process is as what it logs in its worker: JSON, of its run, without secrets."""

import asyncio
import json

import pytest
from tests.headrace_worker.app import Answer, Number
from tests.headrace_worker.app_elsewhere import pipe
from tests.headrace_worker.service_process import service

from headrace.bus.redis.bus import RedisBus
from headrace.runtime.compose import connected, coordinating
from headrace.wire.envelope import Framing

APP = "tests.headrace_worker.app_elsewhere:pipe"

pytestmark = pytest.mark.slow


async def test_its_lines_say_of_which_run_and_node_they_are_and_carry_no_secret(redis_url: str, namespace: str) -> None:
    plan, bus = pipe.compile(), RedisBus(redis_url, namespace=namespace)
    settings = {"bus_url": redis_url, "namespace": namespace, "log_format": "json", "log_redact": "customer"}
    async with coordinating(bus), connected(plan, bus, Framing()) as client:
        with service("headrace_worker", app=APP, group="far", **settings) as worker:
            trace_id, terminal = await client.ask(Number(7))
            assert client.result(trace_id, terminal) == Answer("7")
            seen = json.loads(await asyncio.to_thread(worker.wait_for_log, "seen there"))
            charging = json.loads(await asyncio.to_thread(worker.wait_for_log, "charging"))
    await bus.aclose()
    about = {"service": "worker", "trace_id": trace_id, "pipe": "elsewhere", "node": "work", "group": "far"}
    assert about.items() <= seen.items()
    assert about.items() <= charging.items()
    assert (seen["logger"], seen["level"]) == ("third.party", "warning")
    assert "sesame" not in str(charging)
    assert "ada" not in charging.values()
