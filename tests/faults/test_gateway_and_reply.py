"""Faults of those who answer: the gateway with callers waiting, the reply service, an answer before its waiter."""

import asyncio
import json
import signal
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from tests.faults.app import Ask, Do
from tests.faults.crashing import Point
from tests.faults.deployment import MANY, Deployment, answers, asks, counted, killed
from tests.support.services import Service

from headrace.testing.wait import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
CALLERS = 20


async def test_a_gateway_killed_with_callers_waiting_leaves_their_answers_to_any_other(
    deployed: Deployment, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    struck, other = await asyncio.gather(deployed.gateway(), deployed.gateway())
    async with deployed.client("first", "second", "third", with_reply=True), httpx.AsyncClient(timeout=30) as http:
        traces = [await started(http, struck, ask) for ask in asks(CALLERS, do=Do.WAIT, path=gate)]
        waiting = [asyncio.create_task(http.get(run_url(struck, trace), params={"wait": 30})) for trace in traces]
        await wait_until(lambda: waits_for(deployed, CALLERS), description="the gateway waits for every run")
        struck.kill()
        cut_off = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(each, httpx.TransportError) for each in cut_off)
        gate.touch()
        told = [await http.get(run_url(other, trace), params={"wait": 30}) for trace in traces]
        assert [each.json()["result"] for each in told] == [
            {"text": answer.text, "number": answer.number} for answer in counted(CALLERS)
        ]
    await deployed.assert_settled(CALLERS)


async def test_a_reply_service_stopped_with_callers_waiting_answers_each_when_it_is_back(deployed: Deployment) -> None:
    """But for those that the worker tells at once, since it has learned their inbox by then."""
    coordinator = await deployed.reply()
    coordinator.kill()
    async with deployed.client("first", "second", "third") as client:
        asked = await client.ask_all(asks())
        await wait_until(lambda: has_ended(deployed, MANY), description="all runs have ended")
        assert not all(future.done() for _, future in asked)
        await deployed.reply()
        assert await answers(client, asked) == counted()
    await deployed.assert_settled(len(asked))


async def test_a_reply_service_killed_before_it_delivers_loses_no_answer(deployed: Deployment) -> None:
    await crash_and_replace(deployed, Point.BEFORE_DELIVER)


async def test_a_reply_service_killed_after_it_delivered_tells_nobody_twice(deployed: Deployment) -> None:
    await crash_and_replace(deployed, Point.AFTER_DELIVER)


async def crash_and_replace(deployed: Deployment, at: Point) -> None:
    """Have the reply service killed at a point, and start another; count what came into the caller's inbox."""
    victim = deployed.crashing_reply(at)
    async with deployed.client("first", "second", "third") as client:
        asked = await client.ask_all(asks())
        assert await killed(victim)
        await deployed.reply()
        assert await answers(client, asked) == counted()
        assert await deployed.told() == len(asked)
    await deployed.assert_settled(len(asked))


async def test_a_reply_service_paused_past_its_lease_tells_nobody_twice(deployed: Deployment) -> None:
    paused = await deployed.reply()
    async with deployed.client("first", "second", "third") as client:
        paused.signal(signal.SIGSTOP)
        asked = await client.ask_all(asks())
        await wait_until(lambda: has_ended(deployed, MANY), description="all runs have ended")
        await deployed.reply()
        assert await answers(client, asked) == counted()
        paused.signal(signal.SIGCONT)
        assert await asyncio.to_thread(paused.terminate) == 0
        assert await deployed.told() == len(asked)
    await deployed.assert_settled(len(asked))


async def test_an_answer_that_comes_before_its_waiter_is_given_to_it(deployed: Deployment) -> None:
    async with deployed.client("first", "second", "third", with_reply=True) as client:
        (ask,) = asks(1)
        trace = await client.submit(ask)
        await wait_until(lambda: is_dealt_with(deployed, 1), description="its event has found nobody and is gone")
        assert [client.result(trace, await client.wait(trace, 10))] == counted(1)
    await deployed.assert_settled(1)


async def test_an_answer_that_is_on_its_way_when_its_waiter_comes_is_given_once(deployed: Deployment) -> None:
    async with deployed.client("first", "second", "third") as client:
        (ask,) = asks(1)
        trace = await client.submit(ask)
        await wait_until(lambda: has_ended(deployed, 1), description="its event is on its way")
        assert [client.result(trace, await client.wait(trace, 10))] == counted(1)
        await deployed.reply()
        await wait_until(lambda: is_dealt_with(deployed, 1), description="its event has found nobody and is gone")
        assert await deployed.told() == 0
    await deployed.assert_settled(1)


async def started(http: httpx.AsyncClient, gateway: Service, ask: Ask) -> str:
    body = {"text": ask.text, "key": ask.key, "do": ask.do, "path": ask.path}
    response = await http.post(f"{url_of(gateway)}/v1/pipes/faults", json=body, headers={"Prefer": "respond-async"})
    assert response.status_code == HTTPStatus.ACCEPTED
    return str(response.json()["trace_id"])


def run_url(gateway: Service, trace: str) -> str:
    return f"{url_of(gateway)}/v1/runs/{trace}"


def url_of(gateway: Service) -> str:
    (line,) = (line for line in gateway.log.splitlines() if "gateway_started" in line)
    return str(json.loads(line)["url"])


async def waits_for(deployed: Deployment, runs: int) -> bool:
    return await deployed.waited_for() == runs


async def has_ended(deployed: Deployment, runs: int) -> bool:
    return await deployed.ended() == runs


async def is_dealt_with(deployed: Deployment, runs: int) -> bool:
    return await deployed.ended() == runs and await deployed.length(deployed.keys.replies) == 0
