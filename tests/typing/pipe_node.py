"""What declaring a node does to its function's type: nothing. Checked by mypy, never run."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import assert_type

from msgspec import Struct

from headrace import (
    Context,
    Drop,
    ExecutionPlan,
    First,
    Gather,
    Inject,
    Partial,
    Pipe,
    Retry,
    Signal,
    State,
    Suspend,
)


class Ask(Struct):
    number: int = 0


class Answer(Struct):
    number: int = 0


class Refusal(Struct):
    number: int = 0


class Rates:
    def of(self, number: int) -> int:
        return number


pipe = Pipe("typed")


@pipe.node
async def plain(ask: Ask) -> Answer:
    return Answer(ask.number)


@pipe.node(group="far", retry=3, timeout=1.0, concurrency=2)
def with_options(ask: Ask) -> Answer | Drop | None:
    return Answer(ask.number)


@pipe.node
def generator(ask: Ask) -> Iterator[Answer]:
    yield Answer(ask.number)


@pipe.node
async def series(ask: Ask) -> AsyncIterator[Answer]:
    yield Answer(ask.number)


@pipe.node(key="number", retry=Retry(attempts=2, on=(ConnectionError,)))
async def with_all(ask: Ask, rates: Inject[Rates], seen: State[Answer], ctx: Context) -> Answer:
    assert_type(rates, Rates)
    assert_type(seen, Answer)
    assert_type(ctx.attempt, int)
    assert_type(ctx.deadline, float | None)
    return Answer(rates.of(ask.number))


@pipe.node(barrier_timeout=2.5)
async def join(ask: Ask, answer: Partial[Answer], either: First[Answer | Refusal]) -> Answer:
    assert_type(answer, Answer | None)
    assert_type(either, Answer | Refusal)
    return answer or Answer()


@pipe.node
def gather(answers: Gather[Answer], all_kinds: Gather[Answer | Refusal]) -> Answer:
    assert_type(answers, list[Answer])
    assert_type(all_kinds, list[Answer | Refusal])
    return answers[0]


@pipe.node
async def wait(ask: Ask, approval: Signal[Refusal]) -> Answer | Suspend:
    assert_type(approval, Refusal | None)
    return Suspend(until="approval") if approval is None else Suspend(until=2.5)


@pipe.on_startup
async def start() -> None: ...


@pipe.on_shutdown
def stop() -> None: ...


def takes_plain(function: Callable[[Ask], Awaitable[Answer]]) -> None: ...


async def check(ctx: Context) -> None:
    assert_type(await plain(Ask()), Answer)
    assert_type(with_options(Ask()), Answer | Drop | None)
    assert_type(generator(Ask()), Iterator[Answer])
    assert_type(series(Ask()), AsyncIterator[Answer])
    assert_type(await with_all(Ask(), Rates(), Answer(), ctx=ctx), Answer)
    assert_type(await join(Ask(), None, Refusal()), Answer)
    assert_type(gather([Answer()], [Refusal()]), Answer)
    assert_type(await wait(Ask(), None), Answer | Suspend)
    assert_type(await start(), None)
    assert_type(pipe.compile(), ExecutionPlan)
    takes_plain(plain)
    await plain("no message")  # type: ignore[arg-type]
    gather([Answer()], [Ask()])  # type: ignore[list-item]
    pipe.node(no_option=1)  # type: ignore[call-overload]
    pipe.node(timeout="long")  # type: ignore[call-overload]
