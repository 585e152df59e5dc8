"""A soak of `headrace up`: load over its own broker while one child after the other is killed; then the proof."""

import asyncio
import base64
import os
import signal
from contextlib import suppress
from itertools import count
from random import Random

import httpx
from msgspec import Struct
from tests.modes.running import Command
from tests.soak.drawn import entry
from tests.soak.expected import FAILED
from tests.soak.feed import PATIENCE_S, Fed, feed
from tests.soak.fleet import LEASE_S, SLOTS
from tests.soak.pipe import SEED, build
from tests.soak.soak import DRAWN_APP, Options, prove_outcomes, steer
from tests.support.processes import children_of
from tests.support.redis_server import free_port

from headrace.bus.tcp.bus import TcpBus
from headrace.graph.plan import ExecutionPlan
from headrace.ledger.values import Terminal
from headrace.runtime.compose import connected
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing
from headrace.wire.signing import Keyring

_STRIKE_S = 2.0
_SECRET = b"the key of a soak, 32 bytes long"
_LOOKED_UP = 100  # runs, over HTTP
_MANY = 1_000_000


class UpFigures(Struct, frozen=True):
    """What a soak of one machine came to."""

    runs: int
    seconds: float
    kills: int
    restarts: int
    largest_wait_s: float

    def table(self) -> str:
        """Give the figures as lines."""
        rows = {
            "runs": f"{self.runs:,}",
            "duration": f"{self.seconds:.1f} s",
            "runs a second": f"{self.runs / self.seconds:,.0f}",
            "kills": f"{self.kills:,}",
            "restarts": f"{self.restarts:,}",
            "largest wait": f"{self.largest_wait_s:.1f} s",
        }
        return "".join(f"{name:<26}{value:>12}\n" for name, value in rows.items())


async def soak_up(options: Options) -> UpFigures:
    """Run a soak of the drawn pipe.

    Raises:
        AssertionError: The proof found what must not be.
    """
    plan, keyring = build(options.seed).compile(), Keyring({"soak": _SECRET}, "soak", setting="bus_keys")
    url = f"tcp://127.0.0.1:{free_port()}"
    os.environ[SEED] = str(options.seed)  # what the children inherit, and draw by
    keys = f"soak:{base64.b64encode(_SECRET).decode()}"
    about = {"bus_url": url, "bus_keys": keys, "lease_s": LEASE_S, "slots": SLOTS, "max_deliveries": "1000"}
    arguments = ("up", DRAWN_APP, "--port", "0", "--workers", str(options.workers))
    command = Command(*arguments, crash_limit="20", **about)
    bus = TcpBus(url, keyring)
    try:
        await asyncio.to_thread(command.ready)
        figures = await _under_fire(command, plan, bus, options)
        assert await asyncio.to_thread(command.stop) == [0], command.log
        return figures
    finally:
        await bus.aclose()
        await asyncio.to_thread(command.close)


async def _under_fire(command: Command, plan: ExecutionPlan, bus: TcpBus, options: Options) -> UpFigures:
    clock = asyncio.get_running_loop().time
    began_s = clock()
    async with connected(plan, bus, Framing()) as client:
        until_s = began_s + options.seconds
        async with asyncio.TaskGroup() as tasks:
            striking = tasks.create_task(_strike(command, until_s, Random(options.seed)))
            entries = (entry(options.seed, number) for number in count())
            fed = await feed(client, entries, until_s, steer=steer)
        seconds = clock() - began_s
        expected = prove_outcomes(fed, client, options.seed)
        await _prove_settled(plan, bus, expected.outcomes.count(FAILED))
        await _prove_over_http(command, fed)
        waiters = client._waiters
    counts = (waiters.counts["replied"], waiters.counts["duplicate_terminal"], len(waiters))
    assert counts == (len(fed.traces), 0, 0), f"each run is answered once, and nobody waits any more: {counts}"
    restarts = command.log.count('"child_died"')
    return UpFigures(len(fed.traces), seconds, striking.result(), restarts, fed.largest_wait_s)


async def _strike(command: Command, until_s: float, rng: Random) -> int:
    """Kill a child every two seconds, as long as runs are started; gives how many."""
    clock, kills = asyncio.get_running_loop().time, 0
    while clock() + _STRIKE_S < until_s:
        await asyncio.sleep(_STRIKE_S)
        children = await asyncio.to_thread(children_of, command.process.pid)
        with suppress(ProcessLookupError, IndexError):  # it may have ended just now
            os.kill(rng.choice(children), signal.SIGKILL)
            kills += 1
    return kills


async def _prove_settled(plan: ExecutionPlan, bus: TcpBus, failed: int) -> None:
    async def is_empty() -> bool:
        return sum([await bus.backlog(plan.stream(group)) for group in plan.groups]) == 0

    await wait_until(is_empty, timeout_s=PATIENCE_S, description="no group has work left")
    letters = [len(await bus.dead_letters(plan.stream(group), limit=_MANY)) for group in plan.groups]
    assert sum(letters) == failed, "a dead letter for each run that failed"


async def _prove_over_http(command: Command, fed: Fed) -> None:
    """Look runs up at the gateway, which was killed meanwhile, too: it tells what their callers were told."""
    async with httpx.AsyncClient(base_url=command.url, timeout=PATIENCE_S) as http:
        for position in range(0, len(fed.traces), max(1, len(fed.traces) // _LOOKED_UP)):
            run = (await http.get(f"/v1/runs/{fed.traces[position]}")).json()
            terminal: Terminal = fed.terminals[position]
            assert run["state"] == terminal.state, run
