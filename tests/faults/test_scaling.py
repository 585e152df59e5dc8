"""Workers that come and go while there is work, and runs that overtake each other."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.faults.app import Ask, Counted, Do
from tests.faults.deployment import Deployment, answers, asks, counted, run_many
from tests.support.services import Service

from headrace.testing.wait import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
A_LOT = 6000


async def test_scaling_from_five_workers_to_one_while_busy_loses_nothing(deployed: Deployment) -> None:
    last, *others = await asyncio.gather(*(deployed.worker("second", slots="8") for _ in range(5)))
    async with busy(deployed) as told:
        codes = await asyncio.gather(*(asyncio.to_thread(worker.terminate) for worker in others))
        assert codes == [0] * 4
        assert not told.done()
        assert await told == counted(A_LOT)
        assert last.process.poll() is None
    await deployed.assert_settled(A_LOT)


async def test_workers_killed_one_after_the_other_while_busy_lose_nothing(deployed: Deployment) -> None:
    workers = await asyncio.gather(*(deployed.worker("second", slots="8") for _ in range(3)))
    async with busy(deployed) as told:
        for worker in workers[1:]:
            worker.kill()
            await deployed.worker("second", slots="8")
        assert await told == counted(A_LOT)
    await deployed.assert_settled(A_LOT)


async def test_a_rolling_restart_under_load_loses_nothing(deployed: Deployment) -> None:
    old = await asyncio.gather(*(deployed.worker("second", slots="8") for _ in range(2)))
    async with busy(deployed) as told:
        for worker in old:
            await deployed.worker("second", slots="8")
            assert await asyncio.to_thread(worker.terminate) == 0
        assert await told == counted(A_LOT)
    await deployed.assert_settled(A_LOT)


async def test_a_rolling_restart_with_the_same_identity_loses_nothing(deployed: Deployment) -> None:
    names = ("worker-0", "worker-1")
    old = await asyncio.gather(*(deployed.named("second", name) for name in names))
    async with busy(deployed) as told:
        for name, worker in zip(names, old, strict=True):
            await replace(deployed, worker, name)
        assert await told == counted(A_LOT)
    await deployed.assert_settled(A_LOT)


async def test_runs_of_different_keys_overtake_each_other(deployed: Deployment, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    await deployed.worker("second")
    async with deployed.client("first", "third", with_reply=True) as client:
        held = await client.ask_all(asks(50, key="held", do=Do.WAIT, path=gate))
        later = await client.ask_all(asks(50, key="free"))
        assert await answers(client, later) == counted(50)
        assert not any(future.done() for _, future in held)
        gate.touch()
        assert await answers(client, held) == counted(50)
    await deployed.assert_settled(100)


async def test_runs_of_one_key_that_overtake_each_other_are_counted_in_their_order(
    deployed: Deployment, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    await deployed.worker("second")
    async with deployed.client("first", "third", with_reply=True) as client:
        asked = await client.ask_all([Ask(str(n), "k", Do.NOTHING if n % 2 else Do.WAIT, str(gate)) for n in range(50)])
        await wait_until(lambda: are_waiting(deployed, 25), description="every second run has overtaken the one before")
        assert not any(future.done() for _, future in asked)
        gate.touch()
        assert await answers(client, asked) == counted(50)
    await deployed.assert_settled(50)


async def are_waiting(deployed: Deployment, runs: int) -> bool:
    return await deployed.pending("second") == runs and await deployed.backlog("second") == runs


async def replace(deployed: Deployment, worker: Service, name: str) -> None:
    """Kill a worker and start one under its name, which finds what the name held."""
    worker.kill()
    await deployed.named("second", name)


@asynccontextmanager
async def busy(deployed: Deployment) -> AsyncGenerator[asyncio.Task[list[Counted]]]:
    """Have a lot of runs answered; the body starts when the group in the middle is at work."""
    async with deployed.client("first", "third", with_reply=True) as client:
        told = asyncio.create_task(run_many(client, A_LOT))
        await wait_until(lambda: is_busy(deployed), description="the group is at work")
        yield told


async def is_busy(deployed: Deployment) -> bool:
    return await deployed.pending("second") > 0
