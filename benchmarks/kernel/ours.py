"""Headrace: `pipe.events`, read to the end, or `pipe.run`, just the result."""

import inspect
from typing import Any

from benchmarks.kernel.case import CASES, TOKENS, Cases
from msgspec import Struct, defstruct

from headrace import Context, Emitted, Gather, Pipe


class Start(Struct):
    count: int


class Number(Struct):
    value: int


class Same(Struct):
    value: int


class Answer(Struct):
    value: int


def _chain(length: int) -> tuple[Pipe, Any]:
    kinds = [defstruct(f"Link{number}", [("value", int)]) for number in range(length + 1)]
    pipe = Pipe("chain")
    for number in range(length):
        pipe.node(_link(number, kinds[number], kinds[number + 1]))
    return pipe, kinds[0](0)


def _link(number: int, takes: type[Any], gives: type[Any]) -> Any:
    async def link(message: Any) -> Any:
        return gives(message.value + 1)

    link.__name__ = f"link{number}"
    link.__annotations__ = {"message": takes, "return": gives}
    return link


def _fan_out() -> tuple[Pipe, Any]:
    kinds = [defstruct(f"Branch{number}", [("value", int)]) for number in range(10)]
    pipe = Pipe("fan_out")

    @pipe.node
    async def begin(start: Start) -> Number:
        return Number(start.count)

    for number, kind in enumerate(kinds):
        pipe.node(_link(number, Number, kind))

    async def join(**branches: Any) -> Answer:
        return Answer(sum(branch.value for branch in branches.values()))

    slots = {f"branch{number}": kind for number, kind in enumerate(kinds)}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in slots.items()
    ]
    join.__annotations__ = {**slots, "return": Answer}
    join.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    pipe.node(join)
    return pipe, Start(0)


def _map() -> Pipe:
    pipe = Pipe("map")

    @pipe.node
    async def split(start: Start) -> list[Number]:
        return [Number(number) for number in range(start.count)]

    @pipe.node
    async def same(number: Number) -> Same:
        return Same(number.value)

    @pipe.node
    async def add(numbers: Gather[Same]) -> Answer:
        return Answer(sum(number.value for number in numbers))

    return pipe


def _tokens() -> Pipe:
    pipe = Pipe("tokens")

    @pipe.node
    async def speak(start: Start, ctx: Context) -> Answer:
        for _ in range(start.count):
            ctx.emit("token")
        return Answer(start.count)

    return pipe


async def _read(pipe: Pipe, message: Any) -> int:
    tokens, events = 0, pipe.events(message)
    async for event in events:
        tokens += isinstance(event, Emitted)
    return tokens or int(events.result().value)


async def _run(pipe: Pipe, message: Any) -> int:
    result = await pipe.run(message)
    value: int = result.value
    return value


def cases(*, with_events: bool) -> Cases:
    mapping = _map()
    pipes = (
        _chain(3),
        _fan_out(),
        (mapping, Start(1_000)),
        (mapping, Start(100_000)),
        _chain(900),
        (_tokens(), Start(TOKENS)),
    )
    run = _read if with_events else _run
    return {
        case.name: lambda pipe=pipe, message=message: run(pipe, message)
        for case, (pipe, message) in zip(CASES, pipes, strict=True)
    }
