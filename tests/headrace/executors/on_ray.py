"""A pipe with a node on Ray; its own module, so that Ray's processes can import it."""

import os

from dishka import Provider, Scope, provide
from msgspec import Struct

from headrace import Inject, Pipe


class Ask(Struct, frozen=True):
    pass


class Here(Struct, frozen=True):
    pid: int
    made_in: int


class Maker:
    def __init__(self) -> None:
        self.pid = os.getpid()


class Makers(Provider):
    maker = provide(Maker, scope=Scope.APP)


pipe = Pipe("on-ray")
pipe.provide(Makers())


@pipe.node(executor="ray", timeout=60)
def here(msg: Ask, maker: Inject[Maker]) -> Here:
    return Here(os.getpid(), maker.pid)
