"""Messages of the pipes in these tests."""

from msgspec import Struct


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Fine(Part, frozen=True):
    pass


class Other(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0
