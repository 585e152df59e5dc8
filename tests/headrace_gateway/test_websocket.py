"""Many runs over one WebSocket, on a real socket, in the memory profile and on Redis."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.headrace_gateway.talking import PATH, gateway
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import RedisBus
from headrace.testing.wait import wait_until
from headrace_gateway.limits import Limits


@pytest.fixture(params=["memory", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncGenerator[Bus]:
    if request.param == "memory":
        bus: Bus = MemoryBus()
    else:
        url, namespace = request.getfixturevalue("redis_url"), request.getfixturevalue("namespace")
        bus = RedisBus(url, namespace=namespace)
    yield bus
    await bus.aclose()


class Line:
    """A connection that speaks JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def say(self, **message: object) -> None:
        await self._connection.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            heard: dict[str, Any] = json.loads(await self._connection.recv())
        return heard

    async def hear_until(self, kind: str, times: int = 1) -> list[dict[str, Any]]:
        heard: list[dict[str, Any]] = []
        while sum(one["type"] == kind for one in heard) < times:
            heard.append(await self.hear())
        return heard


@asynccontextmanager
async def line(url: str) -> AsyncIterator[Line]:
    async with connect(f"ws{url.removeprefix('http')}{PATH}/ws") as connection:
        yield Line(connection)


async def test_many_runs_share_a_connection_and_answers_name_their_requests(bus: Bus) -> None:
    async with gateway(bus) as url, line(url) as on:
        for number in range(20):
            await on.say(id=str(number), message={"words": number})
        heard = await on.hear_until("result", times=20)
    results = {one["id"]: one["result"]["words"] for one in heard if one["type"] == "result"}
    assert results == {str(number): number for number in range(20)}
    accepted = {one["id"]: one["trace_id"] for one in heard if one["type"] == "accepted"}
    assert accepted == {one["id"]: one["trace_id"] for one in heard if one["type"] == "result"}


async def test_a_request_may_have_its_events_too(bus: Bus) -> None:
    async with gateway(bus) as url, line(url) as on:
        await on.say(id="a", message={"words": 2}, events=True)
        heard = await on.hear_until("result")
    kinds = [one["event"]["kind"] for one in heard if one["type"] == "event"]
    assert kinds == ["node_started", "emitted", "emitted", "node_ended", "completed"]
    assert heard[-1]["result"] == {"words": 2}


async def test_a_cancel_ends_the_run_of_its_id_and_that_run_alone(bus: Bus, tmp_path: Path) -> None:
    goes_on = tmp_path / "go"
    waiting = {"words": 1, "pause_at": 0, "goes_on": str(goes_on)}
    async with gateway(bus) as url, line(url) as on:
        await on.say(id="a", message=waiting)
        await on.say(id="b", message=waiting)
        await on.hear_until("accepted", times=2)
        await on.say(id="a", cancel=True)
        cancelled = await on.hear()
        goes_on.touch()
        result = await on.hear()
        await on.say(id="b", cancel=True)
        too_late = await on.hear()
    assert (cancelled["id"], cancelled["problem"]["code"]) == ("a", "run_cancelled")
    assert (result["id"], result["type"]) == ("b", "result")
    assert (too_late["id"], too_late["problem"]["code"]) == ("b", "malformed_message")


async def test_what_cannot_be_run_is_a_problem_of_its_own_request() -> None:
    async with gateway() as url, line(url) as on:
        await on.say(id="a", message={"words": "x"})
        await on.say(id="b", message={"words": 0, "fails": 9})
        await on.say(id="c")
        await on.say(id="d", message={}, unknown=1)
        heard = [await on.hear() for _ in range(5)]
        await on.say(id="e", message={})
        assert (await on.hear_until("result"))[-1]["id"] == "e"
    problems = {one["id"]: one["problem"] for one in heard if one["type"] == "problem"}
    assert {id_: problem["code"] for id_, problem in problems.items()} == {
        "a": "invalid_message",
        "b": "run_failed",
        "c": "malformed_message",
        "": "malformed_message",
    }
    assert problems["b"]["failure"]["kind"] == "step"
    assert problems["b"]["trace_id"] == next(one["trace_id"] for one in heard if one["type"] == "accepted")


async def test_what_is_outstanding_is_bounded_and_the_limit_named(tmp_path: Path) -> None:
    goes_on = tmp_path / "go"
    async with gateway(limits=Limits(max_outstanding=2)) as url, line(url) as on:
        for id_ in "abc":
            await on.say(id=id_, message={"words": 1, "pause_at": 0, "goes_on": str(goes_on)})
        refused = (await on.hear_until("problem"))[-1]
        await on.say(id="a", message={})
        again = (await on.hear_until("problem"))[-1]
        goes_on.touch()
        await on.hear_until("result", times=2)
    assert refused["id"] == "c"
    assert (refused["problem"]["status"], refused["problem"]["limit"]) == (429, "max_outstanding")
    assert (again["id"], again["problem"]["code"]) == ("a", "malformed_message")


async def test_a_wait_that_runs_out_is_a_problem_and_the_run_goes_on(tmp_path: Path) -> None:
    goes_on = tmp_path / "go"
    message = {"words": 1, "pause_at": 0, "goes_on": str(goes_on)}
    async with gateway() as url, line(url) as on, httpx.AsyncClient(base_url=url) as http:
        await on.say(id="a", message=message, wait_s=0.05)
        await on.say(id="b", message=message, wait_s=0.05, events=True)
        problems = [one["problem"] for one in await on.hear_until("problem", times=2) if one["type"] == "problem"]
        goes_on.touch()
        for problem in problems:
            assert (problem["status"], problem["code"]) == (504, "wait_timeout")
            assert (await http.get(f"/v1/runs/{problem['trace_id']}?wait=10")).json()["state"] == "completed"


async def test_an_idempotency_key_names_the_same_run_on_any_connection(bus: Bus) -> None:
    async with gateway(bus) as url, line(url) as one, line(url) as other:
        await one.say(id="a", message={"words": 1}, idempotency_key="k")
        first = (await one.hear_until("result"))[-1]
        await other.say(id="b", message={"words": 1}, idempotency_key="k")
        second = (await other.hear_until("result"))[-1]
        await other.say(id="c", message={"words": 2}, idempotency_key="k")
        third = (await other.hear_until("problem"))[-1]
    assert first["trace_id"] == second["trace_id"]
    assert third["problem"]["code"] == "idempotency_key_reused"


async def test_a_client_that_goes_away_leaves_no_wait_behind(bus: Bus, tmp_path: Path) -> None:
    goes_on = tmp_path / "go"
    async with gateway(bus) as url, httpx.AsyncClient(base_url=url) as http:
        async with line(url) as on:
            for id_ in "ab":
                message = {"words": 1, "pause_at": 0, "goes_on": str(goes_on)}
                await on.say(id=id_, message=message, events=id_ == "b")
            traces = [one["trace_id"] for one in await on.hear_until("accepted", times=2) if one["type"] == "accepted"]
        await wait_until(lambda: is_idle(http), description="nothing is left")
        await wait_until(lambda: is_unwatched(bus, traces), description="nor on the bus")
        goes_on.touch()
        for trace in traces:
            assert (await http.get(f"/v1/runs/{trace}?wait=10")).json()["state"] == "completed"


async def test_an_unknown_pipe_has_no_socket() -> None:
    async with gateway() as url:
        with pytest.raises(InvalidStatus):
            await connect(f"ws{url.removeprefix('http')}/v1/pipes/other/ws")


async def is_unwatched(bus: Bus, traces: list[str]) -> bool:
    return await bus.waiters(traces) == [(), ()]


async def is_idle(http: httpx.AsyncClient) -> bool:
    text = (await http.get("/metrics")).text
    endpoint = f'headrace_gateway_requests_under_way{{endpoint="{PATH}/ws"}}'
    return all(
        f"\n{name} 0.0\n" in text for name in ("headrace_gateway_waiters", "headrace_gateway_followers", endpoint)
    )
