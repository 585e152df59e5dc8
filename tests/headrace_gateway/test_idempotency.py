import asyncio

import httpx
import pytest
from tests.headrace_gateway.serving import PATH, serving
from tests.headrace_gateway.test_pipes import assert_problem

from headrace.bus.memory.bus import MemoryBus
from headrace.ledger.values import RunState
from headrace_gateway.limits import Limits

KEY = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


def trace_of(response: httpx.Response) -> str:
    return response.headers["x-trace-id"]


async def test_a_key_that_comes_again_gets_the_same_run_and_the_same_answer() -> None:
    async with serving() as http:
        first = await http.post(PATH, content=b'{"value":21}', headers=KEY)
        again = await http.post(PATH, content=b' {"value": 21}', headers=KEY)
        plain = await http.post(PATH, json={"value": 21})
    assert (first.status_code, first.content) == (again.status_code, again.content) == (200, b'{"text":"42"}')
    assert trace_of(first) == trace_of(again) != trace_of(plain)


async def test_a_key_means_the_same_with_and_without_quotes_and_whether_or_not_one_waits() -> None:
    bare = {"Idempotency-Key": KEY["Idempotency-Key"].strip('"')}
    async with serving() as http:
        accepted = await http.post(PATH, json={"value": 21}, headers={**KEY, "Prefer": "respond-async"})
        waited = await http.post(PATH, json={"value": 21}, headers=bare)
        again = await http.post(PATH, json={"value": 21}, headers={**KEY, "Prefer": "respond-async"})
    assert [accepted.status_code, waited.status_code, again.status_code] == [202, 200, 202]
    assert len({trace_of(response) for response in (accepted, waited, again)}) == 1


async def test_a_key_with_another_body_is_422_and_names_the_run_that_has_it() -> None:
    async with serving() as http:
        first = await http.post(PATH, json={"value": 21}, headers=KEY)
        other = await http.post(PATH, json={"value": 22}, headers=KEY)
    assert_problem(other, 422, "idempotency_key_reused")
    assert trace_of(other) == trace_of(first)


async def test_requests_of_one_key_wait_for_one_run_together() -> None:
    bus = MemoryBus()
    async with serving(bus, groups=("two",)) as http, asyncio.TaskGroup() as tasks:
        requests = [tasks.create_task(http.post(PATH, json={"value": 1}, headers=KEY)) for _ in range(5)]
        (delivery,) = await bus.read("numbers.one", "test", limit=10, wait_s=5)
        assert await bus.read("numbers.one", "test", limit=10, wait_s=0) == []
        assert delivery.entry.items
        for request in requests:
            request.cancel()


async def test_a_failed_run_answers_its_key_with_the_same_failure() -> None:
    async with serving() as http:
        answers = [await http.post(PATH, json={"value": -1}, headers=KEY) for _ in range(2)]
    for answer in answers:
        assert_problem(answer, 500, "run_failed")
    assert answers[0].json() == answers[1].json()


async def test_a_wait_that_ran_out_is_gone_on_with_by_the_key() -> None:
    async with serving(groups=(), limits=Limits(wait_s=0.02)) as http:
        first, again = [await http.post(PATH, json={"value": 1}, headers=KEY) for _ in range(2)]
        assert_problem(again, 504, "wait_timeout")
        assert trace_of(first) == trace_of(again)
        run = await http.get(f"/v1/runs/{trace_of(first)}")
    assert run.json()["state"] == RunState.OPEN


@pytest.mark.parametrize("key", ["", '""', " ", "a" * 256, "\x7f", 'a"' + "é"])
async def test_a_malformed_key_is_400(key: str) -> None:
    async with serving() as http:
        response = await http.post(PATH, json={"value": 1}, headers=[(b"idempotency-key", key.encode())])
    assert_problem(response, 400, "malformed_header")
