"""The texts of what a run fails with: they say which node and which bound, never what a message holds."""

from functools import partial
from typing import Any

import anyio
import pytest
from dishka import Provider, Scope
from msgspec import Struct
from tests.headrace.kernel.engine.pipes import Done, Item, Left, Many, Right, Sum
from tests.headrace.kernel.engine.told import names, story, why

from headrace import Inject, Pipe, RunFailedError, State, To
from headrace.testing.harness import SyncHarness


class Bank:
    """What is injected."""


def giving(output: Any) -> Pipe:
    pipe = Pipe("giving")

    @pipe.node
    async def begin(message: Many) -> Left | Right | To:
        return output  # type: ignore[no-any-return] # that it is refused is what is tested

    @pipe.node
    async def left(message: Left) -> Sum:
        return Sum(message.value)

    @pipe.node
    async def right(message: Right) -> Sum:
        return Sum(message.value)

    return pipe


def detail_of(headrace_sync: SyncHarness, pipe: Pipe) -> str:
    failure = headrace_sync.rehearse(pipe, Many(1)).failure
    assert failure is not None
    return failure.detail


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (Done(404), "node 'begin' gave Done; it may give Left, Right"),
        ([Done(404)], "node 'begin' gave Done; it may give Left, Right"),
        ("404", "node 'begin' gave str; it may give Left, Right"),
        (To("right", Left(404)), "node 'begin' sent Left to node 'right', which takes none"),
        (To("404", Left(404)), "node 'begin' sent Left to a node that there is not"),
    ],
)
def test_an_output_without_a_route_is_told_by_its_type(headrace_sync: SyncHarness, output: Any, text: str) -> None:
    assert detail_of(headrace_sync, giving(output)) == text


def test_a_loop_that_goes_round_too_often_is_told_with_its_bound(headrace_sync: SyncHarness) -> None:
    pipe = Pipe("loop")

    @pipe.node
    async def begin(message: Many) -> Item:
        return Item(0)

    @pipe.node(max_visits=2)
    async def turn(item: Item) -> Item | Sum:
        return item

    assert detail_of(headrace_sync, pipe) == "node 'turn' is at its bound: max_visits=2"


def test_a_call_that_took_too_long_is_told_with_its_time(headrace_sync: SyncHarness) -> None:
    async def slow() -> Bank:
        await anyio.sleep_forever()
        raise AssertionError

    provider = Provider(scope=Scope.STEP)
    provider.provide(slow)
    calling, making = Pipe("calling"), Pipe("making")
    making.provide(provider)

    @calling.node(timeout=2.5)
    async def wait(message: Many) -> Sum:
        await anyio.sleep_forever()
        raise AssertionError

    @making.node(timeout=2.5)
    async def use(message: Many, bank: Inject[Bank]) -> Sum:
        return Sum(1)

    assert detail_of(headrace_sync, calling) == "it took longer than its timeout of 2.5 s"
    made = "to make its injected parameters took longer than its timeout of 2.5 s"
    assert detail_of(headrace_sync, making) == made


def test_middleware_that_gives_no_list_is_told_with_the_node_it_is_around(headrace_sync: SyncHarness) -> None:
    pipe = Pipe("unwrapped")

    @pipe.node
    async def begin(message: Many) -> Sum:
        return Sum(1)

    @pipe.middleware
    def first_of(node: Any, call: Any) -> Any:
        async def first(arguments: Any) -> Any:
            return (await call(arguments))[0]

        return first

    text = "the middleware around node 'begin' gave a Sum; it gives the list that the call gave"
    assert detail_of(headrace_sync, pipe) == text


async def test_a_failure_has_no_text_where_nobody_asked_for_it() -> None:
    pipe = giving(Done(404))
    assert why([event async for event in pipe.events(Many(1))]).detail == ""
    with pytest.raises(RunFailedError) as raised:
        await pipe.run(Many(1))
    assert "gave" not in str(raised.value)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_first_state_that_cannot_be_made_fails_its_node(backend: str) -> None:
    class Broken(Struct):
        count: int = 0

        def __post_init__(self) -> None:
            raise LookupError

    pipe = Pipe("broken")

    @pipe.node(key=lambda _: "one")
    async def count(message: Many, state: State[Broken]) -> Sum:
        return Sum(state.count)

    heard = anyio.run(partial(story, pipe, Many(1)), backend=backend)
    assert (why(heard).node, why(heard).error) == ("count", "InvalidMessageError")
    assert "NodeFailed count" in names(heard)
