import asyncio

import httpx
import msgspec
import pytest
from tests.headrace_gateway.serving import PATH, in_parts, serving

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.redis.bus import RedisBus
from headrace.errors import Failure, FailureKind, FailureSource
from headrace.ledger.terminal import cancelled, completed, ended
from headrace.ledger.values import Commit, RunState, Settled, Terminal
from headrace.wire.envelope import Framing
from headrace.wire.trace import is_trace_id
from headrace_gateway.limits import Limits

EXPIRED = ended(RunState.EXPIRED, Failure(FailureKind.DEADLINE, FailureSource.USER_CODE))
OVERLOADED = ended(RunState.FAILED, Failure(FailureKind.OVERLOAD, FailureSource.PLATFORM))
CRASHED = ended(RunState.FAILED, Failure(FailureKind.WORKER_CRASH, FailureSource.PLATFORM))
SHORT = Limits(wait_s=0.02)


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    body = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert set(body) - {"trace_id", "failure", "limit", "limit_value"} == {"type", "title", "status", "detail", "code"}
    assert body.get("trace_id") == response.headers.get("x-trace-id")


async def test_a_request_is_answered_with_the_result() -> None:
    async with serving() as http:
        response = await http.post(PATH, json={"value": 21})
    assert (response.status_code, response.content) == (200, b'{"text":"42"}')
    assert response.headers["content-type"] == "application/json"
    assert is_trace_id(response.headers["x-trace-id"])


async def test_a_run_that_completes_without_a_result_is_204() -> None:
    async with serving() as http:
        response = await http.post(PATH, json={"value": 0})
    assert (response.status_code, response.content) == (204, b"")
    assert is_trace_id(response.headers["x-trace-id"])


async def test_a_body_that_is_no_json_is_400() -> None:
    async with serving() as http:
        for body in (b"", b'{"value"', b"\xff"):
            assert_problem(await http.post(PATH, content=body), 400, "malformed_json")


async def test_a_message_that_does_not_fit_is_422_and_says_where() -> None:
    async with serving() as http:
        response = await http.post(PATH, json={"value": "secret"})
    assert_problem(response, 422, "invalid_message")
    assert response.json()["detail"] == "invalid message for type 'Number': Expected `int`, got `str` - at `$.value`"


async def test_an_unknown_pipe_is_404() -> None:
    async with serving() as http:
        assert_problem(await http.post("/v1/pipes/numbrs", json={}), 404, "unknown_pipe")


async def test_a_body_over_the_limit_is_413_however_it_is_sent() -> None:
    async with serving(limits=Limits(max_body_bytes=8)) as http:
        assert_problem(await http.post(PATH, content=b"123456789"), 413, "body_too_large")
        assert_problem(await http.post(PATH, content=in_parts(b"12345", b"6789", b"0")), 413, "body_too_large")


async def test_a_failed_run_is_500_without_the_text_of_its_exception() -> None:
    async with serving() as http:
        response = await http.post(PATH, json={"value": -1})
    assert_problem(response, 500, "run_failed")
    assert response.json()["failure"] == {
        "kind": "step",
        "source": "user_code",
        "node": "double",
        "group": "one",
        "error": "ValueError",
    }
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("terminal", "status", "code"),
    [
        (cancelled(), 409, "run_cancelled"),
        (EXPIRED, 504, "run_expired"),
        (OVERLOADED, 503, "run_failed"),
        (CRASHED, 502, "run_failed"),
    ],
)
async def test_how_a_run_ended_decides_the_status(terminal: Terminal, status: int, code: str) -> None:
    bus = MemoryBus()
    async with serving(bus, groups=("two",)) as http, asyncio.TaskGroup() as tasks:
        request = tasks.create_task(http.post(PATH, json={"value": 1}))
        [delivery] = await bus.read("numbers.one", "test", limit=1, wait_s=5)
        await bus.end(Framing().open(delivery.entry.items[0].frames[0]).trace_id, terminal)
        response = await request
    assert_problem(response, status, code)
    assert ("retry-after" in response.headers) == (status == 503)


@pytest.mark.parametrize(("type_name", "body"), [("Answer", {"text": 42}), ("Reply", {"text": "42"})])
async def test_a_result_that_does_not_fit_the_plan_is_502_wherever_it_is_asked_for(
    type_name: str, body: dict[str, object]
) -> None:
    bus = MemoryBus()
    async with serving(bus, groups=()) as http, asyncio.TaskGroup() as tasks:
        request = tasks.create_task(http.post(PATH, json={"value": 1}))
        [delivery] = await bus.read("numbers.one", "test", limit=1, wait_s=5)
        trace_id = Framing().open(delivery.entry.items[0].frames[0]).trace_id
        of_another_version = completed(type_name, msgspec.msgpack.encode(body))
        await bus.commit("numbers.one", [Commit(0, delivery.id, (Settled(trace_id, terminal=of_another_version),))])
        for response in (await request, await http.get(f"/v1/runs/{trace_id}")):
            assert_problem(response, 502, "result_unreadable")
            assert response.json()["trace_id"] == trace_id


async def test_a_wait_that_runs_out_is_504_and_names_the_run() -> None:
    async with serving(groups=(), limits=SHORT) as http:
        response = await http.post(PATH, json={"value": 1})
        assert_problem(response, 504, "wait_timeout")
        run = await http.get(f"/v1/runs/{response.json()['trace_id']}")
    assert run.json()["state"] == "open"


@pytest.mark.parametrize("prefer", ["respond-async", "wait=0", "respond-async, wait=0"])
async def test_who_prefers_not_to_wait_gets_202_and_a_location(prefer: str) -> None:
    async with serving(groups=()) as http:
        response = await http.post(PATH, json={"value": 1}, headers={"Prefer": prefer})
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/runs/{response.headers['x-trace-id']}"
    assert response.json()["state"] == "open"


async def test_a_bounded_wait_that_runs_out_is_202() -> None:
    async with serving(groups=(), limits=Limits(max_wait_s=0.02)) as http:
        response = await http.post(PATH, json={"value": 1}, headers={"Prefer": "wait=60"})
    assert response.status_code == 202


async def test_a_bounded_wait_that_is_long_enough_is_200() -> None:
    async with serving() as http:
        response = await http.post(PATH, json={"value": 1}, headers={"Prefer": "respond-async, wait=20"})
    assert response.status_code == 200


async def test_deadline_and_trace_context_travel_on_the_envelope() -> None:
    bus, context = MemoryBus(), f"00-{'a' * 32}-{'b' * 16}-01"
    async with serving(bus, groups=()) as http:
        headers = {"Prefer": "respond-async", "X-Request-Timeout": "60", "traceparent": context}
        response = await http.post(PATH, json={"value": 1}, headers=headers)
        run = (await http.get(response.headers["location"])).json()
        [delivery] = await bus.read("numbers.one", "test", limit=1, wait_s=5)
    envelope = Framing().open(delivery.entry.items[0].frames[0])
    assert envelope.traceparent == context
    assert 59_000 <= envelope.deadline_ms - run["created_ms"] <= 61_000


@pytest.mark.parametrize("timeout", ["soon", "0", "-1", "nan", "inf", ""])
async def test_a_malformed_timeout_is_400(timeout: str) -> None:
    async with serving() as http:
        response = await http.post(PATH, json={"value": 1}, headers={"X-Request-Timeout": timeout})
    assert_problem(response, 400, "malformed_header")


async def test_a_bus_that_is_away_is_503_and_its_address_is_not_told() -> None:
    bus = RedisBus("redis://127.0.0.1:1")
    async with serving(bus) as http:
        response = await http.post(PATH, json={"value": 1})
        assert_problem(response, 503, "bus_unavailable")
        assert response.headers["retry-after"] == "1"
        assert "127.0.0.1" not in response.text
        assert_problem(await http.get("/readyz"), 503, "bus_unavailable")
        assert (await http.get("/livez")).status_code == 200, "a restart would not bring the bus back"
    await bus.aclose()
