"""Faults while a fan-out is under way: before it is all recorded, while its scope is open, and in its gather."""

import asyncio
from pathlib import Path

import pytest
from tests.faults.crashing import Point
from tests.faults.deployment import Deployment, killed
from tests.faults.steered import Answer, Order, told

from headrace.bus.redis.spill import DEFAULT_SPILL_OVER
from headrace.testing.wait import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]
PIECES = 100
SPILLED = 4 * DEFAULT_SPILL_OVER


async def test_a_worker_killed_while_a_scope_is_open_loses_none_of_its_pieces(
    steered: Deployment, tmp_path: Path
) -> None:
    gate, starts = tmp_path / "gate", tmp_path / "starts"
    victim = await steered.worker("second")
    async with steered.client("first", "third", "fourth", with_reply=True) as client:
        running = asyncio.create_task(client.run(Order(PIECES, str(starts), str(gate))))
        await wait_until(lambda: is_half_done(steered, starts), description="half of the pieces have come, half wait")
        victim.kill()
        gate.touch()
        await steered.worker("second")
        assert await running == Answer(tuple(range(PIECES)))
    assert len(told(starts)) == PIECES + PIECES // 2  # what had come was not made again
    await steered.assert_settled(1)


@pytest.mark.parametrize("at", [Point.AFTER_READ, Point.BEFORE_COMMIT, Point.AFTER_COMMIT])
async def test_a_worker_killed_in_its_gather_loses_nothing_of_what_was_gathered(steered: Deployment, at: Point) -> None:
    victim = steered.crashing_worker("third", at)
    async with steered.client("first", "second", "fourth", with_reply=True) as client:
        running = asyncio.create_task(client.run(Order(PIECES)))
        assert await killed(victim)
        await steered.worker("third")
        assert await running == Answer(tuple(range(PIECES)))
    await steered.assert_settled(1)


@pytest.mark.parametrize("at", [Point.BEFORE_PART, Point.AFTER_PART])
async def test_a_worker_killed_between_two_parts_of_a_large_fan_out_leaves_the_rest_to_another(
    steered: Deployment, at: Point
) -> None:
    victim = steered.crashing_worker("first", at)
    async with steered.client("second", "third", "fourth", with_reply=True) as client:
        running = asyncio.create_task(client.run(Order(SPILLED)))
        assert await killed(victim)
        assert not running.done()
        await steered.worker("first")
        assert await running == Answer(tuple(range(SPILLED)))
    await steered.assert_settled(1)


async def is_half_done(deployed: Deployment, starts: Path) -> bool:
    return len(told(starts)) == PIECES and await deployed.backlog("second") == PIECES // 2
