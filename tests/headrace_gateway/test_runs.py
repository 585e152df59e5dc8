import asyncio

import pytest
from tests.headrace_gateway.serving import PATH, serving
from tests.headrace_worker.app import pipe

from headrace.bus.memory.bus import MemoryBus
from headrace.ledger.values import Emit, Submission

ASYNC = {"Prefer": "respond-async"}
UNKNOWN = "0" * 32


async def test_a_run_is_found_with_its_result() -> None:
    async with serving() as http:
        started = await http.post(PATH, json={"value": 21}, headers=ASYNC)
        response = await http.get(started.headers["location"], params={"wait": 20})
    body = response.json()
    assert body.pop("created_ms") > 0
    assert body == {
        "trace_id": started.headers["x-trace-id"],
        "pipe": "numbers",
        "plan": pipe.compile().version,
        "state": "completed",
        "result": {"text": "42"},
    }


async def test_a_run_without_a_result_has_null() -> None:
    async with serving() as http:
        started = await http.post(PATH, json={"value": 0}, headers=ASYNC)
        body = (await http.get(started.headers["location"], params={"wait": 20})).json()
    assert (body["state"], body["result"]) == ("completed", None)


async def test_a_failed_run_has_its_failure_and_no_text() -> None:
    async with serving() as http:
        started = await http.post(PATH, json={"value": -1}, headers=ASYNC)
        response = await http.get(started.headers["location"], params={"wait": 20})
    body = response.json()
    assert (response.status_code, body["state"], body["failure"]["kind"]) == (200, "failed", "step")
    assert "result" not in body
    assert "secret" not in response.text


async def test_a_run_that_is_still_open_when_the_wait_runs_out_is_open() -> None:
    async with serving(groups=()) as http:
        started = await http.post(PATH, json={"value": 1}, headers=ASYNC)
        response = await http.get(started.headers["location"], params={"wait": 0.02})
    assert (response.status_code, response.json()["state"]) == (200, "open")


@pytest.mark.parametrize("trace_id", [UNKNOWN, "x", "0" * 31 + "G"])
async def test_an_unknown_run_is_404(trace_id: str) -> None:
    async with serving() as http:
        response = await http.get(f"/v1/runs/{trace_id}", params={"wait": 1})
    assert (response.status_code, response.json()["code"]) == (404, "unknown_run")


async def test_a_run_of_a_pipe_that_is_not_served_is_404() -> None:
    bus = MemoryBus()
    await bus.submit([Submission(UNKNOWN, "other", "v1", (Emit("other.main", b"frame"),))])
    async with serving(bus) as http:
        assert (await http.get(f"/v1/runs/{UNKNOWN}")).status_code == 404


@pytest.mark.parametrize("wait", ["x", "-1", "inf", "nan"])
async def test_a_malformed_wait_is_400(wait: str) -> None:
    async with serving() as http:
        response = await http.get(f"/v1/runs/{UNKNOWN}", params={"wait": wait})
    assert (response.status_code, response.json()["code"]) == (400, "malformed_query")
    assert response.json()["detail"] == "malformed: wait"


async def test_a_run_under_way_is_cancelled() -> None:
    bus = MemoryBus()
    async with serving(bus) as http:
        started = await http.post(PATH, json={"value": 1, "pause_s": 600.0}, headers=ASYNC)
        run = started.headers["location"]
        cancelled = await http.delete(run)
        state = (await http.get(run)).json()["state"]
    assert (cancelled.status_code, cancelled.content, state) == (204, b"", "cancelled")
    assert cancelled.headers["x-trace-id"] == started.headers["x-trace-id"]
    assert await bus.backlog("numbers.two") == 0


async def test_whoever_waits_for_a_run_that_is_cancelled_is_told() -> None:
    async with serving(groups=()) as http, asyncio.TaskGroup() as tasks:
        started = await http.post(PATH, json={"value": 1}, headers=ASYNC)
        run = started.headers["location"]
        waiting = tasks.create_task(http.get(run, params={"wait": 20}))
        assert (await http.delete(run)).status_code == 204
    assert waiting.result().json()["state"] == "cancelled"


async def test_a_run_that_has_ended_cannot_be_cancelled() -> None:
    async with serving() as http:
        started = await http.post(PATH, json={"value": 1}, headers=ASYNC)
        run = started.headers["location"]
        await http.get(run, params={"wait": 20})
        response = await http.delete(run)
    assert (response.status_code, response.json()["code"]) == (409, "run_ended")
    assert response.json()["detail"] == "the run has ended before: it is completed"


@pytest.mark.parametrize("trace_id", [UNKNOWN, "x"])
async def test_an_unknown_run_cannot_be_cancelled(trace_id: str) -> None:
    async with serving() as http:
        response = await http.delete(f"/v1/runs/{trace_id}")
    assert (response.status_code, response.json()["code"]) == (404, "unknown_run")


async def test_a_run_of_a_pipe_that_is_not_served_is_not_cancelled() -> None:
    bus = MemoryBus()
    await bus.submit([Submission(UNKNOWN, "other", "v1", (Emit("other.main", b"frame"),))])
    async with serving(bus) as http:
        assert (await http.delete(f"/v1/runs/{UNKNOWN}")).status_code == 404
    assert (view := await bus.view(UNKNOWN)) is not None
    assert view.terminal is None
