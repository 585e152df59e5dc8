"""Pipes that the engine's tests share."""

from typing import Any

from msgspec import Struct, defstruct

from headrace import Context, Gather, Pipe


class Many(Struct):
    count: int


class Item(Struct):
    number: int


class Done(Struct):
    number: int


class Sum(Struct):
    value: int


class Left(Struct):
    value: int


class Right(Struct):
    value: int


def chain(length: int) -> tuple[Pipe, object, type[Any]]:
    """A pipe of so many nodes one after the other, its entry message, and the type of its result."""
    kinds = [defstruct(f"C{number}", [("value", int)]) for number in range(length + 1)]
    pipe = Pipe("chain")
    for number in range(length):
        _add(pipe, number, kinds[number], kinds[number + 1])
    return pipe, kinds[0](0), kinds[-1]


def _add(pipe: Pipe, number: int, takes: type[Any], gives: type[Any]) -> None:
    async def node(message: Any) -> Any:
        return gives(message.value + 1)

    node.__name__ = f"n{number}"
    node.__annotations__ = {"message": takes, "return": gives}
    pipe.node(node)


def squares() -> Pipe:
    """A map, and what gathers it."""
    pipe = Pipe("squares")

    @pipe.node
    async def split(message: Many) -> list[Item]:
        return [Item(number) for number in range(message.count)]

    @pipe.node
    async def square(item: Item) -> Done:
        return Done(item.number**2)

    @pipe.node
    async def add(done: Gather[Done]) -> Sum:
        return Sum(sum(each.number for each in done))

    return pipe


def speaking(tokens: int = 3) -> Pipe:
    """A node that tells of its progress."""
    pipe = Pipe("speaking")

    @pipe.node
    async def speak(message: Many, ctx: Context) -> Sum:
        for token in range(tokens):
            ctx.emit(token)
        return Sum(tokens)

    return pipe
