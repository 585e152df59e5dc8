"""A pipe whose nodes run in other processes; its own module, so that those can import it."""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Literal

from dishka import Provider, Scope, provide
from msgspec import Struct

from headrace import Context, Inject, Pipe, Retry, State


class Ask(Struct, frozen=True):
    what: Literal["where", "count", "parts", "inject", "context", "fail", "crash", "crash_once", "hang"]
    path: str = ""


class Where(Struct, frozen=True):
    pid: int
    thread: str = ""


class Counted(Struct, frozen=True):
    count: int


class Injected(Struct, frozen=True):
    pid: int
    made: int
    opened: int


class Facts(Struct, frozen=True):
    trace_id: str
    node: str
    attempt: int


class Part(Struct, frozen=True):
    number: int


class To(Struct, frozen=True):
    """What the switch sends on, one class a node."""


class Place(To, frozen=True):
    pass


class Count(To, frozen=True):
    pass


class Parts(To, frozen=True):
    pass


class Injects(To, frozen=True):
    path: str


class Looks(To, frozen=True):
    pass


class Fails(To, frozen=True):
    pass


class Crashes(To, frozen=True):
    pass


class CrashesOnce(To, frozen=True):
    pass


class Hangs(To, frozen=True):
    pass


NEXT: dict[str, type[Place | Count | Parts | Looks | Fails | Crashes | CrashesOnce | Hangs]] = {
    "where": Place,
    "count": Count,
    "parts": Parts,
    "context": Looks,
    "fail": Fails,
    "crash": Crashes,
    "crash_once": CrashesOnce,
    "hang": Hangs,
}


class Total(Struct):
    count: int = 0


class Connection:
    """What a container opens once a process, and closes with it."""

    opened = 0

    def __init__(self) -> None:
        Connection.opened += 1
        self.pid = os.getpid()
        self.path = ""


class Connections(Provider):
    @provide(scope=Scope.APP)
    def connection(self) -> Iterator[Connection]:
        connection = Connection()
        yield connection
        if connection.path:
            with open(connection.path, "a", encoding="utf-8") as file:  # noqa: PTH123 - one line
                file.write(f"{os.getpid()}\n")


pipe = Pipe("elsewhere")
pipe.provide(Connections())


@pipe.node
async def switch(ask: Ask) -> Place | Count | Parts | Injects | Looks | Fails | Crashes | CrashesOnce | Hangs:
    return Injects(ask.path) if ask.what == "inject" else NEXT[ask.what]()


@pipe.node(executor="process")
async def place(msg: Place) -> Where:
    return Where(os.getpid(), threading.current_thread().name)


@pipe.node(executor="process", key=lambda _: "all")
def count(msg: Count, total: State[Total]) -> Counted:
    total.count += 1
    return Counted(total.count)


@pipe.node(executor="process")
def parts(msg: Parts) -> Iterator[Part]:
    for number in range(3):
        yield Part(number)


@pipe.node(executor="process")
def injects(msg: Injects, connection: Inject[Connection]) -> Injected:
    connection.path = msg.path
    return Injected(os.getpid(), connection.pid, Connection.opened)


@pipe.node(executor="process")
def looks(msg: Looks, ctx: Context) -> Facts:
    ctx.emit("one")
    ctx.emit("two")
    return Facts(ctx.trace_id, ctx.node, ctx.attempt)


@pipe.node(executor="process")
def fails(msg: Fails) -> Where:
    raise LookupError("SECRET")


@pipe.node(executor="process")
def crashes(msg: Crashes) -> Where:
    os.kill(os.getpid(), signal.SIGKILL)
    return Where(0)


@pipe.node(executor="process", retry=Retry(attempts=2, backoff=0))
def crashes_once(msg: CrashesOnce, ctx: Context) -> Where:
    if ctx.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return Where(os.getpid())


@pipe.node(executor="process", timeout=0.2)
def hangs(msg: Hangs) -> Where:
    threading.Event().wait()
    return Where(0)
