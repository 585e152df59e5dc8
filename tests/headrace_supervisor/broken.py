"""A pipe whose workers never start."""

from msgspec import Struct

from headrace import Pipe


class Number(Struct):
    value: int


class Doubled(Struct):
    value: int


class Answer(Struct):
    value: int


pipe = Pipe("broken")


@pipe.node(group="one")
async def double(number: Number) -> Doubled:
    return Doubled(number.value * 2)


@pipe.node(group="two")
async def answer(doubled: Doubled) -> Answer:
    return Answer(doubled.value)


@pipe.on_startup
def start() -> None:
    raise RuntimeError("the secret in the text")
