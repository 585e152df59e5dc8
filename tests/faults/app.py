"""The pipe of the fault rows: `work` does what its message asks for, dying included; `count` counts a key's runs.

A run that was lost, or a message that came twice, shows in its number: of one key they are 1, 2, 3, ... in the order in
which the runs were started.
"""

import os
import resource
import signal
from enum import StrEnum
from pathlib import Path

import anyio
from msgspec import Struct

from headrace import Context, Pipe, Retry, State
from headrace.testing.wait import wait_until

_ROOM_BYTES = 64 * 1024 * 1024
_TOO_MUCH_BYTES = 1024 * 1024 * 1024


class Do(StrEnum):
    """What `work` does.

    NOTHING: answers. WAIT: makes `<path>.<pid>` and waits until `path` is there. DIE: makes `<path>.<pid>` and is
    killed, as by the kernel that is out of memory; DIE_ONCE: only where `path` is not there, which it makes. EXHAUST:
    asks for more memory than its process may have. GROW: answers with `size` bytes. AGAIN: fails the first time.
    """

    NOTHING = "nothing"
    WAIT = "wait"
    DIE = "die"
    DIE_ONCE = "die_once"
    EXHAUST = "exhaust"
    GROW = "grow"
    AGAIN = "again"


class FirstTimeError(Exception):
    """Worth another try."""


class Ask(Struct):
    """What a run starts from."""

    text: str
    key: str
    do: Do = Do.NOTHING
    path: str = ""
    size: int = 0
    padding: str = ""


class Task(Struct):
    ask: Ask


class Worked(Struct):
    text: str
    key: str
    padding: str = ""


class Count(Struct):
    value: int = 0


class Counted(Struct):
    """The answer: the run's number among those of its key."""

    text: str
    number: int


pipe = Pipe("faults")


@pipe.node(group="first")
async def see(ask: Ask) -> Task:
    return Task(ask)


@pipe.node(group="second", retry=Retry(backoff=0.3, jitter=0, on=(FirstTimeError,)))
async def work(task: Task, ctx: Context) -> Worked:
    ask = task.ask
    mark = anyio.Path(f"{ask.path}.{os.getpid()}")
    match ask.do:
        case Do.WAIT:
            await mark.touch()
            await wait_until(anyio.Path(ask.path).exists, timeout_s=60, description="the gate is open")
        case Do.DIE:
            await mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case Do.DIE_ONCE if not await anyio.Path(ask.path).exists():
            await anyio.Path(ask.path).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case Do.EXHAUST:
            exhaust()
        case Do.AGAIN if ctx.attempt == 1:
            raise FirstTimeError
    return Worked(ask.text, ask.key, "x" * ask.size)


@pipe.node(group="third", key="key", order="ingress")
async def count(worked: Worked, so_far: State[Count]) -> Counted:
    so_far.value += 1
    return Counted(worked.text, so_far.value)


def exhaust() -> None:
    """Ask for more memory than this process is then allowed."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _ROOM_BYTES, before[1]))
    try:
        bytearray(_TOO_MUCH_BYTES)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
