"""Faults of one worker: killed at each point of its work, paused past its lease, stopped with work in hand."""

import asyncio
import signal
from pathlib import Path

import pytest
from tests.faults.app import Do
from tests.faults.crashing import Point
from tests.faults.deployment import Deployment, answers, asks, counted, killed, logs

from headrace.ledger.terminal import failure_of
from headrace.testing.wait import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


async def crash_and_replace(deployed: Deployment, group: str, at: Point) -> None:
    """Have the only worker of a group killed at a point while runs are under way; then others take over."""
    standing_by = [name for name in ("first", "second", "third") if name != group]
    victim = deployed.crashing_worker(group, at)
    async with deployed.client(*standing_by, with_reply=True) as client, deployed.closing_bus() as bus:
        asked = await client.ask_all(asks())
        assert await killed(victim)
        async with deployed.here(bus, group):
            assert await answers(client, asked) == counted()
    await deployed.assert_settled(len(asked))


async def test_a_worker_killed_after_it_read_loses_nothing(deployed: Deployment) -> None:
    await crash_and_replace(deployed, "second", Point.AFTER_READ)


async def test_a_worker_killed_before_its_commit_loses_nothing(deployed: Deployment) -> None:
    await crash_and_replace(deployed, "second", Point.BEFORE_COMMIT)


async def test_a_worker_killed_after_its_commit_before_the_answer_repeats_nothing(deployed: Deployment) -> None:
    await crash_and_replace(deployed, "second", Point.AFTER_COMMIT)


async def test_a_worker_of_the_entry_killed_after_its_commit_repeats_nothing(deployed: Deployment) -> None:
    await crash_and_replace(deployed, "first", Point.AFTER_COMMIT)


async def test_a_keyed_worker_killed_after_it_read_keeps_order_and_state(deployed: Deployment) -> None:
    await crash_and_replace(deployed, "third", Point.AFTER_READ)


async def test_a_keyed_worker_killed_before_its_commit_counts_nothing_twice(deployed: Deployment) -> None:
    await crash_and_replace(deployed, "third", Point.BEFORE_COMMIT)


async def test_a_keyed_worker_killed_after_its_commit_counts_nothing_twice(deployed: Deployment) -> None:
    await crash_and_replace(deployed, "third", Point.AFTER_COMMIT)


async def test_a_worker_killed_in_its_node_loses_nothing(deployed: Deployment, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    victim = await deployed.worker("second")
    async with deployed.client("first", "third", with_reply=True) as client:
        asked = await client.ask_all(asks(do=Do.WAIT, path=gate))
        await wait_until(Path(f"{gate}.{victim.pid}").exists, description="it is in its node")
        victim.kill()
        gate.touch()
        await deployed.worker("second")
        assert await answers(client, asked) == counted()
    await deployed.assert_settled(len(asked))


async def test_a_worker_killed_after_it_took_over_from_a_dead_one_loses_nothing(deployed: Deployment) -> None:
    async with deployed.client("first", "third", with_reply=True) as client:
        asked = await client.ask_all(asks())
        assert await killed(deployed.crashing_worker("second", Point.AFTER_READ))
        assert await killed(deployed.crashing_worker("second", Point.AFTER_CLAIM))
        await deployed.worker("second")
        assert await answers(client, asked) == counted()
    await deployed.assert_settled(len(asked))


async def test_a_worker_killed_after_it_promoted_retries_loses_nothing(deployed: Deployment) -> None:
    victim = deployed.crashing_worker("second", Point.AFTER_PROMOTE)
    async with deployed.client("first", "third", with_reply=True) as client:
        asked = await client.ask_all(asks(do=Do.AGAIN))
        assert await killed(victim)
        await deployed.worker("second")
        assert await answers(client, asked) == counted()
    await deployed.assert_settled(len(asked))


async def test_a_worker_paused_past_its_lease_is_fenced_and_every_run_has_one_answer(
    deployed: Deployment, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    slow = await deployed.worker("second")
    async with deployed.client("first", "third", with_reply=True) as client:
        asked = await client.ask_all(asks(do=Do.WAIT, path=gate))
        await wait_until(Path(f"{gate}.{slow.pid}").exists, description="it is in its node")
        slow.signal(signal.SIGSTOP)
        gate.touch()
        await deployed.worker("second")
        assert await answers(client, asked) == counted()
        slow.signal(signal.SIGCONT)
        await logs(slow, "commit_fenced")
    await deployed.assert_settled(len(asked))


async def test_a_keyed_worker_paused_past_its_lease_saves_no_old_state(deployed: Deployment) -> None:
    paused = await deployed.worker("third")
    async with deployed.client("first", "second", with_reply=True) as client:
        early = await client.ask_all(asks(20))
        assert await answers(client, early) == counted(20)
        paused.signal(signal.SIGSTOP)  # it waits in its read, and is given the lane's next items by the server
        late = await client.ask_all(asks())
        await wait_until(lambda: is_read_by(deployed, "third"), description="the paused worker holds the lane")
        await deployed.worker("third")
        numbers = [answer.number for answer in await answers(client, late)]
        assert numbers == [number + 21 for number in range(len(late))]
        paused.signal(signal.SIGCONT)
        await logs(paused, "commit_fenced")
        (last,) = await answers(client, await client.ask_all(asks(1)))
        assert last.number == 20 + len(late) + 1
    await deployed.assert_settled(20 + len(late) + 1)


async def test_two_workers_of_one_name_are_told_apart_by_their_deliveries(deployed: Deployment, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    old = await deployed.named("second", "the-same")
    async with deployed.client("first", "third", with_reply=True) as client:
        asked = await client.ask_all(asks(do=Do.WAIT, path=gate))
        await wait_until(Path(f"{gate}.{old.pid}").exists, description="the old one is in its node")
        old.signal(signal.SIGSTOP)
        new = await deployed.named("second", "the-same")
        await wait_until(Path(f"{gate}.{new.pid}").exists, description="the new one has taken over")
        old.signal(signal.SIGCONT)  # and renews its leases under the name of both
        gate.touch()
        assert await answers(client, asked) == counted()
        await wait_until(lambda: "commit_fenced" in old.log + new.log, description="the later is told")
    await deployed.assert_settled(len(asked))


async def test_sigterm_under_load_drains_and_loses_nothing(deployed: Deployment, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    stopped = await deployed.worker("second", slots="16")
    async with deployed.client("first", "third", with_reply=True) as client:
        asked = await client.ask_all(asks(do=Do.WAIT, path=gate))
        await wait_until(Path(f"{gate}.{stopped.pid}").exists, description="it is in its node")
        stopped.signal(signal.SIGTERM)
        await logs(stopped, "stopping")
        gate.touch()
        assert await asyncio.to_thread(stopped.process.wait, 20) == 0
        assert '"in_flight":0' in stopped.log.replace(" ", "")
        assert await deployed.backlog("second") > 0
        await deployed.worker("second")
        assert await answers(client, asked) == counted()
    await deployed.assert_settled(len(asked))


async def test_a_drain_that_runs_out_of_its_budget_leaves_the_rest_to_others(
    deployed: Deployment, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    cut_off = await deployed.worker("second", drain_s="0.2")
    async with deployed.client("first", "third", with_reply=True) as client:
        asked = await client.ask_all(asks(do=Do.WAIT, path=gate))
        await wait_until(Path(f"{gate}.{cut_off.pid}").exists, description="it is in its node")
        assert await asyncio.to_thread(cut_off.terminate) == 0
        assert "drain_cut_off" in cut_off.log
        gate.touch()
        await deployed.worker("second")
        assert await answers(client, asked) == counted()
    await deployed.assert_settled(len(asked))


async def test_an_entry_that_kills_its_workers_is_given_up_and_its_run_fails(
    deployed: Deployment, tmp_path: Path
) -> None:
    path = tmp_path / "entered"
    async with deployed.client("first", "third", with_reply=True) as client:
        ((trace_id, future),) = await client.ask_all(asks(1, do=Do.DIE, path=path))
        victims = [await started_to_die(deployed) for _ in range(2)]
        await deployed.worker("second", max_deliveries="2")
        terminal = await asyncio.wait_for(future, 30)
        assert failure_of(terminal).kind == "worker_crash"
        assert entered_by(tmp_path) == set(victims)
        (letter,) = await deployed.dead_letters("second")
        assert (letter.trace_id, letter.deliveries) == (trace_id, 3)
        assert await answers(client, await client.ask_all(asks(3))) == counted(3)  # its ticket was given back
    await deployed.assert_settled(4, allow=("dead",))


async def started_to_die(deployed: Deployment) -> int:
    victim = deployed.crashing_worker("second", Point.NOWHERE)
    assert await killed(victim)
    return victim.pid


async def is_read_by(deployed: Deployment, group: str) -> bool:
    return await deployed.pending(group) > 0


def entered_by(marks: Path) -> set[int]:
    """Give the processes that have left a mark."""
    return {int(mark.suffix.removeprefix(".")) for mark in marks.iterdir()}
