"""A pipe over two groups for the tests of services: it doubles numbers, some slowly, and fails on negative ones."""

import asyncio
import os
import signal
import time
from pathlib import Path

from msgspec import Struct

from headrace.graph.options import Drop
from headrace.graph.pipe import Pipe


class Number(Struct):
    """A number to double.

    Attributes:
        pause_s: Seconds that the doubling takes.
        touches: A path that is made when the doubling starts.
        kills_once: A path; where nothing is there, it is made and the worker process killed.
        blocks_once: A path; where nothing is there, it is made and the event loop blocked.
        block_s: For how many seconds.
    """

    value: int
    pause_s: float = 0.0
    touches: str = ""
    kills_once: str = ""
    blocks_once: str = ""
    block_s: float = 0.0


class Doubled(Struct):
    value: int


class Answer(Struct):
    text: str


pipe = Pipe("numbers")


@pipe.node(group="one")
async def double(number: Number) -> Doubled | Drop:
    _leave_marks(number)
    if number.value < 0:
        raise ValueError("the secret in the text")
    await asyncio.sleep(number.pause_s)
    return Doubled(number.value * 2) if number.value else Drop()


@pipe.node(group="two")
async def answer(doubled: Doubled) -> Answer:
    return Answer(str(doubled.value))


def _leave_marks(number: Number) -> None:
    if number.touches:
        Path(number.touches).touch()
    if number.kills_once and not Path(number.kills_once).exists():
        Path(number.kills_once).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if number.blocks_once and not Path(number.blocks_once).exists():
        Path(number.blocks_once).touch()
        time.sleep(number.block_s)
