"""Faults of the tcp profile, with real processes: a broker, workers and clients that die, stop, or talk nonsense."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from msgspec import Struct
from structlog.testing import capture_logs
from tests.examples.fund_load.generator import write_lines
from tests.examples.fund_load.reference import judge_all
from tests.support.services import Service, services

from headrace import Pipe
from headrace.bus.tcp.bus import TcpBus
from headrace.errors import BusUnavailableError
from headrace.kernel.clock import random_bytes
from headrace.ledger.values import Submitted
from headrace.runtime.compose import connected, consuming
from headrace.testing.bus_contract import IN, read, submission, trace
from headrace.testing.wait import wait_until, wait_until_sync
from headrace.wire.envelope import Framing
from headrace.wire.signing import Keyring

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
SECRET = random_bytes(32)
KEYS = Keyring({"k": SECRET}, "k")
BUS_KEYS = f"k:{base64.b64encode(SECRET).decode()}"
LINES = 1_500


class Ask(Struct):
    text: str


class Told(Struct):
    text: str


def pipe() -> Pipe:
    pipe = Pipe("tells")

    @pipe.node
    async def tell(ask: Ask) -> Told:
        return Told(ask.text)

    return pipe


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def new_broker(port: int) -> Service:
    return Service("broker", module="tests.support.broker", port=str(port), bus_keys=BUS_KEYS).ready()


@pytest.fixture
def broker(port: int) -> Iterator[Service]:
    broker = new_broker(port)
    yield broker
    broker.close()


def url(port: int) -> str:
    return f"tcp://127.0.0.1:{port}"


@asynccontextmanager
async def client(port: int, *, answer_s: float = 5.0) -> AsyncIterator[TcpBus]:
    bus = TcpBus(url(port), KEYS, answer_s=answer_s)
    try:
        yield bus
    finally:
        await bus.aclose()


async def test_a_deployment_outlives_its_broker_and_says_that_what_was_open_is_lost(port: int, broker: Service) -> None:
    plan = pipe().compile()
    with capture_logs() as logs:
        async with (
            client(port) as bus,
            consuming(plan, bus, Framing(), ("main",)),
            connected(plan, bus, Framing()) as asking,
        ):
            assert await asking.run(Ask("before")) == Told("before")
            lost = await asking.submit(Ask("lost with it"))
            broker.kill()
            with pytest.raises(BusUnavailableError):
                await bus.view(lost)
            other = new_broker(port)
            try:
                await wait_until(lambda: bus.losses == 1, description="they have met")
                assert await asking.run(Ask("after")) == Told("after")
                assert await bus.view(lost) is None
            finally:
                other.close()
    assert [log["log_level"] for log in logs if log["event"] == "bus_lost_data"] == ["error"]


HOLDS = """
import asyncio, sys
from headrace.bus.tcp.bus import TcpBus
from headrace.wire.signing import Keyring
async def main():
    bus = TcpBus(sys.argv[1], Keyring({"k": bytes.fromhex(sys.stdin.readline())}, "k"))
    held = await bus.read("pipe.in", "dying", limit=1, wait_s=2)
    print("holds", len(held), flush=True)
    await bus.read("pipe.in", "dying", limit=1, wait_s=2)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@contextmanager
def holder(port: int) -> Iterator[subprocess.Popen[str]]:
    """A process that holds an entry, and waits for another."""
    command = [sys.executable, "-c", HOLDS, url(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{SECRET.hex()}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "holds 1\n"
        yield process
        process.kill()


@contextmanager
def flood(port: int) -> Iterator[None]:
    """Processes that send garbage, over one connection after another."""
    floods = [subprocess.Popen([sys.executable, "-c", FLOOD, str(port)]) for _ in range(3)]
    try:
        yield
    finally:
        for one in floods:
            one.kill()
            one.wait()


async def test_what_a_killed_process_held_is_taken_over_and_what_it_waited_for_goes_to_others(
    port: int, broker: Service
) -> None:
    async with client(port) as bus:
        await bus.submit([submission(trace())])
        with holder(port) as process:
            process.kill()
        await bus.submit([submission(trace())])
        assert len(await read(bus, IN, "b")) == 1
        claimed = await bus.claim(IN, "b", limit=9, idle_s=0)
        assert sorted(one.deliveries for one in claimed) == [2, 2]


async def test_a_stopped_process_keeps_nobody_waiting_and_what_went_to_it_is_taken_over(
    port: int, broker: Service
) -> None:
    claimed: set[str] = set()
    async with client(port) as bus:

        async def all_are_claimed() -> bool:
            for one in await bus.read(IN, "b", limit=9, wait_s=0) + await bus.claim(IN, "b", limit=9, idle_s=0.05):
                claimed.add(one.id)
            return len(claimed) == 2

        await bus.submit([submission(trace())])
        with holder(port) as process:
            process.send_signal(signal.SIGSTOP)
            await bus.submit([submission(trace())])
            await wait_until(all_are_claimed, description="both entries are taken over")
            process.send_signal(signal.SIGCONT)


async def test_a_stopped_broker_is_noticed_and_used_again_when_it_goes_on(port: int, broker: Service) -> None:
    async with client(port, answer_s=0.2) as bus:
        assert await bus.now_ms() > 0
        broker.process.send_signal(signal.SIGSTOP)
        with pytest.raises(BusUnavailableError, match="had no answer"):
            await bus.now_ms()
        broker.process.send_signal(signal.SIGCONT)

        async def is_served() -> bool:
            try:
                return await bus.now_ms() > 0
            except BusUnavailableError:
                return False

        await wait_until(is_served, description="it is used again")
        assert bus.losses == 0


FLOOD = """
import os, random, socket, sys
while True:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as flood:
        try:
            while True:
                flood.sendall(os.urandom(random.randrange(1, 100_000)))
        except OSError:
            pass
"""


async def test_a_flood_of_garbage_is_refused_while_everybody_else_is_served(port: int, broker: Service) -> None:
    with flood(port):
        await wait_until(lambda: refused(broker) > 100, description="the flood is on")
        async with client(port) as bus:
            for _ in range(200):
                run = trace()
                assert await bus.submit([submission(run)]) == [Submitted.NEW]
                assert await bus.view(run) is not None
    await wait_until(lambda: "connections 0" in broker.log.splitlines()[-1], description="all of it is gone")


def refused(broker: Service) -> int:
    return max((int(line.split()[1]) for line in broker.log.splitlines() if line.startswith("refused ")), default=0)


def test_fund_load_gives_the_bytes_of_the_reference_over_tcp_while_workers_are_killed(
    port: int, broker: Service, tmp_path: Path
) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    write_lines(source, LINES, seed=5)
    given = {"app": "examples.fund_load:pipe", "bus_url": url(port), "bus_keys": BUS_KEYS, "lease_s": "0.5"}
    groups = ("intake", "decisions", "answers")
    started = [Service("worker", group=group, **given) for group in groups for _ in "ab"]
    command = [sys.executable, "-m", "headrace_cli", "run", "examples.fund_load:pipe", "--attach", "--bus", url(port)]
    files = ["--input", str(source), "--output", str(output), "--window", "256"]
    with (
        services(*started),
        subprocess.Popen([*command, *files], env={**os.environ, "HEADRACE_BUS_KEYS": BUS_KEYS}) as run,
    ):
        wait_until_sync(lambda: output.exists() and output.stat().st_size > 0, timeout_s=60, description="answers")
        for number, group in enumerate(groups):
            started[2 * number].kill()
            started.append(Service("worker", group=group, **given).ready())
        assert run.wait(90) == 0
        for one in started[-len(groups) :]:
            one.close()
    assert output.read_text() == expected(source)


def expected(source: Path) -> str:
    verdicts = judge_all(source.read_text().removesuffix("\n").split("\n"), experiment=False)
    answers = ({"id": one.id, "customer_id": one.customer_id, "accepted": one.accepted} for one in verdicts)
    return "".join(json.dumps(one, separators=(",", ":"), ensure_ascii=False) + "\n" for one in answers)
