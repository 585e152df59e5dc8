"""Cancels, deadlines, signals and redrives, by real processes that are away, killed, or two at once."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from tests.faults.crashing import Point
from tests.faults.deployment import Deployment, killed
from tests.faults.steered import Answer, Approval, Order, told
from tests.support.redis_server import RedisServer
from tests.support.services import ROOT

from headrace.ledger.terminal import failure_of
from headrace.ledger.values import RunState
from headrace.runtime.client import Client
from headrace.runtime.submissions import Options
from headrace.testing.wait import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]
APP = "tests.faults.steered:pipe"
RUNS = 40
PIECES = 20
LONGEST_CANCEL_S = 5.0  # one process that was killed may be listened to for so long


async def test_after_a_cancel_has_answered_no_node_of_its_run_starts_on_any_worker(
    steered: Deployment, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    await asyncio.gather(*(steered.worker("second", slots="4") for _ in range(3)))
    async with steered.client("first", "third", "fourth", with_reply=True) as client:
        asked = await client.ask_all([Order(PIECES, str(starts), pause_s=0.02) for _ in range(RUNS)])
        counts = await asyncio.gather(*(cancelled_after(client, trace, starts) for trace, _ in asked[1::2]))
        for trace, future in asked[0::2]:
            assert client.result(trace, await asyncio.wait_for(future, 20)) == Answer(tuple(range(PIECES)))
        await wait_until(lambda: is_worked_off(steered), description="all that was cancelled is dealt with")
        assert any(count < PIECES for count in counts)  # they were under way, and then got no further
        assert [len(told(starts, trace)) for trace, _ in asked[1::2]] == list(counts)
    await steered.assert_settled(RUNS)


async def cancelled_after(client: Client, trace_id: str, starts: Path) -> int:
    """Cancel a run when it is under way; gives how many calls of it had started when that was answered."""
    await wait_until(lambda: bool(told(starts, trace_id)), description="it is under way")
    await client.cancel(trace_id)
    return len(told(starts, trace_id))


async def test_a_worker_started_after_a_cancel_does_not_run_what_the_run_had_left(
    steered: Deployment, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    async with steered.client("first", "third", "fourth", with_reply=True) as client:
        asked = await client.ask_all([Order(PIECES, str(starts)) for _ in range(4)])
        await wait_until(lambda: has_backlog(steered, 4 * PIECES), description="all pieces wait")
        gone = [asked[0][0], asked[2][0]]
        assert [await client.cancel(trace) for trace in gone] == [True, True]
        await steered.worker("second")
        for trace, future in asked[1::2]:
            assert client.result(trace, await asyncio.wait_for(future, 20)) == Answer(tuple(range(PIECES)))
        await wait_until(lambda: is_worked_off(steered), description="all that was cancelled is dealt with")
        assert [told(starts, trace) for trace in gone] == [[], []]
    await steered.assert_settled(4)


async def test_a_worker_killed_while_it_listened_delays_a_cancel_by_a_few_seconds_at_most(
    steered: Deployment, tmp_path: Path
) -> None:
    gate, starts = tmp_path / "gate", tmp_path / "starts"
    victim = await steered.worker("second")
    async with steered.client("first", with_reply=True) as client:
        ((trace, future),) = await client.ask_all([Order(PIECES, str(starts), str(gate))])
        await wait_until(lambda: len(told(starts)) == PIECES, description="it is in its node")
        victim.kill()
        clock = asyncio.get_running_loop().time
        began_s = clock()
        assert await client.cancel(trace)
        assert clock() - began_s < LONGEST_CANCEL_S
        assert (await future).state is RunState.CANCELLED
        gate.touch()
        await asyncio.gather(steered.worker("second"), steered.worker("third"))
        await wait_until(lambda: is_worked_off(steered), description="its work is dealt with")
        assert len(told(starts)) == PIECES
    await steered.assert_settled(1)


async def test_a_deadline_that_passes_while_every_worker_is_down_ends_its_run_when_one_is_back(
    steered: Deployment, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    async with steered.client(with_reply=True) as client:
        ((trace, future),) = await client.ask_all([Order(PIECES, str(starts))], Options(timeout_s=0.2))
        async with steered.closing_bus() as bus:
            until_ms = await bus.now_ms() + 400
            await wait_until(lambda: is_past(steered, until_ms), description="the deadline has passed")
        assert not future.done()  # nobody was there to look
        await asyncio.gather(*(steered.worker(group) for group in steered.plan.groups))
        terminal = await asyncio.wait_for(future, 10)
        assert (terminal.state, failure_of(terminal).kind) == (RunState.EXPIRED, "deadline")
        await wait_until(lambda: is_worked_off(steered, "first"), description="its work is dealt with")
        assert told(starts, trace) == []
    await steered.assert_settled(1)


async def test_a_suspended_run_survives_a_restart_of_everything_and_goes_on_by_its_signal(
    own_redis: RedisServer,
) -> None:
    async with Deployment(own_redis.url, "n", app=APP) as before:
        await start_all(before)
        async with before.client() as client:
            trace = await client.submit(Order(PIECES, needs_approval=True))
            await wait_until(lambda: is_suspended(before, client, trace), description="it waits for its approval")
    own_redis.restart()
    async with Deployment(own_redis.url, "n", app=APP) as after:
        await start_all(after)
        async with after.client() as client:
            assert await client.signal(trace, "approval", Approval("Ada"))
            answer = client.result(trace, await client.wait(trace, 20))
            assert answer == Answer(tuple(range(PIECES)), "Ada")
        await after.assert_settled(1)


@pytest.mark.parametrize("at", [Point.AFTER_READ, Point.BEFORE_COMMIT])
async def test_a_worker_killed_after_a_signal_came_and_before_its_hop_was_done_loses_neither(
    steered: Deployment, at: Point
) -> None:
    async with steered.client("first", "second", "third", with_reply=True) as client:
        trace = await client.submit(Order(PIECES, needs_approval=True))
        first = await steered.worker("fourth")
        await wait_until(lambda: is_suspended(steered, client, trace), description="it waits for its approval")
        assert await asyncio.to_thread(first.terminate) == 0
        victim = steered.crashing_worker("fourth", at)
        assert await client.signal(trace, "approval", Approval("Ada"))
        assert await killed(victim)
        assert not await client.signal(trace, "approval", Approval("Grace"))  # the first one stays
        await steered.worker("fourth")
        answer = client.result(trace, await client.wait(trace, 20))
        assert answer == Answer(tuple(range(PIECES)), "Ada")
    await steered.assert_settled(1)


async def test_dead_letters_redriven_by_two_processes_at_once_make_one_run_each(
    steered: Deployment, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    async with steered.client("first", "second", "third", "fourth", with_reply=True) as client:
        for _, future in await client.ask_all([Order(1, str(starts), doomed=True) for _ in range(RUNS)]):
            assert failure_of(await asyncio.wait_for(future, 20)).kind == "step"
        assert len(await steered.dead_letters("first")) == RUNS
    before = len(told(starts))
    commands = await asyncio.gather(*(redrive(steered) for _ in range(2)))
    for command in commands:
        await command.communicate()
    assert await steered.backlog("first") == RUNS
    async with steered.client("first", "second", "third", "fourth", with_reply=True):
        await wait_until(lambda: has_ended(steered, 2 * RUNS), description="the new runs have ended")
    assert len(told(starts)) == 2 * before
    assert len(await steered.dead_letters("first")) == RUNS
    await steered.assert_settled(2 * RUNS, allow=("dead",))


async def redrive(deployed: Deployment) -> asyncio.subprocess.Process:
    """Start a process that redrives all dead letters."""
    where = ("--bus-url", deployed.url, "--namespace", deployed.namespace)
    command = (sys.executable, "-m", "headrace_cli", "dlq", "redrive", APP, "--all", *where)
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE)


async def start_all(deployment: Deployment) -> None:
    await asyncio.gather(*(deployment.worker(group) for group in deployment.plan.groups), deployment.reply())


async def is_suspended(deployed: Deployment, client: Client, trace_id: str) -> bool:
    """Tell whether all that a run has left is parked: one piece of work, in no stream."""
    view = await client.view(trace_id)
    backlogs = [await deployed.backlog(group) for group in deployed.plan.groups]
    return view is not None and view.in_flight == 1 and sum(backlogs) == 0 and await deployed.ended() == 0


async def is_worked_off(deployed: Deployment, group: str = "second") -> bool:
    return await deployed.backlog(group) == 0


async def has_backlog(deployed: Deployment, entries: int) -> bool:
    return await deployed.backlog("second") == entries


async def has_ended(deployed: Deployment, runs: int) -> bool:
    return await deployed.ended() == runs


async def is_past(deployed: Deployment, until_ms: int) -> bool:
    async with deployed.closing_bus() as bus:
        return await bus.now_ms() > until_ms
