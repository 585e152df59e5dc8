"""RLOOP-03 and RLOOP-04: waits that run out, and limits that are reached, leave nothing behind."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from http import HTTPStatus

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.headrace_gateway.serving import PATH, in_parts, serving
from tests.headrace_gateway.test_pipes import assert_problem
from tests.headrace_worker.app import Answer
from tests.headrace_worker.app import pipe as numbers

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import RedisBus
from headrace.ledger.terminal import completed
from headrace.ledger.values import Commit, Settled, Terminal
from headrace.runtime.compose import coordinating
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing
from headrace_gateway.limits import Limits

ASYNC = {"Prefer": "respond-async"}
ANSWER = completed("Answer", numbers.compile().codecs["Answer"].encode(Answer("42")))


async def counted(http: httpx.AsyncClient) -> dict[str, float]:
    """What `/metrics` says, each sample by its name and its label's value."""
    families = text_string_to_metric_families((await http.get("/metrics")).text)
    return {
        " ".join((sample.name.removeprefix("headrace_gateway_"), *sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


async def answer_all(bus: Bus, terminal: Terminal = ANSWER) -> int:
    """End every run that waits for a worker; gives how many."""
    deliveries = await bus.read("numbers.one", "test", limit=1000, wait_s=0)
    for delivery in deliveries:
        trace_id = Framing().open(delivery.entry.items[0].frames[0]).trace_id
        await bus.commit("numbers.one", [Commit(0, delivery.id, (Settled(trace_id, terminal=terminal),))])
    return len(deliveries)


async def test_rloop_03_a_wait_that_runs_out_is_told_alike_each_time_and_leaves_no_waiter() -> None:
    bus = MemoryBus()
    async with serving(bus, groups=(), limits=Limits(wait_s=0.02)) as http:
        for _ in range(3):
            response = await http.post(PATH, json={"value": 1})
            assert_problem(response, 504, "wait_timeout")
            trace_id = response.headers["x-trace-id"]
            assert response.json()["detail"] == f"no answer within 0.02 s; the run goes on as trace_id '{trace_id}'"
            assert await bus.waiters([trace_id]) == [()]
        counts = await counted(http)
    assert (counts["waiters"], counts["waits_total timed_out"]) == (0, 3)
    assert counts[f"requests_under_way {PATH}"] == 0


async def test_requests_over_the_limit_of_an_endpoint_are_429_and_nothing_of_them_was_done() -> None:
    bus = MemoryBus()
    async with serving(bus, groups=("two",), limits=Limits(max_waiters=2)) as http, asyncio.TaskGroup() as tasks:
        held = [tasks.create_task(http.post(PATH, json={"value": 1})) for _ in range(2)]
        await wait_until(lambda: backlog_is(bus, 2), description="two runs wait for a worker")
        refused = await http.post(PATH, json={"value": 1})
        assert_problem(refused, 429, "too_many_requests")
        assert (refused.json()["limit"], refused.json()["limit_value"]) == ("max_waiters", 2)
        assert refused.headers["retry-after"] == "1"
        assert await bus.backlog("numbers.one") == 2
        other = await http.get(f"/v1/runs/{'0' * 32}")
        assert other.status_code == 404, "another endpoint has slots of its own"
        assert await answer_all(bus) == 2
    assert [request.result().status_code for request in held] == [200, 200]


async def test_runs_over_the_limit_of_a_pipe_are_503_on_every_replica_until_one_has_ended() -> None:
    bus = MemoryBus()
    few = Limits(max_runs=2)
    async with serving(bus, groups=(), limits=few) as one, serving(bus, groups=(), limits=few) as other:
        accepted = [await http.post(PATH, json={"value": 1}, headers=ASYNC) for http in (one, other)]
        refused = [await http.post(PATH, json={"value": 1}) for http in (one, other)]
        assert [response.status_code for response in accepted] == [202, 202]
        for response in refused:
            assert_problem(response, 503, "too_many_runs")
            assert (response.json()["limit"], response.json()["limit_value"]) == ("max_runs", 2)
            assert response.headers["retry-after"] == "1"
        assert await bus.backlog("numbers.one") == 2
        assert (await one.delete(accepted[0].headers["location"])).status_code == 204
        assert (await other.post(PATH, json={"value": 1}, headers=ASYNC)).status_code == 202
        assert (await counted(one))["refused_total max_runs"] == 1


async def test_a_key_whose_run_is_there_is_answered_though_no_more_runs_are_taken() -> None:
    async with serving(groups=(), limits=Limits(max_runs=1)) as http:
        again = [await http.post(PATH, json={"value": 1}, headers={**ASYNC, "Idempotency-Key": "1"}) for _ in range(2)]
        refused = await http.post(PATH, json={"value": 1}, headers={**ASYNC, "Idempotency-Key": "2"})
    assert [response.status_code for response in again] == [202, 202]
    assert_problem(refused, 503, "too_many_runs")


async def test_a_client_that_asks_too_often_is_429_and_told_when_to_come_again() -> None:
    async with serving(limits=Limits(client_rate=0.1, client_burst=2)) as http:
        answers = [await http.post(PATH, json={"value": 1}) for _ in range(3)]
        assert (await http.get("/livez")).status_code == 200
    assert [response.status_code for response in answers] == [200, 200, 429]
    assert_problem(answers[2], 429, "too_many_requests")
    assert (answers[2].json()["limit"], answers[2].json()["limit_value"]) == ("client_rate", 0.1)
    assert answers[2].headers["retry-after"] == "10"


async def test_a_body_that_does_not_come_is_408_and_gives_its_slot_back() -> None:
    never = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"value"'
        await never.wait()

    async with serving(limits=Limits(max_waiters=1, body_timeout_s=0.02)) as http:
        response = await http.post(PATH, content=slow())
        assert_problem(response, 408, "body_timeout")
        assert response.headers["connection"] == "close"
        assert (await http.post(PATH, content=in_parts(b'{"value"', b":21}"))).status_code == 200


async def test_rloop_04_overload_is_429_and_503_loses_nothing_and_leaves_no_waiter() -> None:
    await overload(MemoryBus())


@pytest.mark.slow
async def test_rloop_04_overload_on_redis_is_the_same(redis_url: str, namespace: str) -> None:
    bus = RedisBus(redis_url, namespace=namespace)
    async with coordinating(bus):
        await overload(bus)
    await bus.aclose()


async def overload(bus: Bus) -> None:
    """Ask two replicas by far more than both limits allow, again and again, while runs end now and then."""
    limits, asked = Limits(max_waiters=20, max_runs=30), 200
    statuses: Counter[int] = Counter()
    traces: set[str] = set()
    turns = [asyncio.Event()]  # who was refused comes again when some runs have ended

    async def ask(http: httpx.AsyncClient) -> None:
        """Ask until there is an answer, and note what came before."""
        while True:
            response = await http.post(PATH, json={"value": 21})
            statuses[response.status_code] += 1
            if response.status_code == HTTPStatus.OK:
                traces.add(response.headers["x-trace-id"])
                return
            assert int(response.headers["retry-after"]) >= 1
            await turns[-1].wait()

    async with serving(bus, groups=(), limits=limits) as one, serving(bus, groups=("two",), limits=limits) as other:
        async with asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(ask(http)) for http in (one, other) for _ in range(asked // 2)]
            ended = 0
            while ended < asked:
                ended += await answer_all(bus)
                turns.append(asyncio.Event())
                turns[-2].set()
                await asyncio.wait(asking, timeout=0.01)
        counts = [await counted(http) for http in (one, other)]
        load = await bus.load("numbers")
    assert set(statuses) == {HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    assert (load.started, load.ended) == (asked, asked), "each was accepted once, and answered"
    assert len(traces) == asked == statuses[HTTPStatus.OK]
    assert sum(count["refused_total max_waiters"] for count in counts) == statuses[HTTPStatus.TOO_MANY_REQUESTS]
    assert sum(count["refused_total max_runs"] for count in counts) == statuses[HTTPStatus.SERVICE_UNAVAILABLE]
    assert [(count["waiters"], count[f"requests_under_way {PATH}"]) for count in counts] == [(0, 0), (0, 0)]
    assert await bus.waiters(sorted(traces)) == [()] * asked


async def backlog_is(bus: MemoryBus, count: int) -> bool:
    return await bus.backlog("numbers.one") == count


async def test_requests_are_measured_from_end_to_end_by_their_status() -> None:
    async with serving(MemoryBus(), limits=Limits(max_runs=7)) as http:
        assert (await http.post(PATH, json={"value": 1})).status_code == 200
        assert (await http.post(PATH, content=b"{")).status_code == 400
        counts = await counted(http)
    assert (counts[f"request_seconds_count {PATH} 200"], counts[f"request_seconds_count {PATH} 400"]) == (1, 1)
    assert (counts["open_runs numbers"], counts["max_runs numbers"]) == (0, 7)
