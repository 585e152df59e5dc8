"""The order in which places stop, and which of several failures comes out."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.headrace_supervisor.test_place import place_of

from headrace.errors import HandoffError
from headrace_supervisor.place import Place, State
from headrace_supervisor.supervisor import Supervisor

pytestmark = pytest.mark.slow


async def stopped(supervisor: Supervisor) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.run())
        await supervisor.ready()
        supervisor.stop()


async def test_those_in_front_have_stopped_before_what_they_took_in_is_finished_and_those_behind_stop() -> None:
    front, behind = place_of("good"), place_of("good")
    seen: list[tuple[Place, State]] = []

    async def finished() -> None:
        seen.extend((place, place.state) for place in (front, behind))

    await stopped(Supervisor([front], [behind], finished=finished))
    assert seen == [(front, State.STOPPED), (behind, State.READY)]
    assert behind.state is State.STOPPED


async def test_e03_a_place_that_is_lost_stops_the_others_and_a_failed_stop_does_not_hide_it(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    lost = place_of("refuse_later", group="billing", path=str(gate))
    stubborn = place_of("stubborn", group="store", stop_s=0.1)
    supervisor = Supervisor([], [stubborn, lost])
    with capture_logs() as logged:
        running = asyncio.ensure_future(supervisor.run())
        await stubborn.settled()
        gate.touch()
        with pytest.raises(HandoffError) as failed:
            await running
    assert str(failed.value) == (
        "remote handoff failed for group 'billing': its worker ended with exit code 2 before it was ready"
    )
    assert "child_cut_off" in [event["event"] for event in logged]
    assert supervisor.was_cut_off


async def test_who_waits_until_all_are_ready_is_told_that_one_is_lost() -> None:
    supervisor = Supervisor([], [place_of("refuse", group="billing")])
    running = asyncio.ensure_future(supervisor.run())
    with pytest.raises(HandoffError, match="for group 'billing'"):
        await supervisor.ready()
    with pytest.raises(HandoffError, match="for group 'billing'"):
        await running


async def test_kill_ends_every_child_at_once() -> None:
    supervisor = Supervisor([place_of("stubborn")], [place_of("stubborn")])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.run())
        await supervisor.ready()
        supervisor.kill()
    assert [place.state for place in supervisor.places] == [State.STOPPED, State.STOPPED]
    assert not supervisor.was_cut_off
