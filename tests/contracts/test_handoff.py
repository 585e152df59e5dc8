"""The handoff's contracts, by their names, over TCP and over Redis alike, with real processes where one may die.

E-03, the first failure hidden by none of a stop, is the supervisor's: see its tests.
"""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec import Struct
from structlog.testing import capture_logs
from tests.faults import app as faults
from tests.modes import app as modes
from tests.support.places import Ask, Told
from tests.support.places import pipe as places
from tests.support.services import Service

from headrace import Pipe
from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import RedisBus
from headrace.bus.tcp.broker import serving
from headrace.bus.tcp.bus import TcpBus
from headrace.errors import BusError, RunFailedError, WaitTimeoutError
from headrace.ledger.values import Submission, Submitted
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.settings.services import WorkerSettings
from headrace.settings.sources import read_settings
from headrace.testing.faulty_bus import Fault, FaultyBus
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing
from headrace.wire.signing import Keyring
from headrace_supervisor.child import Spec
from headrace_supervisor.place import Place

SECRET = b"a key of these tests, 32 bytes.."
LEASE_S = "0.5"
ANSWER_S = 40.0


@dataclass(frozen=True)
class Shared:
    """A bus that processes share: as this process has it, and what tells services where it is."""

    bus: Bus
    settings: dict[str, str]

    def worker(self, app: str, group: str, **settings: str) -> Service:
        return Service("worker", app=app, group=group, **{**self.settings, "lease_s": LEASE_S, **settings})


@pytest.fixture(params=["tcp", "redis"])
async def shared(request: pytest.FixtureRequest, redis_url: str, namespace: str) -> AsyncIterator[Shared]:
    if request.param == "redis":
        bus = RedisBus(redis_url, namespace=namespace)
        yield Shared(bus, {"bus_url": redis_url, "namespace": namespace})
        await bus.aclose()
        return
    keyring = Keyring({"k1": SECRET}, "k1", setting="bus_keys")
    async with serving(MemoryBus(), keyring) as broker:
        url = str(broker.address)
        tcp_bus = TcpBus(url, keyring)
        yield Shared(tcp_bus, {"bus_url": url, "bus_keys": f"k1:{base64.b64encode(SECRET).decode()}"})
        await tcp_bus.aclose()


@asynccontextmanager
async def processes(*started: Service) -> AsyncGenerator[tuple[Service, ...]]:
    """Wait until services are up, while the broker in this process answers them; end them with the context."""
    try:
        for service in started:
            await asyncio.to_thread(service.ready)
        yield started
    finally:
        for service in started:
            await asyncio.to_thread(service.close)


ONE_GROUP = {"see": "one", "stay": "one", "tell": "one"}
PLACES = "tests.support.places:pipe"


@pytest.mark.slow
async def test_handoff_01_to_03_a_run_crosses_processes_and_comes_back_by_its_trace_id(shared: Shared) -> None:
    """HANDOFF-01: a cross-group node runs in its group's process. -02: a same-group node uses no hop. -03: the remote
    terminal completes the waiter by the original trace_id."""
    plan = places.compile()
    started = (shared.worker(PLACES, "first"), shared.worker(PLACES, "second"), Service("reply", **shared.settings))
    async with processes(*started) as (first, second, _), connected(plan, shared.bus, Framing()) as client:
        trace_id, terminal = await client.ask(Ask("hello"))
        told: Told = client.result(trace_id, terminal)
        assert told.first_pids == (first.pid, first.pid)
        assert told.second_pid == second.pid
        assert told.trace_ids == (trace_id, trace_id)
        assert await asyncio.to_thread(first.terminate) == await asyncio.to_thread(second.terminate) == 0
        assert '"read": 1' in first.log, first.log  # one entry for two nodes: the second took no hop
        assert '"read": 1' in second.log, second.log


async def test_handoff_02_a_same_group_node_uses_no_hop(shared: Shared) -> None:
    plan = places.compile(ONE_GROUP)
    async with (
        consuming(plan, shared.bus, Framing(), ("one",)) as (consumer,),
        coordinating(shared.bus),
        connected(plan, shared.bus, Framing()) as client,
    ):
        await client.run(Ask("hello"))
    assert consumer.counts["read"] == consumer.counts["committed"] == 1


async def test_handoff_03_a_submission_sent_twice_is_one_run_with_one_answer(shared: Shared) -> None:
    plan = places.compile(ONE_GROUP)
    async with (
        consuming(plan, shared.bus, Framing(), ("one",)) as (consumer,),
        coordinating(shared.bus),
        connected(plan, shared.bus, Framing()) as client,
    ):
        trace_id, _ = await client.ask(Ask("hello"))
        assert await shared.bus.submit([Submission(trace_id, "places", plan.version, ())]) == [Submitted.KNOWN]
        await client.run(Ask("again"))
    assert consumer.counts["committed"] == 2


@pytest.mark.slow
async def test_handoff_04_a_message_that_kills_its_workers_ends_its_run_in_the_words_of_a_handoff(
    shared: Shared, tmp_path: Path
) -> None:
    plan, app = faults.pipe.compile(), "tests.faults.app:pipe"
    ask = faults.Ask("text", "key", faults.Do.DIE, str(tmp_path / "died"))
    async with (
        consuming(plan, shared.bus, Framing(), ("first", "third")),
        coordinating(shared.bus),
        connected(plan, shared.bus, Framing()) as client,
    ):
        asked = asyncio.create_task(client.run(ask, timeout_s=ANSWER_S))
        async with processes(shared.worker(app, "second")) as (victim,):
            assert await asyncio.to_thread(victim.process.wait, ANSWER_S) == -9
        async with processes(shared.worker(app, "second", max_deliveries="1")):
            with pytest.raises(RunFailedError) as failed:
                await asked
    assert str(failed.value) == (
        f"run '{failed.value.trace_id}': remote handoff failed for group 'second' (worker_crash), source platform"
    )


@pytest.mark.slow
async def test_handoff_05_a_child_that_is_told_to_stop_finishes_what_is_in_flight(
    shared: Shared, tmp_path: Path
) -> None:
    plan, gate = places.compile(), tmp_path / "gate"
    async with (
        consuming(plan, shared.bus, Framing(), ("first",)),
        coordinating(shared.bus),
        connected(plan, shared.bus, Framing()) as client,
        processes(shared.worker(PLACES, "second")) as (second,),
    ):
        asked = asyncio.create_task(client.run(Ask("hello", str(gate)), timeout_s=ANSWER_S))
        await wait_until(Path(f"{gate}.{second.pid}").exists, timeout_s=ANSWER_S, description="it is in its node")
        stopping = asyncio.create_task(asyncio.to_thread(second.terminate))
        await wait_until(lambda: '"stopping"' in second.log, description="it is told to stop")
        open_gate(gate)
        assert await stopping == 0
        told: Told = await asked
        assert told.second_pid == second.pid


@pytest.mark.slow
async def test_c_01_to_03_a_child_works_from_its_bundle_alone_for_its_group_alone_in_a_process_of_its_own(
    shared: Shared,
) -> None:
    """C-01: what a child is given by its pipe is all it needs. -02: the other group's entry stays where it is. -03: two
    children share nothing but the bus."""
    plan = places.compile()
    first, second = place_of(shared, PLACES, "first"), place_of(shared, PLACES, "second")
    async with coordinating(shared.bus), connected(plan, shared.bus, Framing()) as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(first.run(lambda: None))
        asked = tasks.create_task(client.run(Ask("hello"), timeout_s=ANSWER_S))
        await wait_until(
            lambda: is_backlog(shared.bus, "places.second", 1), timeout_s=ANSWER_S, description="handed on"
        )
        assert await shared.bus.backlog("places.first") == 0
        tasks.create_task(second.run(lambda: None))
        told: Told = await asked
        assert (told.first_pids, told.second_pid) == ((first.pid, first.pid), second.pid)
        first.stop()
        second.stop()


async def test_d_01_a_terminal_that_comes_twice_completes_its_waiter_once(shared: Shared) -> None:
    """The answer to a commit is lost, so it is sent again: it is fenced, and its run has ended once."""
    plan, faulty = places.compile(ONE_GROUP), FaultyBus(shared.bus)
    faulty.fail("commit", Fault.AFTER)
    async with (
        consuming(plan, faulty, Framing(), ("one",)) as (consumer,),
        coordinating(shared.bus) as coordinator,
        connected(plan, shared.bus, Framing()) as client,
    ):
        assert (await client.run(Ask("hello"))).text == "hello"
        await wait_until(lambda: consumer.counts["fenced"] == 1, description="the second commit is told")
    assert faulty.calls["commit"] == 2
    assert (coordinator.counts["delivered"], coordinator.counts["without_waiter"]) == (1, 0)


async def test_d_02_a_terminal_that_comes_too_late_is_dropped_counted_and_kept(shared: Shared) -> None:
    plan = places.compile(ONE_GROUP)
    async with coordinating(shared.bus) as coordinator, connected(plan, shared.bus, Framing()) as client:
        with pytest.raises(WaitTimeoutError) as waited:
            await client.run(Ask("hello"), timeout_s=0.01)
        async with consuming(plan, shared.bus, Framing(), ("one",)):
            await wait_until(lambda: coordinator.counts["without_waiter"] == 1, description="nobody waits for it")
        trace_id = waited.value.trace_id
        told: Told = client.result(trace_id, await client.wait(trace_id))
    assert told.text == "hello"
    assert coordinator.counts["delivered"] == 0


@pytest.mark.slow
async def test_e_01_a_child_that_hangs_is_killed_in_the_words_of_a_handoff_and_another_does_its_work(
    shared: Shared, tmp_path: Path
) -> None:
    plan, gate = modes.pipe.compile(), tmp_path / "gate"
    hanging = place_of(shared, "tests.modes.app:pipe", "second", hang_s=2.5)
    with capture_logs() as logged:
        async with (
            consuming(plan, shared.bus, Framing(), ("first",)),
            coordinating(shared.bus),
            connected(plan, shared.bus, Framing()) as client,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(hanging.run(lambda: None))
            ask = modes.Ask("hello", modes.Do.BLOCK, str(gate))
            asked = tasks.create_task(client.run(ask, timeout_s=ANSWER_S))
            await wait_until(lambda: hanging.restarts == 1, timeout_s=ANSWER_S, description="it is killed")
            open_gate(gate)
            assert (await asked).text == "hello"
            hanging.stop()
    (died,) = [event for event in logged if event["event"] == "child_died"]
    assert died["words"] == "remote handoff timed out for group 'second'"
    assert died["how"] == "was silent for 2.5 s and was killed"


class Letter(Struct):
    text: str


class Sent(Struct):
    text: str


async def test_e_02_a_transport_that_fails_under_a_node_is_worded_as_its_handoff_without_its_text(
    shared: Shared,
) -> None:
    pipe = Pipe("letters")

    @pipe.node(group="post")
    async def send(letter: Letter) -> Sent:
        raise BusError("redis://:password@secret")

    plan = pipe.compile()
    async with (
        consuming(plan, shared.bus, Framing(), ("post",)),
        coordinating(shared.bus),
        connected(plan, shared.bus, Framing()) as client,
    ):
        with pytest.raises(RunFailedError) as failed:
            await client.run(Letter("hello"))
    assert str(failed.value) == (
        f"run '{failed.value.trace_id}': remote handoff transport failed for group 'post' (transport) "
        "in node 'send', source platform (BusError)"
    )


def place_of(shared: Shared, app: str, group: str, *, hang_s: float = 30.0) -> Place:
    """Make a place whose child is given all it needs by its pipe."""
    settings = read_settings(WorkerSettings, {**shared.settings, "app": app, "group": group, "lease_s": LEASE_S})
    return Place(Spec(f"worker '{group}'", "headrace_worker", settings, group, hang_s=hang_s), {})


async def is_backlog(bus: Bus, stream: str, entries: int) -> bool:
    return await bus.backlog(stream) == entries


def open_gate(gate: Path) -> None:
    gate.touch()
