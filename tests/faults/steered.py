"""The pipe of the rows about scopes, signals and cancels: a fan-out, its gather, and an approval.

The answer says which pieces came, in order, so a piece that was lost, or came twice, shows.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import anyio
from msgspec import Struct

from headrace import Context, Gather, Pipe, Signal, Suspend
from headrace.testing.wait import wait_until


class Order(Struct):
    """What a run starts from.

    Attributes:
        starts: A file that gets a line for each call of `make`, or of a doomed `split`, as it starts: trace_id, piece,
            process.
        gate: Odd pieces wait until it is there; empty for no wait.
        doomed: Whether `split` fails.
        pause_s: That a piece takes.
    """

    pieces: int
    starts: str = ""
    gate: str = ""
    needs_approval: bool = False
    doomed: bool = False
    pause_s: float = 0.0


class Piece(Struct):
    number: int
    order: Order


class Made(Struct):
    number: int
    needs_approval: bool


class Whole(Struct):
    numbers: tuple[int, ...]
    needs_approval: bool


class Approval(Struct):
    by: str


class Answer(Struct):
    numbers: tuple[int, ...]
    by: str = ""


pipe = Pipe("steered")


@pipe.node(group="first")
async def split(order: Order, ctx: Context) -> Iterator[Piece]:
    if order.doomed:
        tell(order.starts, f"{ctx.trace_id} 0 {os.getpid()}")
        raise ValueError
    return iter([Piece(number, order) for number in range(order.pieces)])


@pipe.node(group="second")
async def make(piece: Piece, ctx: Context) -> Made:
    order = piece.order
    if order.starts:
        tell(order.starts, f"{ctx.trace_id} {piece.number} {os.getpid()}")
    await anyio.sleep(order.pause_s)
    if order.gate and piece.number % 2:
        await wait_until(anyio.Path(order.gate).exists, timeout_s=60, description="the gate is open")
    return Made(piece.number, order.needs_approval)


@pipe.node(group="third")
async def collect(made: Gather[Made]) -> Whole:
    return Whole(tuple(each.number for each in made), any(each.needs_approval for each in made))


@pipe.node(group="fourth")
async def approve(whole: Whole, approval: Signal[Approval]) -> Answer | Suspend:
    if whole.needs_approval and approval is None:
        return Suspend(until="approval")
    return Answer(whole.numbers, approval.by if approval else "")


def tell(path: str, line: str) -> None:
    """Append a line; one write, so that those of several processes do not mix."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)


def told(path: Path, trace_id: str = "") -> list[str]:
    """Give the lines, those of one run or all."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if line.startswith(trace_id)]
