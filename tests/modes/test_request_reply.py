"""Request and reply, the same in every mode of running: RLOOP and ENG-CHILD, over real processes and HTTP."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec
import pytest
from tests.modes.app import Account, Ask, Do, pipe
from tests.modes.running import Mode, Running, running

from headrace import local
from headrace.testing.wait import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
PATH = "/v1/pipes/modes"
MANY = 50
MAX_WAITERS, MAX_RUNS = 60, 65
ANSWER_S = 45.0


@pytest.fixture(scope="module", params=list(Mode))
def deployment(request: pytest.FixtureRequest, redis_url: str) -> Iterator[Running]:
    limits = {"max_waiters": str(MAX_WAITERS), "max_runs": str(MAX_RUNS)}
    with running(request.param, redis_url, f"test-{uuid4().hex[:12]}", **limits) as started:
        yield started


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


def http_of(deployment: Running) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=deployment.url, timeout=ANSWER_S)


def open_gate(gate: Path) -> None:
    gate.touch()


def is_entered(gate: Path) -> bool:
    return Path(f"{gate}.entered").exists()


async def test_rloop_05_every_one_of_many_callers_gets_its_own_answer(deployment: Running) -> None:
    async with http_of(deployment) as http:
        answers = await asyncio.gather(*(http.post(PATH, json={"text": str(number)}) for number in range(MANY)))
    assert [(answer.status_code, answer.json()["text"]) for answer in answers] == [
        (200, str(number)) for number in range(MANY)
    ]
    assert len({answer.headers["x-trace-id"] for answer in answers}) == MANY


async def test_rloop_05_a_run_without_a_result_and_one_that_fails_are_answered_at_once(deployment: Running) -> None:
    async with http_of(deployment) as http:
        dropped = await http.post(PATH, json={"text": "", "do": "drop"})
        failed = await http.post(PATH, json={"text": "", "do": "fail"})
        invalid = await http.post(PATH, json={"text": 7})
    assert (dropped.status_code, dropped.content) == (204, b"")
    assert (failed.status_code, failed.json()["failure"]["error"]) == (500, "ValueError")
    assert "secret" not in failed.text
    assert (invalid.status_code, invalid.json()["code"]) == (422, "invalid_message")


async def test_a_developer_sees_the_text_of_an_exception_where_dev_is_told_to_show_it() -> None:
    with running(Mode.A_DEV, "", "", shows_detail="true") as shown:
        async with http_of(shown) as http:
            failed = await http.post(PATH, json={"text": "", "do": "fail"})
    assert "secret" in failed.json()["failure"]["detail"]


async def test_rloop_05_an_asynchronous_caller_finds_the_answer_by_trace_id(deployment: Running) -> None:
    async with http_of(deployment) as http:
        accepted = await http.post(PATH, json={"text": "later"}, headers={"Prefer": "respond-async"})
        run = (await http.get(accepted.headers["location"], params={"wait": ANSWER_S})).json()
    assert accepted.status_code == 202
    assert (run["state"], run["result"]["text"]) == ("completed", "later")


async def test_rloop_03_a_wait_that_runs_out_is_answered_the_same_and_the_run_goes_on(
    deployment: Running, gate: Path
) -> None:
    async with http_of(deployment) as http:
        ask = {"text": "slow", "do": "wait", "path": str(gate)}
        expired = await http.post(PATH, json=ask, headers={"Prefer": "wait=1"})
        assert (expired.status_code, expired.json()["state"]) == (202, "open")
        await wait_until(lambda: is_entered(gate), timeout_s=ANSWER_S, description="the node waits")
        open_gate(gate)
        run = (await http.get(expired.headers["location"], params={"wait": ANSWER_S})).json()
        await wait_until(lambda: waiters_are(http, 0), timeout_s=ANSWER_S, description="nobody waits any more")
    assert (run["state"], run["result"]["text"]) == ("completed", "slow")


async def test_rloop_03_a_deadline_that_passes_is_answered_the_same(deployment: Running, gate: Path) -> None:
    async with http_of(deployment) as http:
        ask = {"text": "late", "do": "wait", "path": str(gate)}
        answer = await http.post(PATH, json=ask, headers={"X-Request-Timeout": "0.5"})
        open_gate(gate)
        run = (await http.get(f"/v1/runs/{answer.json()['trace_id']}")).json()
    assert (answer.status_code, answer.json()["code"], run["state"]) == (504, "run_expired", "expired")


async def test_rloop_05_a_run_that_is_cancelled_answers_its_caller(deployment: Running, gate: Path) -> None:
    async with http_of(deployment) as http, asyncio.TaskGroup() as tasks:
        ask = {"text": "never", "do": "wait", "path": str(gate)}
        accepted = await http.post(PATH, json=ask, headers={"Prefer": "respond-async"})
        await wait_until(lambda: is_entered(gate), timeout_s=ANSWER_S, description="the node waits")
        waiting = tasks.create_task(http.get(accepted.headers["location"], params={"wait": ANSWER_S}))
        assert (await http.delete(accepted.headers["location"])).status_code == 204
        assert (await waiting).json()["state"] == "cancelled"


async def test_rloop_01_a_node_that_blocks_its_thread_keeps_no_request_from_being_taken(
    deployment: Running, gate: Path
) -> None:
    async with http_of(deployment) as http, asyncio.TaskGroup() as tasks:
        blocking = tasks.create_task(http.post(PATH, json={"text": "b", "do": "block", "path": str(gate)}))
        await wait_until(lambda: is_entered(gate), timeout_s=ANSWER_S, description="the node blocks")
        alive = await http.get("/livez")
        taken = await http.post(PATH, json={"text": "taken"}, headers={"Prefer": "respond-async"})
        assert not blocking.done()
        open_gate(gate)
        assert (await blocking).json()["text"] == "b"
        run = (await http.get(taken.headers["location"], params={"wait": ANSWER_S})).json()
    assert (alive.status_code, taken.status_code, run["result"]["text"]) == (200, 202, "taken")


async def test_rloop_04_over_its_waiters_a_gateway_answers_429_and_keeps_none(deployment: Running, gate: Path) -> None:
    ask = {"text": "slow", "do": "wait", "path": str(gate)}
    async with http_of(deployment) as http, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(http.post(PATH, json=ask)) for _ in range(MAX_WAITERS)]
        await wait_until(lambda: waiters_are(http, MAX_WAITERS), timeout_s=ANSWER_S, description="all of them wait")
        refused = await http.post(PATH, json=ask)
        open_gate(gate)
        assert {(await each).status_code for each in waiting} == {200}
        await wait_until(lambda: waiters_are(http, 0), timeout_s=ANSWER_S, description="nobody waits any more")
        assert (await http.post(PATH, json=ask)).status_code == 200
    assert (refused.status_code, refused.json()["limit"]) == (429, "max_waiters")
    assert int(refused.headers["retry-after"]) >= 1


async def test_rloop_04_over_its_runs_a_gateway_answers_503_and_loses_none(deployment: Running, gate: Path) -> None:
    ask, later = {"text": "slow", "do": "wait", "path": str(gate)}, {"Prefer": "respond-async"}
    async with http_of(deployment) as http:
        accepted = [await http.post(PATH, json=ask, headers=later) for _ in range(MAX_RUNS)]
        refused = await http.post(PATH, json=ask, headers=later)
        open_gate(gate)
        runs = [(await http.get(each.headers["location"], params={"wait": ANSWER_S})).json() for each in accepted]
        assert (await http.post(PATH, json=ask)).status_code == 200
    assert (refused.status_code, refused.json()["limit"]) == (503, "max_runs")
    assert int(refused.headers["retry-after"]) >= 1
    assert [run["state"] for run in runs] == ["completed"] * MAX_RUNS


async def waiters_are(http: httpx.AsyncClient, count: int) -> bool:
    metrics = (await http.get("/metrics")).text
    return f"\nheadrace_gateway_waiters {count:.1f}\n" in metrics


@pytest.mark.parametrize("mode", Mode)
async def test_rloop_02_a_stop_answers_what_is_in_flight(
    mode: Mode, redis_url: str, namespace: str, gate: Path
) -> None:
    with running(mode, redis_url, namespace) as deployment:
        async with http_of(deployment) as http, asyncio.TaskGroup() as tasks:
            asks = [{"text": str(number), "do": "wait", "path": str(gate)} for number in range(20)]
            asked = [tasks.create_task(http.post(PATH, json=ask)) for ask in asks]
            await wait_until(lambda: is_entered(gate), timeout_s=ANSWER_S, description="the nodes wait")
            stopping = tasks.create_task(asyncio.to_thread(deployment.stop))
            await wait_until(lambda: '"stopping"' in deployment.log, timeout_s=ANSWER_S, description="it stops")
            open_gate(gate)
            codes = await stopping
        answers = [request.result() for request in asked]
        assert [(answer.status_code, answer.json()["text"]) for answer in answers] == [
            (200, str(number)) for number in range(20)
        ]
        assert set(codes) == {0}, deployment.log


async def test_eng_child_01_a_node_sees_the_same_in_a_child_as_in_its_parent(deployment: Running) -> None:
    """Context, injected instances by scope, and what an observer hears of the run in its group."""
    async with local(pipe.compile()) as client, http_of(deployment) as http:
        expected: Account = await client.run(Ask("look", Do.LOOK))
        answer = await http.post(PATH, json={"text": "look", "do": "look"})
    assert msgspec.convert(answer.json(), Account) == expected
    assert expected == Account(
        first=("modes", "first_look", "second", 1, False, True),
        second=("modes", "account", "second", 1, False, True),
        is_same_process=True,
        is_same_for_process=True,
        is_same_for_run=True,
        is_same_for_call=False,
        heard=["NodeStarted first_look", "Emitted first_look", "NodeEnded first_look", "NodeStarted account"],
    )
