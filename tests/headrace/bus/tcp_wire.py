"""Peers of a broker: a client, and one that may say anything: it knows the key and the frames, and keeps to nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from headrace.bus.tcp import handshake
from headrace.bus.tcp.broker import Broker
from headrace.bus.tcp.bus import TcpBus
from headrace.bus.tcp.frames import Cutter, Kind, Opener, Sealer
from headrace.bus.tcp.handshake import Hello
from headrace.bus.tcp.methods import BY_NAME, VERSION, Answer, decode_answers, encode_call, joined
from headrace.bus.tcp.refusals import Refusal
from headrace.kernel.clock import Clock, SystemClock, random_bytes
from headrace.wire.signing import Keyring

OLD, NEW = b"o" * 32, b"n" * 32
KEYS = Keyring({"new": NEW, "old": OLD}, "new")
WINDOW_MS = 30_000
LONGEST_BYTES = 1 << 30


@asynccontextmanager
async def client(url: str, *, answer_s: float = 5.0, max_frame_bytes: int = 1 << 26) -> AsyncIterator[TcpBus]:
    bus = TcpBus(url, KEYS, answer_s=answer_s, max_frame_bytes=max_frame_bytes)
    try:
        yield bus
    finally:
        await bus.aclose()


def call(call_id: int, name: str, arguments: bytes, after: int = 0) -> bytes:
    return encode_call(call_id, BY_NAME[name], arguments, after)


class Intruder:
    """One connection to a broker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keys: Keyring, clock: Clock) -> None:
        self._reader = reader
        self._writer = writer
        self._keys = keys
        self._clock = clock
        self._cutter = Cutter(LONGEST_BYTES)
        self.life = b""

    def hello(self, *, version: bytes = VERSION, late_ms: int = 0) -> Hello:
        nonce = random_bytes(handshake.NONCE_BYTES)
        return handshake.make_hello(self._keys, nonce, version, now_ms=self.now_ms - late_ms)

    async def greet(self, hello: Hello | None = None) -> None:
        """Do the handshake."""
        hello = hello or self.hello()
        self.send(hello.frame)
        frame = await self.frame()
        welcome = handshake.read_welcome(self._keys, hello, frame, now_ms=self.now_ms, window_ms=WINDOW_MS)
        self.life = welcome.life
        self.calls_key, answers_key = handshake.connection_keys(self._keys, hello, welcome)
        self.sealer = Sealer(self.calls_key, Kind.CALLS)
        self._opener = Opener(answers_key, Kind.ANSWERS, window_ms=WINDOW_MS)

    @property
    def now_ms(self) -> int:
        return int(self._clock.now() * 1000)

    def seal(self, *calls: bytes, late_ms: int = 0) -> bytes:
        return self.sealer.seal(joined(calls), now_ms=self.now_ms - late_ms)

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def frame(self) -> bytes:
        while (frame := self._cutter.cut()) is None:
            data = await self._reader.read(1 << 16)
            if not data:
                raise ConnectionResetError
            self._cutter.feed(data)
        return frame

    async def answers(self) -> list[Answer]:
        return decode_answers(self._opener.open(await self.frame(), now_ms=self.now_ms))

    async def ask(self, name: str, arguments: bytes) -> Answer:
        self.send(self.seal(call(1, name, arguments)))
        (answer,) = await self.answers()
        return answer

    async def cut_off(self) -> bool:
        """Wait until the broker has cut the connection; whether it said nothing before."""
        try:
            return await self._reader.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def intruder(broker: Broker, keys: Keyring = KEYS, clock: Clock | None = None) -> AsyncIterator[Intruder]:
    reader, writer = await asyncio.open_connection(broker.address.host, broker.address.port)
    peer = Intruder(reader, writer, keys, clock or SystemClock())
    try:
        yield peer
    finally:
        peer.close()


def refusals(broker: Broker) -> dict[Refusal, int]:
    return dict(broker.refused)
