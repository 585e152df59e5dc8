"""`headrace up` under faults: each of its processes killed, stopped under load, hung, or never coming up."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.modes.running import APP, Command
from tests.support.processes import children_of, command_of, is_gone

from headrace.testing.wait import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
PATH = "/v1/pipes/modes"
ANSWER_S = 60.0


@asynccontextmanager
async def up(*arguments: str, app: str = APP, **settings: str) -> AsyncGenerator[Command]:
    command = Command("up", app, *(arguments or ("--port", "0")), **{"lease_s": "1", **settings})
    try:
        yield command
    finally:
        await asyncio.to_thread(command.close)


async def children_running(command: Command, module: str) -> list[int]:
    def look() -> list[int]:
        return [pid for pid in children_of(command.process.pid) if module in command_of(pid)]

    return await asyncio.to_thread(look)


def http_of(command: Command) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=command.url, timeout=ANSWER_S)


def open_gate(gate: Path) -> None:
    gate.touch()


def entered(gate: Path) -> Callable[[], bool]:
    return Path(f"{gate}.entered").exists


async def texts(requests: Sequence[asyncio.Task[httpx.Response]]) -> list[str]:
    return [(await request).json()["text"] for request in requests]


async def test_every_worker_that_is_killed_under_load_is_replaced_and_every_caller_answered(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with up(lease_s="600") as command:  # the broker sees that they are gone; nobody waits for their leases
        await asyncio.to_thread(command.ready)
        async with http_of(command) as http, asyncio.TaskGroup() as tasks:
            asks = [{"text": str(number), "do": "wait", "path": str(gate)} for number in range(50)]
            asked = [tasks.create_task(http.post(PATH, json=ask)) for ask in asks]
            await wait_until(entered(gate), timeout_s=ANSWER_S, description="the nodes wait")
            for pid in await children_running(command, "headrace_worker"):
                os.kill(pid, signal.SIGKILL)
            open_gate(gate)
            assert await texts(asked) == [str(number) for number in range(50)]
        assert [line.count("was ended by SIGKILL") for line in command.log.splitlines()].count(1) == 2
        assert await asyncio.to_thread(command.stop) == [0]


async def test_while_a_killed_gateway_is_replaced_callers_wait_and_the_next_one_knows_every_run(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with up() as command:
        await asyncio.to_thread(command.ready)
        async with http_of(command) as http:
            ask = {"text": "kept", "do": "wait", "path": str(gate)}
            accepted = await http.post(PATH, json=ask, headers={"Prefer": "respond-async"})
            await wait_until(entered(gate), timeout_s=ANSWER_S, description="the node waits")
        (gateway,) = await children_running(command, "headrace_gateway")
        os.kill(gateway, signal.SIGKILL)
        open_gate(gate)
        async with http_of(command) as http:
            run = (await http.get(accepted.headers["location"], params={"wait": ANSWER_S})).json()
            assert (await http.post(PATH, json={"text": "new"})).json()["text"] == "new"
        assert (run["state"], run["result"]["text"]) == ("completed", "kept")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_no_child_outlives_its_supervisor_not_even_one_that_is_blocked_or_stopped(
    number: signal.Signals, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    async with up(drain_s="0.5") as command:
        await asyncio.to_thread(command.ready)
        children = children_of(command.process.pid)
        async with http_of(command) as http:
            ask = {"text": "", "do": "block", "path": str(gate)}
            await http.post(PATH, json=ask, headers={"Prefer": "respond-async"})
            await wait_until(entered(gate), timeout_s=ANSWER_S, description="the node blocks")
        if number == signal.SIGKILL:
            for gateway in await children_running(command, "headrace_gateway"):
                os.kill(gateway, signal.SIGSTOP)
        command.signal(number)
        await wait_until(lambda: all(map(is_gone, children)), timeout_s=ANSWER_S, description="all have ended")
        assert len(children) == 3
        code = await asyncio.to_thread(command.ended)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 1)


async def test_a_second_signal_ends_everything_at_once(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with up(drain_s="600") as command:
        await asyncio.to_thread(command.ready)
        children = children_of(command.process.pid)
        async with http_of(command) as http, asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(hung_up(http, {"text": "", "do": "wait", "path": str(gate)}))
            await wait_until(entered(gate), timeout_s=ANSWER_S, description="the node waits")
            command.signal(signal.SIGINT)
            await wait_until(lambda: '"stopping"' in command.log, timeout_s=ANSWER_S, description="it stops")
            command.signal(signal.SIGINT)
            assert await asyncio.to_thread(command.ended) == 128 + signal.SIGINT
            assert await waiting
        await wait_until(lambda: all(map(is_gone, children)), timeout_s=ANSWER_S, description="all have ended")


async def hung_up(http: httpx.AsyncClient, ask: dict[str, str]) -> bool:
    try:
        await http.post(PATH, json=ask)
    except httpx.TransportError:
        return True
    return False


async def test_a_broker_that_ends_with_its_supervisor_waits_until_what_was_accepted_is_done(tmp_path: Path) -> None:
    """A caller who did not wait was promised the run; it is done when the supervisor ends."""
    gate = tmp_path / "gate"
    async with up() as command:
        await asyncio.to_thread(command.ready)
        async with http_of(command) as http:
            ask = {"text": "", "do": "wait", "path": str(gate)}
            await http.post(PATH, json=ask, headers={"Prefer": "respond-async"})
            await wait_until(entered(gate), timeout_s=ANSWER_S, description="the node waits")
        command.signal(signal.SIGTERM)
        await wait_until(lambda: '"gateway_stopped"' in command.log, timeout_s=ANSWER_S, description="intake is over")
        open_gate(gate)
        assert await asyncio.to_thread(command.ended) == 0
        assert '"drain_cut_off"' not in command.log


async def test_a_group_that_never_comes_up_ends_it_with_the_words_the_exit_code_and_no_text() -> None:
    async with up(app="tests.headrace_supervisor.broken:pipe", crash_limit="2") as command:
        assert await asyncio.to_thread(command.ended) == 1
        last = command.log.splitlines()[-1]
    assert last.startswith("error[handoff_failed]: remote handoff failed for group '")
    assert last.endswith("': its worker ended with exit code 1 before it was ready, 2 times in a row")
    assert "secret" not in last


async def test_a_port_that_is_taken_is_told_before_anything_is_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with up("--port", str(taken.getsockname()[1])) as command:
            assert await asyncio.to_thread(command.ended) == 2
            (line,) = command.log.splitlines()
    assert line.startswith("error[settings_invalid]: setting 'port' ")
    assert line.endswith("cannot be listened on: Address already in use")


async def test_a_host_tells_of_its_children_and_of_what_its_broker_refuses() -> None:
    async with up("--port", "0", metrics_port="0") as command:
        await asyncio.to_thread(command.ready)
        url = re.search(r'"url": "(http://[^"]+/metrics)"', command.log)
        assert url is not None
        async with http_of(command) as http:
            assert (await http.post(PATH, json={"value": 1})).status_code < 500
            text = (await http.get(url[1])).text
    assert 'headrace_host_children{place="worker \'first\'",state="ready"} 1.0' in text
    assert 'headrace_host_broker_refused_total{reason="forged"} 0.0' in text
    assert 'headrace_backlog{group="first",pipe="modes"}' in text
