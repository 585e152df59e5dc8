"""Injected parameters of a run in this process: closed to their end however it ends, and never in the way of why."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from dishka import Provider, Scope
from tests.headrace.kernel.engine.pipes import Item
from tests.headrace.kernel.engine.told import finish, story

from headrace import Inject, Pipe
from headrace.errors import FailureKind
from headrace.ledger.values import RunState

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
SCOPES = pytest.mark.parametrize("scope", [Scope.STEP, Scope.REQUEST])


class Link:
    """What is opened and closed."""


def linked(scope: Scope, closed: list[str], body: Callable[[], Awaitable[object]], *, breaks: bool = False) -> Pipe:
    """A pipe whose node needs a link, which takes a while to close, and may break then."""

    async def link() -> AsyncIterator[Link]:
        yield Link()
        await checkpoint()
        closed.append(scope.name)
        if breaks:
            raise OSError

    provider = Provider(scope=scope)
    provider.provide(link)
    pipe = Pipe("linked")
    pipe.provide(provider)

    @pipe.node
    async def use(message: Item, link: Inject[Link]) -> None:
        await body()

    return pipe


async def fails() -> None:
    raise ValueError


def events_of(backend: str, pipe: Pipe, **options: Any) -> list[Any]:
    async def run() -> list[Any]:
        return await story(pipe, Item(1), **options)

    return anyio.run(run, backend=backend)


@BACKENDS
@SCOPES
def test_a_close_that_breaks_never_hides_what_a_node_failed_with(backend: str, scope: Scope) -> None:
    finished = finish(events_of(backend, linked(scope, [], fails, breaks=True)))
    assert finished.failure is not None
    assert (finished.failure.error, finished.failure.node) == ("ValueError", "use")


@BACKENDS
def test_what_a_run_held_that_cannot_be_closed_is_a_failure_of_its_shutdown(backend: str) -> None:
    finished = finish(events_of(backend, linked(Scope.REQUEST, [], checkpoint, breaks=True)))
    assert [(each.kind, each.error) for each in finished.failures] == [(FailureKind.SHUTDOWN, "ExitError")]
    finished = finish(events_of(backend, linked(Scope.REQUEST, [], fails, breaks=True)))
    assert [each.error for each in finished.failures] == ["ValueError", "ExitError"]


@BACKENDS
@SCOPES
@pytest.mark.parametrize("breaks", [False, True])
def test_a_run_that_expires_closes_what_it_held_to_its_end(backend: str, scope: Scope, breaks: bool) -> None:
    closed: list[str] = []
    pipe = linked(scope, closed, anyio.sleep_forever, breaks=breaks)
    assert finish(events_of(backend, pipe, timeout=0.1)).status is RunState.EXPIRED
    assert closed == [scope.name]


@BACKENDS
@SCOPES
def test_a_scope_around_a_run_that_is_cancelled_still_lets_it_close_what_it_held(backend: str, scope: Scope) -> None:
    closed: list[str] = []

    async def run() -> None:
        with anyio.CancelScope() as around:

            async def leave() -> None:
                around.cancel()
                await anyio.sleep_forever()

            await linked(scope, closed, leave).run(Item(1))

    anyio.run(run, backend=backend)
    assert closed == [scope.name]


@SCOPES
async def test_a_close_that_breaks_lets_the_cancellation_of_the_caller_go_on(scope: Scope) -> None:
    begun, closed = asyncio.Event(), list[str]()

    async def wait() -> None:
        begun.set()
        await anyio.sleep_forever()

    async with asyncio.TaskGroup() as group:
        caller = group.create_task(linked(scope, closed, wait, breaks=True).run(Item(1)))
        await begun.wait()
        caller.cancel()
    assert caller.cancelled()
    assert closed == [scope.name]
