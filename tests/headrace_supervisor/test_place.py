"""A place and its children, which are real processes: started, heard, started again, given up, stopped, killed."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.processes import command_of, is_gone

from headrace.errors import Handoff, HandoffError
from headrace.settings.services import ServiceSettings
from headrace.settings.sources import read_settings
from headrace.testing.wait import wait_until
from headrace_supervisor.child import Output, Spec
from headrace_supervisor.place import ChildLostError, Place, State
from headrace_supervisor.restarts import RestartPolicy

pytestmark = pytest.mark.slow

POLICY = RestartPolicy(first_s=0.01, crash_limit=3)


class Told(ServiceSettings):
    app: str
    group: str = ""


def place_of(
    app: str,
    *,
    group: str = "billing",
    output: Output | None = None,
    path: str = "",
    start_s: float = 60.0,
    hang_s: float = 20.0,
    stop_s: float = 25.0,
) -> Place:
    told = read_settings(Told, {"app": app, "group": path, "namespace": "first", "signing_keys": "k1:secret"})
    spec = Spec(
        *("worker 'billing'", "tests.headrace_supervisor.faulty", told, group),
        start_s=start_s,
        hang_s=hang_s,
        stop_s=stop_s,
    )
    return Place(spec, {"pipe": "first"}, POLICY, output)


@asynccontextmanager
async def running(place: Place) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(place.run(lambda: None))
        yield
        place.stop()


async def lost(place: Place) -> str:
    await place.run(lambda: None)
    assert place.state is State.LOST
    return str(place.lost)


async def test_a_child_is_ready_when_it_says_so_and_its_beats_are_heard() -> None:
    place = place_of("good")
    async with running(place):
        assert place.state is State.STARTING
        await place.settled()
        assert (place.state, place.url) == (State.READY, "http://here")
        await wait_until(lambda: place.beat.done == 2, description="a beat is heard")
    assert (place.state, place.pid, place.restarts) == (State.STOPPED, 0, 0)


async def test_a_child_that_is_killed_is_started_again() -> None:
    place = place_of("good")
    async with running(place):
        await place.settled()
        first = place.pid
        place.kill()
        await wait_until(lambda: place.state is State.READY and place.pid != first, description="another one is ready")
        assert place.restarts == 1


async def test_a_child_that_failed_once_before_it_was_ready_is_started_again(tmp_path: Path) -> None:
    place = place_of("once", path=str(tmp_path / "once"))
    async with running(place):
        await place.settled()
        assert (place.state, place.restarts, place.lost) == (State.READY, 1, None)


async def test_a_crash_loop_is_given_up_with_its_group_and_exit_code() -> None:
    place = place_of("crash")
    assert await lost(place) == (
        "remote handoff failed for group 'billing': "
        "its worker ended with exit code 3 before it was ready, 3 times in a row"
    )
    assert place.restarts == 2


async def test_a_child_that_dies_whenever_it_is_ready_is_a_crash_loop_too() -> None:
    assert await lost(place_of("die")) == (
        "remote handoff failed for group 'billing': its worker ended with exit code 4, 3 times in a row"
    )


async def test_a_mistake_is_given_up_at_once() -> None:
    place = place_of("refuse")
    assert await lost(place) == (
        "remote handoff failed for group 'billing': its worker ended with exit code 2 before it was ready"
    )
    assert place.restarts == 0


async def test_a_service_without_a_group_is_lost_in_other_words() -> None:
    place = place_of("refuse", group="")
    assert await lost(place) == "the worker 'billing' ended with exit code 2 before it was ready"
    assert isinstance(place.lost, ChildLostError)


@pytest.mark.parametrize(
    ("app", "handoff", "how"),
    [
        ("silent", Handoff.TIMED_OUT, "was silent for 0.3 s and was killed before it was ready"),
        ("mute", Handoff.TIMED_OUT, "was silent for 0.2 s and was killed"),
        ("garbage", Handoff.TRANSPORT, "reported what is no report and was killed before it was ready"),
        ("other", Handoff.TRANSPORT, "speaks protocol 9 instead of 1 and was killed before it was ready"),
    ],
)
async def test_how_a_child_fails_decides_the_words(app: str, handoff: Handoff, how: str) -> None:
    place = place_of(app, start_s=0.3 if app == "silent" else 60.0, hang_s=0.2 if app == "mute" else 60.0)
    assert await lost(place) == (f"remote handoff {handoff} for group 'billing': its worker {how}, 3 times in a row")
    assert isinstance(place.lost, HandoffError)


async def test_every_death_is_told_with_the_words_and_without_what_the_child_wrote() -> None:
    with capture_logs() as logged:
        await lost(place_of("crash"))
    died = [event for event in logged if event["event"] == "child_died"]
    assert [event["again_s"] for event in died] == [0.01, 0.02, None]
    assert {event["words"] for event in died} == {"remote handoff failed for group 'billing'"}
    assert "secret" not in str(logged)


async def test_a_child_that_does_not_stop_is_killed_and_that_is_told() -> None:
    place = place_of("stubborn", stop_s=0.1)
    async with running(place):
        await place.settled()
    assert (place.state, place.was_cut_off) == (State.STOPPED, True)


async def test_what_a_child_has_started_is_killed_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    place = place_of("forks", path=str(mark))
    async with running(place):
        await place.settled()
        await wait_until(lambda: mark.exists() and mark.read_text() != "", description="it has a child of its own")
        place.kill()
        await wait_until(lambda: is_gone(int(mark.read_text())), description="that one is gone")


async def test_secrets_come_by_the_pipe_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_SIGNING_KEYS", "k1:secret")
    monkeypatch.setenv("HEADRACE_BUS_URL", "redis://:password@nowhere")
    written: list[str] = []
    place = place_of("prints", output=written.append)
    async with running(place):
        await place.settled()
        await wait_until(lambda: len(written) == 3, description="it has written")
        arguments = await asyncio.to_thread(command_of, place.pid)
    assert (written[0], written[2]) == ("to stdout", "to stderr")
    assert set(json.loads(written[1])) == {"HEADRACE_BOOTSTRAP_FD"}
    assert arguments.split()[-1] == "tests.headrace_supervisor.faulty"


async def test_a_plan_that_has_changed_is_told() -> None:
    place = Place(place_of("good").spec, {"pipe": "second"}, POLICY)
    with capture_logs() as logged:
        async with running(place):
            await place.settled()
    assert [event["pipes"] for event in logged if event["event"] == "plan_changed"] == [["pipe"]]


async def test_a_place_that_is_told_to_stop_before_it_starts_starts_nothing() -> None:
    place = place_of("good")
    place.stop()
    await place.run(lambda: None)
    assert (place.state, place.restarts) == (State.STOPPED, 0)
