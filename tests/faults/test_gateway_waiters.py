"""A gateway killed with a thousand callers waiting: each who asks another again gets its answer, of one execution."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from itertools import cycle

import httpx
import pytest
from tests.faults.app import Ask
from tests.faults.deployment import Deployment, asks
from tests.faults.test_gateway_and_reply import url_of, waits_for
from tests.support.services import Service

from headrace.testing.wait import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
CALLERS = 1000
POOLS = 40  # a pool looks at all its connections for each request
WAIT_S = 60


async def test_a_thousand_callers_of_a_killed_gateway_ask_another_and_get_one_answer_each(deployed: Deployment) -> None:
    """Half of them wait in the request that started their run, and know its key; half wait by its trace_id."""
    struck, other = await asyncio.gather(deployed.gateway(), deployed.gateway())
    by_key, by_trace = asks(CALLERS)[::2], asks(CALLERS)[1::2]
    async with pools() as http:
        traces = [str(trace) for trace in await all_of(http, [start(struck, ask) for ask in by_trace], "trace_id")]
        waiting = sent(http, [ask_by_key(struck, ask) for ask in by_key] + [look(struck, trace) for trace in traces])
        await wait_until(lambda: waits_for(deployed, CALLERS), timeout_s=40, description="the gateway waits for all")
        struck.kill()
        cut_off = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(each, httpx.TransportError) for each in cut_off)
        again = sent(http, [ask_by_key(other, ask) for ask in by_key] + [look(other, trace) for trace in traces])
        async with deployed.client("first", "second", "third", with_reply=True):
            told = [response.json() for response in await asyncio.gather(*again)]
        late = await asyncio.gather(*sent(http, [ask_by_key(other, ask) for ask in by_key[:POOLS]]))
    answers = [*told[: len(by_key)], *(run["result"] for run in told[len(by_key) :])]
    assert [answer["text"] for answer in answers] == [ask.text for ask in (*by_key, *by_trace)]
    assert sorted(answer["number"] for answer in answers) == list(range(1, CALLERS + 1)), "each was counted once"
    assert [response.json() for response in late] == told[:POOLS], "who asks once more is told the same"
    await deployed.assert_settled(CALLERS)


def ask_by_key(gateway: Service, ask: Ask, **headers: str) -> httpx.Request:
    """Ask for a run, and wait for its answer."""
    body = {"text": ask.text, "key": ask.key}
    named = {"Idempotency-Key": f"ask-{ask.text}", "Prefer": f"wait={WAIT_S}", **headers}
    return httpx.Request("POST", f"{url_of(gateway)}/v1/pipes/faults", json=body, headers=named)


def start(gateway: Service, ask: Ask) -> httpx.Request:
    """Ask for a run, and do not wait."""
    return ask_by_key(gateway, ask, Prefer="respond-async")


def look(gateway: Service, trace: str) -> httpx.Request:
    """Wait for a run's answer."""
    return httpx.Request("GET", f"{url_of(gateway)}/v1/runs/{trace}", params={"wait": WAIT_S})


@asynccontextmanager
async def pools() -> AsyncGenerator[list[httpx.AsyncClient]]:
    """Give HTTP clients."""
    async with AsyncExitStack() as stack:
        made = [httpx.AsyncClient(timeout=WAIT_S, limits=httpx.Limits(), verify=False) for _ in range(POOLS)]  # noqa: S501 - no TLS
        yield [await stack.enter_async_context(each) for each in made]


def sent(http: Sequence[httpx.AsyncClient], requests: Sequence[httpx.Request]) -> list[asyncio.Task[httpx.Response]]:
    """Send requests side by side."""
    return [asyncio.create_task(pool.send(request)) for pool, request in zip(cycle(http), requests, strict=False)]


async def all_of(http: Sequence[httpx.AsyncClient], requests: Sequence[httpx.Request], member: str) -> list[object]:
    """Give a member of the answer to each of some requests, which are all accepted."""
    responses = await asyncio.gather(*sent(http, requests))
    assert {response.status_code for response in responses} == {HTTPStatus.ACCEPTED}
    return [response.json()[member] for response in responses]
