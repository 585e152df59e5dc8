"""justpipe, as its documentation has it: steps share a state, `pipe.run` gives the events.

Its queue of events is unbounded here: with the default of 1,000 a map of as many items never ends.
"""

import warnings
from dataclasses import dataclass
from typing import Any

from benchmarks.kernel.case import CASES, TOKENS, Cases
from justpipe import EventType, Pipe


@dataclass
class State:
    value: int = 0


def _pipe() -> Any:
    return Pipe(State, queue_size=0)


async def _add(state: State) -> None:
    state.value += 1


async def _nothing(state: State) -> None:
    pass


def _chain(length: int) -> Any:
    pipe = _pipe()
    for number in range(length):
        following = {"to": f"link{number + 1}"} if number + 1 < length else {}
        pipe.step(f"link{number}", **following)(_add)
    return pipe


def _fan_out() -> Any:
    pipe = _pipe()
    branches = [f"branch{number}" for number in range(10)]
    pipe.step("begin", to=branches)(_nothing)
    for branch in branches:
        pipe.step(branch, to="join")(_add)
    pipe.step("join")(_nothing)
    return pipe


def _map(count: int) -> Any:
    pipe = _pipe()

    @pipe.map("split", each="same", to="add")
    async def split(state: State) -> list[int]:
        return list(range(count))

    @pipe.step("same")
    async def same(item: int, state: State) -> None:
        state.value += item

    pipe.step("add")(_nothing)
    return pipe


def _tokens() -> Any:
    pipe = _pipe()

    @pipe.step("speak")
    async def speak(state: State) -> Any:
        for _ in range(TOKENS):
            yield "token"

    return pipe


async def _read(pipe: Any) -> int:
    state, tokens = State(), 0
    async for event in pipe.run(state):
        tokens += event.type is EventType.TOKEN
    return tokens or state.value


def cases() -> Cases:
    warnings.filterwarnings("ignore", module="justpipe")
    pipes = (_chain(3), _fan_out(), _map(1_000), _map(100_000), _chain(900), _tokens())
    return {case.name: lambda pipe=pipe: _read(pipe) for case, pipe in zip(CASES, pipes, strict=True)}
