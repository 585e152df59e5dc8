"""The broker's end of one connection: it greets, checks what comes, carries calls out side by side, and answers.

| event | fields | when |
| --- | --- | --- |
| `bus_peer_refused` (warning) | reason, count | a refusal; the 1st, 2nd, 4th, 8th ... for its reason |
| `bus_call_failed` (error) | method, error | a call failed otherwise than a bus may |
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import structlog

from headrace.bus.protocol import Bus
from headrace.bus.tcp import handshake
from headrace.bus.tcp.frames import Cutter, Kind, Opener, Sealer
from headrace.bus.tcp.guards import Guards
from headrace.bus.tcp.kept import Kept
from headrace.bus.tcp.methods import (
    CANCEL,
    CONFIRMED,
    VERSION,
    Call,
    Method,
    decode_arguments,
    decode_calls,
    encode_answer,
    encode_error,
)
from headrace.bus.tcp.nonces import Nonces
from headrace.bus.tcp.outbox import Outbox
from headrace.bus.tcp.portions import portion
from headrace.bus.tcp.refusals import FrameRefusedError, Refusal
from headrace.bus.tcp.workers import Workers
from headrace.errors import BusError
from headrace.kernel.clock import Clock, random_bytes
from headrace.wire.signing import Keyring

_log = structlog.get_logger("headrace.bus")
GREETED_AT_A_TIME = 128  # handshakes under way: each takes one read of a peer that means well
UNDER_WAY_CALLS = 1024  # of one connection: a gateway has as many for as many requests that it starts at a time
UNDER_WAY_BYTES = 16 * 1024 * 1024
_MS = 1000
_OF_A_WORKER = frozenset({"read", "claim", "extend"})  # methods whose first arguments are a group and a worker of it


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What all connections of a broker share.

    Attributes:
        life: Of this broker; the next one at its address has another.
        calls: Owns every call under way.
        refused: Refusals by reason.
        greeted: Connections whose handshake is under way.
        peers: Connections.
        closing: Set when the broker takes no more of them.
        empty: Set when the last of them has ended.
    """

    bus: Bus
    keyring: Keyring
    clock: Clock
    calls: asyncio.TaskGroup
    nonces: Nonces
    kept: Kept
    workers: Workers
    life: bytes
    guards: Guards
    refused: Counter[Refusal]
    greeted: "set[Peer]"
    peers: "set[Peer]"
    closing: asyncio.Event
    empty: asyncio.Event

    @property
    def now_ms(self) -> int:
        """The time by which frames are fresh."""
        return int(self.clock.now() * _MS)

    def count(self, reason: Refusal) -> None:
        """Count a refusal, and say so where it is news."""
        self.refused[reason] += 1
        count = self.refused[reason]
        if count & (count - 1) == 0:
            _log.warning("bus_peer_refused", reason=reason.value, count=count)


class Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._cutter = Cutter(handshake.LIMIT_BYTES)
        self._opener: Opener | None = None
        self._under_way: dict[int, tuple[asyncio.Task[None], int]] = {}
        self._under_way_bytes = 0
        self._is_held = False
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a hello."""
        self._transport = cast("asyncio.Transport", transport)
        self._house.peers.add(self)
        self._house.empty.clear()
        self._house.greeted.add(self)
        self._limit = asyncio.get_running_loop().call_later(self._house.guards.handshake_s, self._refuse, Refusal.SLOW)
        if self._house.closing.is_set():
            self.close()
        elif len(self._house.greeted) > GREETED_AT_A_TIME:
            self._refuse(Refusal.CROWDED)

    def data_received(self, data: bytes) -> None:
        """Take every frame that is there."""
        self._cutter.feed(data)
        try:
            while not self._is_over and (frame := self._cutter.cut()) is not None:
                if self._opener is None:
                    self._greet(frame)
                else:
                    for call in decode_calls(self._opener.open(frame, now_ms=self._house.now_ms)):
                        self._begin(call)
        except FrameRefusedError as error:
            self._refuse(error.reason)
        self._hold_or_go_on()

    def pause_writing(self) -> None:
        """Send no more: the peer reads slowly."""
        self._outbox.pause()
        self._hold_or_go_on()

    def resume_writing(self) -> None:
        """Go on."""
        self._outbox.resume()
        self._hold_or_go_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why makes no difference
        """Give up the calls under way; what they had handed out comes back where its worker does not."""
        self._is_over = True
        self._limit.cancel()
        self._house.peers.discard(self)
        self._house.greeted.discard(self)
        if self._opener is not None:
            self._outbox.close()
        for task, _ in self._under_way.values():
            task.cancel()
        self._house.workers.ended(self)
        if not self._house.peers:
            self._house.empty.set()

    def close(self) -> None:
        """Cut the connection."""
        self._is_over = True
        self._transport.abort()

    def _refuse(self, reason: Refusal) -> None:
        if not self._is_over:
            self._house.count(reason)
            self.close()

    def _greet(self, frame: bytes) -> None:
        house = self._house
        hello = handshake.read_hello(house.keyring, frame, now_ms=house.now_ms, window_ms=house.guards.window_ms)
        house.nonces.take(hello.nonce, now_ms=int(house.clock.monotonic() * _MS))
        if hello.version != VERSION:
            raise FrameRefusedError(Refusal.VERSION)
        nonce = random_bytes(handshake.NONCE_BYTES)
        welcome = handshake.make_welcome(house.keyring, hello, nonce, house.life, now_ms=house.now_ms)
        calls_key, answers_key = handshake.connection_keys(house.keyring, hello, welcome)
        self._limit.cancel()
        house.greeted.discard(self)
        self._cutter.limit_bytes = house.guards.max_frame_bytes
        self._opener = Opener(calls_key, Kind.CALLS, window_ms=house.guards.window_ms)
        sealer = Sealer(answers_key, Kind.ANSWERS)
        self._outbox = Outbox(self._transport, sealer, house.clock, sent=self._hold_or_go_on)
        self._transport.write(welcome.frame)

    def _begin(self, call: Call) -> None:
        if call.method == CANCEL:
            cancelled = self._under_way.get(call.after)
            if cancelled is not None:
                cancelled[0].cancel()
            return
        method, arguments = decode_arguments(call)
        if call.id in self._under_way:
            raise FrameRefusedError(Refusal.MALFORMED)
        task = self._house.calls.create_task(self._answer(call.id, method, arguments, call.after))
        size = memoryview(call.arguments).nbytes
        self._under_way[call.id] = task, size
        self._under_way_bytes += size
        task.add_done_callback(lambda _: self._end(call.id))

    def _end(self, call_id: int) -> None:
        self._under_way_bytes -= self._under_way.pop(call_id)[1]
        self._hold_or_go_on()

    async def _answer(self, call_id: int, method: Method, arguments: tuple[Any, ...], after: int) -> None:
        try:
            message = await self._carry_out(call_id, method, arguments, after)
        except BusError as error:
            message = encode_error(call_id, error.code, str(error))
        except Exception as error:  # noqa: BLE001 - the top of a task; logged, and told to the caller
            _log.exception("bus_call_failed", method=method.name, error=type(error).__name__)
            message = encode_error(call_id, BusError.code, type(error).__name__)
        if not self._is_over:
            self._outbox.put(message)

    async def _carry_out(self, call_id: int, method: Method, arguments: tuple[Any, ...], after: int) -> bytes:
        bus = self._house.bus
        if method.name in CONFIRMED:
            caller = (method.name, arguments[0])
            kept = await self._house.kept.ask(caller, after, lambda: method.call(bus, arguments))
            return encode_answer(call_id, kept.given, kept.number)
        if method.name in _OF_A_WORKER:
            self._house.workers.speaks(arguments[0], arguments[1], self)
        if method.name in ("read", "claim"):
            return encode_answer(call_id, await portion(method, bus, arguments))
        return encode_answer(call_id, await method.call(bus, arguments))

    def _hold_or_go_on(self) -> None:
        """Take in nothing while there is much to do, or to send, for this peer."""
        if self._is_over or self._opener is None:
            return
        is_busy = (
            len(self._under_way) >= UNDER_WAY_CALLS or self._under_way_bytes >= UNDER_WAY_BYTES or self._outbox.is_full
        )
        if is_busy is self._is_held:
            return
        self._is_held = is_busy
        if is_busy:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
