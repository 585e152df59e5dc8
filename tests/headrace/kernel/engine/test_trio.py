"""The engine on trio: results, waits, threads, time-outs, cancels, iterators that are left."""

from functools import partial
from typing import Any

import anyio
import pytest
from tests.headrace.kernel.engine.pipes import Done, Item, Many, Sum, squares
from tests.headrace.kernel.engine.told import finish, names, story

from headrace import Context, Gather, Pipe, Retry
from headrace.errors import RunExpiredError
from headrace.kernel.events import Emitted, NodeStarted
from headrace.ledger.values import RunState


def on_trio(function: Any, *args: Any, **options: Any) -> Any:
    return anyio.run(partial(function, *args, **options), backend="trio")


def waiting(called: list[str]) -> Pipe:
    pipe = Pipe("waiting")

    @pipe.on_shutdown
    async def shut_down() -> None:
        await anyio.sleep(0.001)
        called.append("shutdown")

    @pipe.node
    async def wait(message: Many) -> Sum:
        await anyio.sleep_forever()
        return Sum(0)

    return pipe


def test_a_map_is_gathered() -> None:
    assert on_trio(squares().run, Many(300)) == Sum(sum(number**2 for number in range(300)))


def test_calls_wait_in_threads_and_on_timers_and_are_made_again() -> None:
    pipe = Pipe("mixed")

    @pipe.node
    def split(message: Many, ctx: Context) -> list[Item]:
        ctx.emit("splitting")
        return [Item(number) for number in range(message.count)]

    @pipe.node(retry=Retry(attempts=2, backoff=0.0001), concurrency=2)
    async def work(item: Item, ctx: Context) -> Done:
        await anyio.sleep(0.0001)
        if ctx.attempt == 1:
            raise ValueError
        return Done(item.number)

    @pipe.node
    async def add(done: Gather[Done]) -> Sum:
        return Sum(sum(each.number for each in done))

    events = on_trio(story, pipe, Many(5))
    assert finish(events).result == Sum(10)
    assert [event.value for event in events if isinstance(event, Emitted)] == ["splitting"]


def test_a_run_expires_and_shuts_down() -> None:
    called: list[str] = []
    with pytest.raises(RunExpiredError):
        on_trio(waiting(called).run, Many(1), timeout=0.1)
    assert called == ["shutdown"]


def test_a_run_is_cancelled_by_its_handle_or_by_closing_its_iterator() -> None:
    called: list[str] = []

    async def cancel() -> None:
        events = waiting(called).events(Many(1))
        heard = []
        async for event in events:
            heard.append(event)
            if isinstance(event, NodeStarted):
                events.cancel()
        assert finish(heard).status is RunState.CANCELLED

    async def close() -> None:
        heard: list[Any] = []
        async with waiting(called).events(Many(1), observers=(heard.append,)) as events:
            async for event in events:
                if isinstance(event, NodeStarted):
                    break
        assert names(heard)[-2:] == ["RunCancelled", "RunFinished"]

    on_trio(cancel)
    on_trio(close)
    assert called == ["shutdown", "shutdown"]


def test_a_scope_around_a_run_that_is_cancelled_still_lets_it_shut_down() -> None:
    called: list[str] = []

    async def run() -> None:
        with anyio.move_on_after(0.001):
            await waiting(called).run(Many(1))

    on_trio(run)
    assert called == ["shutdown"]
