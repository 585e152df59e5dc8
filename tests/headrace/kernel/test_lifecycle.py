"""The life of a process: hooks in order, shutdown whatever happened, the first error not hidden."""

from collections.abc import Iterator

import pytest
from dishka import Provider, Scope, provide
from msgspec import Struct

from headrace.graph.options import Inject
from headrace.graph.pipe import Pipe
from headrace.kernel.lifecycle import lifecycle


class Ask(Struct, frozen=True):
    number: int = 0


class Thing:
    pass


class Things(Provider):
    def __init__(self, log: list[str], *, breaks: bool = False) -> None:
        super().__init__()
        self.log = log
        self.breaks = breaks

    @provide(scope=Scope.APP)
    def thing(self) -> Iterator[Thing]:
        yield Thing()
        self.log.append("container")
        if self.breaks:
            raise ConnectionError


def living(log: list[str], broken: frozenset[str] = frozenset()) -> Pipe:
    pipe = Pipe("living")
    pipe.provide(Things(log, breaks="container" in broken))

    @pipe.node
    async def end(ask: Ask, thing: Inject[Thing]) -> None:
        return None

    def act(name: str) -> None:
        log.append(name)
        if name in broken:
            raise ValueError(name)

    @pipe.on_startup
    def first() -> None:
        act("start 1")

    @pipe.on_startup
    async def second() -> None:
        act("start 2")

    @pipe.on_shutdown
    async def third() -> None:
        act("stop 1")

    @pipe.on_shutdown
    def fourth() -> None:
        act("stop 2")

    return pipe


async def live(pipe: Pipe, log: list[str], error: BaseException | None = None) -> None:
    async with lifecycle(pipe.compile()) as injector:
        async with injector.hop() as request:
            await request.get(Thing)
        log.append("body")
        if error is not None:
            raise error


async def test_hooks_run_in_the_order_they_were_written_and_the_container_closes_last() -> None:
    log: list[str] = []
    await live(living(log), log)
    assert log == ["start 1", "start 2", "body", "stop 1", "stop 2", "container"]


async def test_when_a_start_up_hook_fails_the_next_ones_do_not_run_and_the_shutdown_hooks_all_do() -> None:
    log: list[str] = []
    with pytest.raises(ValueError, match=r"^start 1$"):
        await live(living(log, frozenset({"start 1"})), log)
    assert log == ["start 1", "stop 1", "stop 2"]


async def test_a_shutdown_hook_that_fails_keeps_no_other_from_running_and_comes_out() -> None:
    log: list[str] = []
    with pytest.raises(ValueError, match=r"^stop 1$"):
        await live(living(log, frozenset({"stop 1", "stop 2"})), log)
    assert log[-3:] == ["stop 1", "stop 2", "container"]


async def test_who_wants_to_know_is_told_of_every_shutdown_hook_that_fails() -> None:
    log: list[str] = []
    told: list[Exception] = []
    with pytest.raises(ValueError, match=r"^start 2$"):
        async with lifecycle(living(log, frozenset({"start 2", "stop 1", "stop 2"})).compile(), told.append):
            log.append("body")
    assert list(map(str, told)) == ["stop 1", "stop 2"]


async def test_a_provider_that_cannot_close_comes_out_where_nothing_else_went_wrong() -> None:
    log: list[str] = []
    with pytest.raises(ExceptionGroup):
        await live(living(log, frozenset({"container"})), log)


@pytest.mark.parametrize("error", [RuntimeError("first"), KeyboardInterrupt("first")])
async def test_what_fails_on_shutdown_does_not_hide_the_first_error(error: BaseException) -> None:
    log: list[str] = []
    with pytest.raises(type(error), match=r"^first$"):
        await live(living(log, frozenset({"stop 1", "container"})), log, error)
    assert log[-3:] == ["stop 1", "stop 2", "container"]


async def test_what_fails_on_shutdown_does_not_hide_a_failed_start_up() -> None:
    log: list[str] = []
    with pytest.raises(ValueError, match=r"^start 2$"):
        await live(living(log, frozenset({"start 2", "stop 1"})), log)
    assert log == ["start 1", "start 2", "stop 1", "stop 2"]
