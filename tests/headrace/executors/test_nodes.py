"""Nodes whose `executor` is another process: what they take, give, and end with is as of any other node."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.headrace.executors.elsewhere import Ask, Counted, Facts, Injected, Part, Where, pipe
from tests.headrace.kernel.bench import bench

from headrace.errors import BackendMissingError, FailureKind, FailureSource, RunFailedError
from headrace.executors import backends
from headrace.kernel.events import Emitted, KernelEvent
from headrace.runtime.client import Client
from headrace.runtime.local import local

pytestmark = pytest.mark.slow
HEARD: list[KernelEvent] = []


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def no_stray_tasks() -> None:
    """The deployment's own tasks live as long as the module."""


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[Client]:
    async with local(pipe.compile(), observers=(HEARD.append,)) as client:
        yield client


async def test_the_body_of_a_node_runs_in_another_process(client: Client) -> None:
    where = await client.run(Ask("where"))
    assert isinstance(where, Where)
    assert where.pid != os.getpid()
    assert where.thread == "MainThread"


async def test_a_series_is_made_there_and_its_elements_go_on_from_here(client: Client) -> None:
    assert await client.run(Ask("parts")) == Part(0)


async def test_the_state_of_a_key_that_it_changes_is_saved(client: Client) -> None:
    assert [await client.run(Ask("count")) for _ in range(3)] == [Counted(1), Counted(2), Counted(3)]


async def test_its_context_says_of_which_run_it_is_and_tells_observers_what_it_emits(client: Client) -> None:
    HEARD.clear()
    trace_id, terminal = await client.ask(Ask("context"))
    assert client.result(trace_id, terminal) == Facts(trace_id, "looks", 1)
    emitted = [event.value for event in HEARD if isinstance(event, Emitted) and event.trace_id == trace_id]
    assert emitted == ["one", "two"]


async def test_what_it_injects_comes_from_a_container_of_that_process(client: Client) -> None:
    injected = await client.run(Ask("inject"))
    assert isinstance(injected, Injected)
    assert injected.pid == injected.made != os.getpid()
    again = await client.run(Ask("inject"))
    assert isinstance(again, Injected)
    assert (again.opened, again.made) == (1, again.pid)


async def test_that_container_is_closed_when_the_worker_stops(tmp_path: Path) -> None:
    path = tmp_path / "closed"
    async with local(pipe.compile()) as client:
        injected = await client.run(Ask("inject", str(path)))
    assert isinstance(injected, Injected)
    assert path.read_text() == f"{injected.pid}\n"


async def test_what_it_raises_fails_it_as_anywhere(client: Client) -> None:
    with pytest.raises(RunFailedError) as failed:
        await client.run(Ask("fail"))
    failure = failed.value.failure
    assert (failure.kind, failure.source, failure.node) == (FailureKind.STEP, FailureSource.USER_CODE, "fails")
    assert (failure.error, failure.detail) == ("LookupError", "")


async def test_a_process_that_dies_is_a_failure_of_its_node_and_of_its_kind(client: Client) -> None:
    with pytest.raises(RunFailedError) as failed:
        await client.run(Ask("crash"))
    failure = failed.value.failure
    assert (failure.kind, failure.source, failure.node) == (FailureKind.WORKER_CRASH, FailureSource.PLATFORM, "crashes")


async def test_a_process_that_dies_can_be_tried_again_as_any_failure(client: Client) -> None:
    assert isinstance(await client.run(Ask("crash_once")), Where)


async def test_its_timeout_is_real_and_does_not_count_the_start_of_its_process(client: Client) -> None:
    with pytest.raises(RunFailedError) as failed:
        await client.run(Ask("hang"))
    assert failed.value.failure.kind is FailureKind.TIMEOUT
    assert isinstance(await client.run(Ask("where")), Where)


async def test_a_run_in_this_process_runs_it_in_this_process() -> None:
    where = await pipe.run(Ask("where"))
    assert isinstance(where, Where)
    assert where.pid == os.getpid()


async def test_a_runner_that_was_given_no_other_processes_refuses_such_a_node() -> None:
    with pytest.raises(RuntimeError, match="node 'place' runs on 'process', which this runner was not given"):
        async with bench(pipe):
            pass


async def test_a_worker_without_what_its_nodes_run_on_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends._EXTRAS, "process", ("headrace_nothing", "Nothing"))
    with pytest.raises(BackendMissingError, match=r"pip install 'headrace\[process\]'"):
        async with local(pipe.compile()):
            pass
