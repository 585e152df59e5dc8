"""The pipe that is asked in every mode: `work` does what its message asks for; `account` tells what a node sees."""

import os
import time
from enum import StrEnum
from pathlib import Path

import anyio
from dishka import Provider, Scope
from msgspec import Struct

from headrace import Context, Drop, Inject, KernelEvent, Pipe
from headrace.testing.wait import wait_until

_GATE_S = 50.0


class Do(StrEnum):
    """What `work` does.

    WAIT: makes `<path>.entered` and waits until `path` is there, BLOCK: the same while its event loop is blocked. LOOK:
    is not asked; two other nodes of its group tell what they see.
    """

    ANSWER = "answer"
    DROP = "drop"
    FAIL = "fail"
    WAIT = "wait"
    BLOCK = "block"
    LOOK = "look"


class Ask(Struct):
    """What a run starts from."""

    text: str
    do: Do = Do.ANSWER
    path: str = ""


class Question(Struct):
    ask: Ask


class Look(Struct):
    text: str


class Told(Struct):
    """The answer."""

    text: str
    pid: int


class ForProcess:
    """One a process."""


class ForRun:
    """One a run on a process."""


class ForCall:
    """One a call of a node."""


provider = Provider()
provider.provide(ForProcess, scope=Scope.APP)
provider.provide(ForRun, scope=Scope.REQUEST)
provider.provide(ForCall, scope=Scope.STEP)

pipe = Pipe("modes")
pipe.provide(provider)


@pipe.node(group="first")
async def see(ask: Ask) -> Question | Look | Drop:
    match ask.do:
        case Do.DROP:
            return Drop()
        case Do.LOOK:
            return Look(ask.text)
        case _:
            return Question(ask)


@pipe.node(group="second")
async def work(question: Question) -> Told:
    ask = question.ask
    match ask.do:
        case Do.FAIL:
            raise ValueError("the secret in the text")
        case Do.WAIT:
            await anyio.Path(f"{ask.path}.entered").touch()
            await wait_until(anyio.Path(ask.path).exists, timeout_s=_GATE_S, description="the gate is open")
        case Do.BLOCK:
            block(Path(ask.path))
        case Do.ANSWER | Do.DROP | Do.LOOK:
            pass
    return Told(ask.text, os.getpid())


def block(gate: Path) -> None:
    """Block the calling thread until the gate is open."""
    Path(f"{gate}.entered").touch()
    until_s = time.monotonic() + _GATE_S
    while not gate.exists() and time.monotonic() < until_s:
        time.sleep(0.005)


class Seen(Struct):
    """What a node saw of its run and of what was injected; identities by which a second node tells them again."""

    ctx: tuple[str, str, str, int, bool, bool]
    pid: int
    for_process: int
    for_run: int
    for_call: int


class Account(Struct):
    """What two nodes of one group saw, and what an observer heard of them meanwhile."""

    first: tuple[str, str, str, int, bool, bool]
    second: tuple[str, str, str, int, bool, bool]
    is_same_process: bool
    is_same_for_process: bool
    is_same_for_run: bool
    is_same_for_call: bool
    heard: list[str]


_heard: dict[str, list[str]] = {}
_kept: dict[str, list[object]] = {}  # what was injected lives on, so that no identity is given twice


@pipe.observe
def hear(event: KernelEvent) -> None:
    """Write down what happens to a run in the second group."""
    if event.group == "second":
        _heard.setdefault(event.trace_id, []).append(f"{type(event).__name__} {event.node}")


@pipe.node(group="second")
async def first_look(
    look: Look, ctx: Context, app: Inject[ForProcess], run: Inject[ForRun], call: Inject[ForCall]
) -> Seen:
    ctx.emit(look.text)
    _kept.setdefault(ctx.trace_id, []).append(call)
    return Seen(_seen_of(ctx), os.getpid(), id(app), id(run), id(call))


@pipe.node(group="second")
async def account(
    seen: Seen, ctx: Context, app: Inject[ForProcess], run: Inject[ForRun], call: Inject[ForCall]
) -> Account:
    _kept.pop(ctx.trace_id)
    return Account(
        seen.ctx,
        _seen_of(ctx),
        seen.pid == os.getpid(),
        seen.for_process == id(app),
        seen.for_run == id(run),
        seen.for_call == id(call),
        _heard.pop(ctx.trace_id),
    )


def _seen_of(ctx: Context) -> tuple[str, str, str, int, bool, bool]:
    return ctx.pipe, ctx.node, ctx.group, ctx.attempt, ctx.deadline is not None, ctx.run_id == ctx.trace_id
