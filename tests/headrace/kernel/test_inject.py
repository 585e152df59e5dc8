"""Injected parameters: one instance a scope, closed when the scope ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import anyio
from dishka import AnyOf, Provider, Scope, provide
from msgspec import Struct
from tests.headrace.kernel.bench import bench, failure

from headrace.errors import FailureKind
from headrace.graph.options import Drop, Inject, Retry
from headrace.graph.pipe import Pipe
from headrace.kernel.inject import Injector
from headrace.ledger.values import Schedule


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


class Named(Protocol):
    name: str


class Thing:
    def __init__(self, name: str) -> None:
        self.name = name


class ForApp(Thing):
    pass


class ForRun(Thing):
    pass


class ForCall(Thing):
    pass


class Things(Provider):
    """Gives things by scope, slowly, and writes down what was opened and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []

    @provide(scope=Scope.APP)
    async def for_app(self) -> AsyncIterator[AnyOf[ForApp, Named]]:
        await anyio.lowlevel.checkpoint()
        self.log.append("app opened")
        yield ForApp("app")
        self.log.append("app closed")

    @provide(scope=Scope.REQUEST)
    async def for_run(self, above: ForApp) -> AsyncIterator[ForRun]:
        await anyio.lowlevel.checkpoint()
        self.log.append("run opened")
        yield ForRun("run")
        self.log.append("run closed")

    @provide(scope=Scope.STEP)
    async def for_call(self, above: ForRun) -> AsyncIterator[ForCall]:
        await anyio.lowlevel.checkpoint()
        self.log.append("call opened")
        yield ForCall("call")
        self.log.append("call closed")


class Broken(Provider):
    """Gives what cannot be opened, or not closed."""

    @provide(scope=Scope.STEP)
    def for_call(self) -> ForCall:
        raise ConnectionError

    @provide(scope=Scope.REQUEST)
    async def for_run(self) -> AsyncIterator[ForRun]:
        yield ForRun("run")
        raise ConnectionError


def wanting(provider: Provider, seen: list[tuple[Thing, ...]], siblings: int = 3) -> Pipe:
    pipe = Pipe("wanting")
    pipe.provide(provider)

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part()] * siblings

    @pipe.node
    async def use(part: Part, app: Inject[ForApp], run: Inject[ForRun], call: Inject[ForCall]) -> Drop:
        seen.append((app, run, call))
        return Drop()

    return pipe


async def test_there_is_one_instance_a_process_one_a_hop_and_one_a_call_though_siblings_ask_side_by_side() -> None:
    seen: list[tuple[Thing, ...]] = []
    async with bench(wanting(Things(), seen)) as on:
        await asyncio.gather(on.run(Ask()), on.run(Ask()))

    apps, runs, calls = zip(*seen, strict=True)
    assert [len({id(thing) for thing in things}) for things in (apps, runs, calls)] == [1, 2, 6]


async def test_what_a_scope_holds_is_closed_when_it_ends_the_inner_ones_first() -> None:
    things = Things()
    async with bench(wanting(things, [], siblings=1)) as on:
        await on.run(Ask())
        await on.run(Ask())
        hop = ["run opened", "call opened", "call closed", "run closed"]
        assert things.log == ["app opened", *hop, *hop]

    assert things.log[-1] == "app closed"


async def test_what_a_scope_holds_is_closed_when_the_call_failed_too() -> None:
    things = Things()
    pipe = Pipe("failing")
    pipe.provide(things)

    @pipe.node
    async def answer(ask: Ask, call: Inject[ForCall]) -> Answer:
        raise ValueError

    async with bench(pipe) as on:
        assert failure(await on.run(Ask())).error == "ValueError"
    assert things.log[-3:] == ["call closed", "run closed", "app closed"]


async def test_an_instance_is_the_same_asked_for_by_interface_and_by_class() -> None:
    pipe = Pipe("interface")
    pipe.provide(Things())

    @pipe.node
    async def answer(ask: Ask, one: Inject[ForApp], other: Inject[Named]) -> Answer:
        return Answer(int(one is other))

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask())) == Answer(1)


async def test_a_sync_node_gets_what_it_wants_too() -> None:
    pipe = Pipe("threads")
    pipe.provide(Things())

    @pipe.node
    def answer(ask: Ask, run: Inject[ForRun]) -> Answer:
        return Answer(len(run.name))

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask())) == Answer(3)


async def test_a_provider_that_raises_is_a_failure_of_the_call_and_is_tried_again_as_one() -> None:
    pipe = Pipe("broken")
    pipe.provide(Broken())

    @pipe.node(retry=Retry(attempts=2, on=(ConnectionError,)))
    async def answer(ask: Ask, call: Inject[ForCall]) -> Answer:
        return Answer()

    async with bench(pipe) as on:
        (output,) = (await on.run(Ask())).outputs
        assert isinstance(output, Schedule)
        failed = failure(await on.follow(output))
        assert (failed.kind, failed.node, failed.error) == (FailureKind.STEP, "answer", "ConnectionError")


async def test_a_provider_that_hangs_takes_no_longer_than_the_call_may() -> None:
    class Hanging(Provider):
        @provide(scope=Scope.STEP)
        async def make(self) -> ForCall:
            await anyio.sleep_forever()
            raise AssertionError

    pipe = Pipe("hanging")
    pipe.provide(Hanging())

    @pipe.node(timeout=0.01)
    async def answer(ask: Ask, call: Inject[ForCall]) -> Answer:
        return Answer()

    async with bench(pipe) as on:
        failed = failure(await on.run(Ask()))
        assert (failed.kind, failed.node) == (FailureKind.TIMEOUT, "answer")


async def test_a_provider_that_cannot_close_what_a_hop_used_fails_the_run_rather_than_the_worker() -> None:
    pipe = Pipe("broken")
    pipe.provide(Broken())

    @pipe.node
    async def answer(ask: Ask, run: Inject[ForRun]) -> Answer:
        if ask.number:
            raise ValueError
        return Answer()

    async with bench(pipe) as on:
        settled = await on.run(Ask())
        assert (failure(settled).kind, failure(settled).node) == (FailureKind.STEP, "answer")
        assert failure(await on.run(Ask(1))).error == "ValueError"  # the first error is not hidden


async def test_a_provider_that_cannot_close_what_a_call_used_fails_the_call_but_never_hides_its_own_error() -> None:
    class Leaking(Provider):
        @provide(scope=Scope.STEP)
        async def make(self) -> AsyncIterator[ForCall]:
            yield ForCall("call")
            raise ConnectionError

    pipe = Pipe("leaking")
    pipe.provide(Leaking())

    @pipe.node
    async def answer(ask: Ask, call: Inject[ForCall]) -> Answer:
        if ask.number:
            raise ValueError
        return Answer()

    async with bench(pipe) as on:
        assert failure(await on.run(Ask())).error == "ExitError"
        assert failure(await on.run(Ask(1))).error == "ValueError"


async def test_closing_a_container_twice_is_closing_it_once() -> None:
    injector = Injector(())
    await injector.aclose()
    await injector.aclose()
