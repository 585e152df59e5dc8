"""A consumer's place on the bus's roster: it says that it is there, and learns whether its group is paused.

A paused group's consumers read nothing and claim nothing, and finish what they have in hand. They hear of it within a
second, by a call that does not lengthen any read.
"""

import asyncio
import os
import socket

import structlog

from headrace.bus.protocol import Presence, Roster
from headrace.errors import BusError
from headrace.runtime.consumer import Consumer

_log = structlog.get_logger("headrace.consumer")


class Attendance:
    """Attends for one consumer.

    It is a gate of that consumer's reads: closed until it is known whether the group is paused, and while it is. While
    the bus is away, what it said last holds.

    Args:
        every_s: Seconds between two words.
    """

    def __init__(self, bus: Roster, consumer: Consumer, *, every_s: float) -> None:
        self._bus = bus
        self._every_s = every_s
        self._consumer = consumer
        self._stopping = asyncio.Event()
        self._opened = asyncio.Event()
        self._was_paused = False
        consumer.rests_behind(self)

    def is_open(self) -> bool:
        """Whether the group is known not to be paused."""
        return self._opened.is_set()

    async def opened(self) -> None:
        """Wait until it is open."""
        await self._opened.wait()

    async def run(self) -> None:
        """Attend until `stop`, after which the consumer is off the roster."""
        while not self._stopping.is_set():
            try:
                self._learn(is_paused=await self._bus.attend(self._presence()))
            except BusError as error:
                _log.warning("attendance_unknown", stream=self._consumer.stream, code=error.code)
            try:
                async with asyncio.timeout(self._every_s):
                    await self._stopping.wait()
            except TimeoutError:
                continue
        try:
            await self._bus.depart(self._consumer.name)
        except BusError as error:  # it is forgotten soon
            _log.warning("depart_failed", stream=self._consumer.stream, code=error.code)

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()

    def _presence(self) -> Presence:
        consumer = self._consumer
        return Presence(
            worker=consumer.name,
            group=consumer.stream,
            host=socket.gethostname(),
            pid=os.getpid(),
            in_flight=consumer.in_flight,
            slots=consumer.slots,
            is_resting=self._was_paused and not consumer.is_taking,
        )

    def _learn(self, *, is_paused: bool) -> None:
        if is_paused:
            self._opened.clear()
        else:
            self._opened.set()
        if is_paused != self._was_paused:
            _log.info("group_paused" if is_paused else "group_resumed", stream=self._consumer.stream)
        self._was_paused = is_paused
