"""The reply service as a process: those who wait while it is away are answered when it is back."""

import signal

import pytest
from tests.headrace_worker.app import Answer, Number, pipe
from tests.headrace_worker.service_process import service

from headrace.bus.redis.bus import RedisBus
from headrace.runtime.compose import connected, consuming
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing
from headrace_reply.main import main


def test_check_connects_to_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--bus-url", "redis://127.0.0.1:1", "--check"]) == 0
    assert capfd.readouterr().out == ""


@pytest.mark.slow
async def test_requests_that_wait_are_answered_after_the_reply_service_is_started_again(
    redis_url: str, namespace: str
) -> None:
    plan, bus = pipe.compile(), RedisBus(redis_url, namespace=namespace)

    async def all_ended() -> bool:
        views = [await client.view(trace_id) for trace_id, _ in runs]
        return all(view is not None and view.terminal is not None for view in views)

    async with (
        consuming(plan, bus, Framing(), ("one", "two")),
        connected(plan, bus, Framing()) as client,
        connected(plan, bus, Framing()) as earlier,
    ):
        with service("headrace_reply", bus_url=redis_url, namespace=namespace) as reply:
            assert await earlier.run(Number(1)) == Answer("2")
            reply.signal(signal.SIGTERM)
            assert reply.ended() == 0
        runs = await client.ask_all([Number(value) for value in range(1, 51)])
        await wait_until(all_ended, description="every run has ended")
        assert not all(future.done() for _, future in runs), "no worker had learned this client's inbox"
        with service("headrace_reply", bus_url=redis_url, namespace=namespace):
            answers = [client.result(trace_id, await future) for trace_id, future in runs]
    assert answers == [Answer(str(2 * value)) for value in range(1, 51)]
    await bus.aclose()
