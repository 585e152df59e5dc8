"""Server-sent events over real HTTP, in the memory profile, and on Redis over processes that are killed."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from tests.headrace_gateway.talking import PATH, Sent, gateway, pipe, sent
from tests.headrace_gateway.test_pipes import assert_problem
from tests.headrace_worker.service_process import launched

from headrace.bus.redis.bus import RedisBus
from headrace.runtime.compose import consuming, coordinating
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing
from headrace_gateway.event_stream import is_wanted
from headrace_gateway.limits import Limits

EVENTS = {"Accept": "text/event-stream"}


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield http


async def everything(http: httpx.AsyncClient, path: str, after: int = 0) -> list[Sent]:
    async with http.stream("GET", path, headers={"Last-Event-ID": str(after)}) as response:
        assert response.status_code == 200
        return [event async for event in sent(response)]


async def to_the_end(http: httpx.AsyncClient, path: str) -> list[Sent]:
    """Follow a run as a browser does: where it was too slow and is cut off, it asks again from there."""
    events = await everything(http, path)
    while events[-1].event != "completed":
        events += await everything(http, path, after=events[-1].id)
    return events


async def test_a_run_is_followed_from_its_start_to_its_end() -> None:
    async with (
        gateway() as url,
        asking(url) as http,
        http.stream("POST", PATH, json={"words": 2}, headers=EVENTS) as response,
    ):
        events = [event async for event in sent(response)]
        headers = response.headers
    assert (response.status_code, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    trace_id = headers["x-trace-id"]
    assert headers["location"] == f"/v1/runs/{trace_id}"
    assert [event.event for event in events] == [
        *("accepted", "node_started", "emitted", "emitted", "node_ended", "completed")
    ]
    assert [event.id for event in events] == [0, 1, 2, 3, 4, 5]
    assert events[0].data["trace_id"] == trace_id
    assert [event.data["value"] for event in events if event.event == "emitted"] == ["0", "1"]
    assert events[-1].data["result"] == {"words": 2}


async def test_a_stream_goes_on_behind_the_last_event_that_was_seen() -> None:
    async with gateway() as url, asking(url) as http:
        started = await http.post(PATH, json={"words": 300}, headers={**EVENTS})
        path = f"{started.headers['location']}/events"
        whole = await everything(http, path)
        assert [event.id for event in whole] == list(range(1, 304))
        assert await everything(http, path, after=150) == whole[150:]
        assert (await http.get(path, headers={"Last-Event-ID": "303"})).status_code == 204
        assert_problem(await http.get(path, headers={"Last-Event-ID": "x"}), 400, "malformed_header")


async def test_a_retried_node_replaces_its_tokens() -> None:
    async with (
        gateway() as url,
        asking(url) as http,
        http.stream("POST", PATH, json={"words": 1, "fails": 1}, headers=EVENTS) as response,
    ):
        events = [event async for event in sent(response)]
    names = [event.event for event in events]
    assert names == [
        *("accepted", "node_started", "emitted", "node_failed", "replaced"),
        *("node_started", "emitted", "node_ended", "completed"),
    ]
    assert events[4].data["invocation_id"] == events[2].data["invocation_id"] == events[6].data["invocation_id"]
    assert (events[2].data["attempt"], events[6].data["attempt"]) == (1, 2)


async def test_what_cannot_be_followed_is_a_problem() -> None:
    async with gateway() as url, asking(url) as http:
        started = await http.post(PATH, json={})
        assert_problem(await http.get(f"/v1/runs/{started.headers['x-trace-id']}/events"), 409, "events_not_kept")
        assert_problem(await http.get(f"/v1/runs/{'0' * 32}/events"), 404, "unknown_run")
        assert_problem(await http.post(PATH, json={"words": "x"}, headers=EVENTS), 422, "invalid_message")


async def test_a_run_that_fails_ends_its_stream_with_the_failure() -> None:
    async with gateway() as url, asking(url) as http:
        response = await http.post(PATH, json={"words": 0, "fails": 9}, headers=EVENTS)
    last = [event for event in response.text.split("\n\n") if event][-1]
    assert last.startswith("event: failed\n")
    assert json.loads(last.split("data: ")[1].split("\n")[0])["failure"]["kind"] == "step"


async def test_a_quiet_stream_says_that_it_lives_and_a_client_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    goes_on = tmp_path / "go"
    limits = Limits(heartbeat_s=0.02)
    async with gateway(limits=limits) as url, asking(url) as http:
        body = {"words": 2, "pause_at": 1, "goes_on": str(goes_on)}
        async with http.stream("POST", PATH, json=body, headers=EVENTS) as response:
            names = await names_until_quiet(response)
        assert [name for name in names if name != "comment"] == ["accepted", "node_started", "emitted"]
        await wait_until(lambda: is_metric(http, "headrace_gateway_followers", 0), description="nobody follows")
        under_way = f'headrace_gateway_requests_under_way{{endpoint="{PATH}"}}'
        await wait_until(lambda: is_metric(http, under_way, 0), description="its slot is free")
        goes_on.touch()
        rest = await everything(http, f"/v1/runs/{response.headers['x-trace-id']}/events", after=2)
    assert [event.event for event in rest if event.event != "comment"] == ["emitted", "node_ended", "completed"]


async def test_a_slow_reader_costs_no_more_than_a_bounded_buffer_and_loses_nothing() -> None:
    words = 4000  # of 4 KB each: 16 MB, far over what sockets hold
    async with gateway() as url, asking(url) as http:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            body = json.dumps({"words": words, "padding": 4096}).encode()
            head = (
                f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            slow.sendall(head.encode() + body)
            first = await asyncio.to_thread(slow.recv, 4096)
            trace_id = first.decode().lower().split("x-trace-id: ")[1].split("\r\n")[0]
            whole = await to_the_end(http, f"/v1/runs/{trace_id}/events")  # others are read for meanwhile
        assert len(whole) == words + 3
        await wait_until(lambda: is_metric(http, "headrace_gateway_followers", 0), description="nobody follows")


@pytest.mark.slow
async def test_a_stream_of_a_killed_gateway_goes_on_at_another_nothing_lost_and_nothing_twice(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    settings = {
        "app": "tests.headrace_gateway.talking:pipe",
        "bus_url": redis_url,
        "namespace": namespace,
        "port": "0",
    }
    bus, plan, goes_on = RedisBus(redis_url, namespace=namespace), pipe.compile(), tmp_path / "go"
    async with AsyncExitStack() as parts:
        await parts.enter_async_context(consuming(plan, bus, Framing(), tuple(plan.groups)))
        await parts.enter_async_context(coordinating(bus))
        processes = [parts.enter_context(launched("headrace_gateway", **settings)) for _ in range(2)]
        first, second = [json.loads(one.wait_for_log("gateway_started"))["url"] for one in processes]
        body = {"words": 600, "pause_at": 300, "goes_on": str(goes_on)}
        seen: list[Sent] = []
        async with asking(first) as http, http.stream("POST", f"{PATH}", json=body, headers=EVENTS) as response:
            trace_id = response.headers["x-trace-id"]
            with suppress(httpx.TransportError):
                async for event in sent(response):
                    seen.append(event)
                    if len(seen) == 200:
                        processes[0].signal(signal.SIGKILL)
        goes_on.touch()
        async with asking(second) as http:
            seen += await everything(http, f"/v1/runs/{trace_id}/events", after=seen[-1].id)
            assert await everything(http, f"/v1/runs/{trace_id}/events") == seen[1:]
        processes[1].signal(signal.SIGTERM)
        assert processes[1].ended() == 0
    assert [event.id for event in seen] == list(range(604))
    assert [event.data["value"] for event in seen if event.event == "emitted"] == [str(n) for n in range(600)]
    await bus.aclose()


@pytest.mark.slow
async def test_a_gateway_that_stops_ends_its_streams_at_once(redis_url: str, namespace: str, tmp_path: Path) -> None:
    settings = {
        "app": "tests.headrace_gateway.talking:pipe",
        "bus_url": redis_url,
        "namespace": namespace,
        "port": "0",
    }
    bus, plan, goes_on = RedisBus(redis_url, namespace=namespace), pipe.compile(), tmp_path / "go"
    async with consuming(plan, bus, Framing(), tuple(plan.groups)), coordinating(bus):
        with launched("headrace_gateway", **settings) as process:
            url = json.loads(process.wait_for_log("gateway_started"))["url"]
            body = {"words": 2, "pause_at": 1, "goes_on": str(goes_on)}
            async with asking(url) as http, http.stream("POST", PATH, json=body, headers=EVENTS) as response:
                events: list[Sent] = []
                async for event in sent(response):
                    events.append(event)
                    if event.event == "emitted":
                        process.signal(signal.SIGTERM)
            assert process.ended() == 0
        goes_on.touch()
    assert [event.event for event in events] == ["accepted", "node_started", "emitted"]
    await bus.aclose()


@pytest.mark.parametrize(
    ("accept", "is_asked"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", False),
        ("text/event-stream", True),
        ("application/json, Text/Event-Stream;q=0.9", True),
    ],
)
def test_events_are_sent_to_whoever_accepts_them(accept: str | None, is_asked: bool) -> None:
    assert is_wanted(accept) is is_asked


async def names_until_quiet(response: httpx.Response) -> list[str]:
    """The names of events until two comments have followed what was emitted."""
    names: list[str] = []
    async with aclosing(sent(response)) as events:
        async for event in events:
            names.append(event.event)
            if "emitted" in names and names[-2:] == ["comment", "comment"]:
                break
    return names


async def is_metric(http: httpx.AsyncClient, metric: str, value: float) -> bool:
    text = (await http.get("/metrics")).text
    return f"\n{metric} {value:.1f}\n" in text
