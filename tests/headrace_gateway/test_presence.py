"""Callers who hang up while they wait, over real connections."""

import socket

import httpx
import pytest
from msgspec import Struct
from tests.headrace_gateway.live import live
from tests.headrace_gateway.test_admission import counted

from headrace.graph.options import Signal, Suspend
from headrace.graph.pipe import Pipe
from headrace.testing.wait import wait_until
from headrace_gateway.limits import Limits

PATH = "/v1/pipes/patient"
RUNS = "/v1/runs"
ASYNC = {"Prefer": "respond-async"}
BODY = b'{"text":"hello"}'
CONTENT = b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Ask(Struct):
    text: str


class Told(Struct):
    text: str


pipe = Pipe("patient")


@pipe.node
async def tell(ask: Ask, go: Signal[Ask]) -> Told | Suspend:
    return Suspend("go") if go is None else Told(f"{ask.text} {go.text}")


def asked(url: str, request: bytes) -> socket.socket:
    """Send a request and wait for nothing."""
    host, _, port = url.removeprefix("http://").partition(":")
    caller = socket.create_connection((host, int(port)))
    caller.sendall(request)
    return caller


async def held_are(http: httpx.AsyncClient, path: str, count: int) -> bool:
    """Tell whether so many requests are under way in an endpoint, and as many waits."""
    counts = await counted(http)
    return (counts[f"requests_under_way {path}"], counts["waiters"]) == (count, count)


@pytest.mark.parametrize("ending", ["closed", "reset", "half closed"])
async def test_a_caller_who_hangs_up_gives_its_slot_back_and_the_run_goes_on(ending: str) -> None:
    with live(pipe, limits=Limits(max_waiters=1)) as url:
        async with httpx.AsyncClient(base_url=url) as http:
            caller = asked(url, b"POST %s HTTP/1.1\r\nHost: x\r\nIdempotency-Key: 1\r\n" % PATH.encode() + CONTENT)
            with caller:
                await wait_until(lambda: held_are(http, PATH, 1), description="the caller waits")
                hang_up(caller, ending)
                await wait_until(lambda: held_are(http, PATH, 0), description="nobody waits")
            run = await http.post(PATH, content=BODY, headers={**ASYNC, "Idempotency-Key": "1"})
            assert (await http.post(f"{run.headers['location']}/signals/go", content=BODY)).status_code == 202
            ended = await http.get(run.headers["location"], params={"wait": 20})
    assert ended.json()["result"] == {"text": "hello hello"}


async def test_a_caller_who_hangs_up_on_a_run_that_it_looks_up_gives_its_slot_back() -> None:
    with live(pipe) as url:
        async with httpx.AsyncClient(base_url=url) as http:
            run = (await http.post(PATH, content=BODY, headers=ASYNC)).headers["location"]
            with asked(url, b"GET %s?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n" % run.encode()):
                await wait_until(lambda: held_are(http, RUNS, 1), description="the caller waits")
            await wait_until(lambda: held_are(http, RUNS, 0), description="nobody waits")


def hang_up(caller: socket.socket, ending: str) -> None:
    if ending == "half closed":
        caller.shutdown(socket.SHUT_WR)
        return
    if ending == "reset":
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    caller.close()
