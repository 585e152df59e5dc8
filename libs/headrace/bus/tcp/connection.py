"""The client's end of one connection: calls go out in batches, answers come in any order, each to its caller."""

import asyncio
from itertools import count
from typing import Any, cast

import msgspec
from msgspec import Struct

from headrace.bus.tcp import handshake
from headrace.bus.tcp.frames import Cutter, Kind, Opener, Sealer
from headrace.bus.tcp.handshake import Hello, Welcome
from headrace.bus.tcp.methods import VERSION, Answer, Method, decode_answers, encode_call, encode_cancel
from headrace.bus.tcp.outbox import Outbox
from headrace.bus.tcp.refusals import FrameRefusedError
from headrace.errors import BusError, BusFullError, BusUnavailableError
from headrace.kernel.clock import Clock, random_bytes
from headrace.wire.signing import Keyring

WINDOW_MS = 30_000
_LONGEST_BYTES = 1024 * 1024 * 1024  # of a broker that has proved that it has the key
_MS = 1000


class Given(Struct, frozen=True):
    """What a call gives, and the number of its answer."""

    value: Any
    number: int


class Connection(asyncio.Protocol):
    """One connection; `greeted` says when it is there.

    Args:
        name: The broker's address, for errors.

    Attributes:
        greeted: Resolves to the broker's life; or fails, when the handshake does.
    """

    def __init__(self, name: str, keyring: Keyring, clock: Clock) -> None:
        self._name = name
        self._keyring = keyring
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._cutter = Cutter(handshake.LIMIT_BYTES)
        self._opener: Opener | None = None
        self._asked: dict[int, tuple[asyncio.Future[Given], Method]] = {}
        self._ids = count(1)
        self._why = "it closed the connection in the handshake; do both have the same key, version and clock?"
        self.greeted: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        self._transport = made = cast("asyncio.Transport", transport)
        nonce = random_bytes(handshake.NONCE_BYTES)
        self._hello = handshake.make_hello(self._keyring, nonce, VERSION, now_ms=self._now_ms())
        made.write(self._hello.frame)

    def data_received(self, data: bytes) -> None:
        """Take every frame that is there."""
        self._cutter.feed(data)
        try:
            while not self.is_over and (frame := self._cutter.cut()) is not None:
                if self._opener is None:
                    self._take_welcome(frame)
                else:
                    for answer in decode_answers(self._opener.open(frame, now_ms=self._now_ms())):
                        self._take(answer)
        except FrameRefusedError as error:
            self.close(f"what it says is refused here ({error.reason})")

    def pause_writing(self) -> None:
        """Send no more: the broker is busy."""
        self._outbox.pause()

    def resume_writing(self) -> None:
        """Go on."""
        self._outbox.resume()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why makes no difference
        """Fail every call under way."""
        self.is_over = True
        if not self.greeted.done():
            self.greeted.set_exception(BusUnavailableError(self._name, self._why))
            self.greeted.exception()  # who connects is told; that nobody waits for it any more is no error
        if self._opener is not None:
            self._outbox.close()
        for future, _ in self._asked.values():
            if not future.done():
                future.set_exception(BusUnavailableError(self._name, self._why))
        self._asked.clear()

    def close(self, why: str) -> None:
        """Cut the connection; calls under way fail with this reason."""
        if not self.is_over:
            self.is_over = True
            self._why = why
            if self._transport is not None:  # else it was never made
                self._transport.abort()

    async def ask(self, method: Method, arguments: bytes, after: int) -> Given:
        """Ask, and wait for the answer; a cancellation is passed on.

        Raises:
            BusUnavailableError: The connection ended first.
            BusError: The broker answered with an error.
        """
        await self._outbox.room()
        if self.is_over:
            raise BusUnavailableError(self._name, self._why)
        call_id = next(self._ids)
        future: asyncio.Future[Given] = asyncio.get_running_loop().create_future()
        self._asked[call_id] = future, method
        self._outbox.put(encode_call(call_id, method, arguments, after))
        try:
            return await future
        except asyncio.CancelledError:
            if self._asked.pop(call_id, None) is not None and not self.is_over:
                self._outbox.put(encode_cancel(call_id))
            raise

    def _now_ms(self) -> int:
        return int(self._clock.now() * _MS)

    def _take_welcome(self, frame: bytes) -> None:
        welcome = handshake.read_welcome(self._keyring, self._hello, frame, now_ms=self._now_ms(), window_ms=WINDOW_MS)
        self._begin(self._hello, welcome)
        self._why = "it closed the connection"
        if not self.greeted.done():
            self.greeted.set_result(welcome.life)

    def _begin(self, hello: Hello, welcome: Welcome) -> None:
        calls_key, answers_key = handshake.connection_keys(self._keyring, hello, welcome)
        self._cutter.limit_bytes = _LONGEST_BYTES
        self._opener = Opener(answers_key, Kind.ANSWERS, window_ms=WINDOW_MS)
        self._outbox = Outbox(cast("asyncio.Transport", self._transport), Sealer(calls_key, Kind.CALLS), self._clock)

    def _take(self, answer: Answer) -> None:
        asked = self._asked.pop(answer.id, None)
        if asked is None:  # its caller was cancelled
            return
        future, method = asked
        if future.done():
            return
        if answer.error:
            future.set_exception(_error(self._name, answer))
            return
        try:
            future.set_result(Given(method.decode_answer(answer.value), answer.number))
        except msgspec.MsgspecError:
            future.set_exception(BusError(f"the bus at {self._name} gave '{method.name}' what it does not give"))


def _error(name: str, answer: Answer) -> BusError:
    match answer.error:
        case BusUnavailableError.code:
            return BusUnavailableError(name, answer.why)
        case BusFullError.code:
            return BusFullError(name)
        case _:
            return BusError(f"the bus at {name} answered with an error: {answer.why}")
