"""Whatever comes over a connection, a broker refuses and counts it, takes nothing twice or out of order, and serves on.

Frames are thrown at a real one, over a socket. `HEADRACE_FUZZ_EXAMPLES` sets how many conversations; a thousand take
some ten seconds.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.headrace.bus.tcp_wire import KEYS, WINDOW_MS, call

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.tcp import handshake
from headrace.bus.tcp.broker import Broker, serving
from headrace.bus.tcp.frames import OVERHEAD_BYTES, Cutter, Kind, Sealer, payload_of
from headrace.bus.tcp.guards import Guards
from headrace.bus.tcp.methods import METHODS, VERSION, joined
from headrace.bus.tcp.refusals import Refusal
from headrace.kernel.clock import SystemClock, random_bytes
from headrace.testing.bus_contract import submission

EXAMPLES = int(os.environ.get("HEADRACE_FUZZ_EXAMPLES", "150"))
MAX_FRAME_BYTES = 1 << 16
CALLS = 4
FUZZED = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)
CLOCK = SystemClock()


@dataclass
class Served:
    """A broker in a thread of its own.

    Attributes:
        errors: What its event loop was told that nobody caught.
    """

    broker: Broker
    bus: MemoryBus
    loop: asyncio.AbstractEventLoop
    errors: list[object] = field(default_factory=list[object])

    @property
    def address(self) -> tuple[str, int]:
        return self.broker.address.host, self.broker.address.port

    def refused(self) -> int:
        return self.broker.refused.total()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    up: Future[Served] = Future()
    ended: list[asyncio.Event] = []

    async def serve() -> None:
        stop = asyncio.Event()
        ended.append(stop)
        loop, bus = asyncio.get_running_loop(), MemoryBus()
        async with serving(bus, KEYS, guards=Guards(max_frame_bytes=MAX_FRAME_BYTES)) as broker:
            served = Served(broker, bus, loop)
            loop.set_exception_handler(lambda _, context: served.errors.append(context))
            up.set_result(served)
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    served = up.result(10)
    yield served
    served.loop.call_soon_threadsafe(ended[0].set)
    thread.join()
    assert served.errors == []


class Talk:
    """A conversation that keeps to the rules until something is done to it."""

    def __init__(self, served: Served) -> None:
        self._socket = socket.create_connection(served.address, timeout=10)
        self._cutter = Cutter(1 << 30)

    def greet(self) -> Sealer:
        hello = handshake.make_hello(KEYS, random_bytes(handshake.NONCE_BYTES), VERSION, now_ms=now_ms())
        self._socket.sendall(hello.frame)
        welcome = handshake.read_welcome(KEYS, hello, self.frame(), now_ms=now_ms(), window_ms=WINDOW_MS)
        return Sealer(handshake.connection_keys(KEYS, hello, welcome)[0], Kind.CALLS)

    def frame(self) -> bytes:
        while (frame := self._cutter.cut()) is None:
            self._cutter.feed(self._socket.recv(1 << 16))
        return frame

    def say_all(self, data: bytes) -> None:
        """Say something, and that there is nothing more; then wait until the broker has cut the connection."""
        try:
            self._socket.sendall(data)
            self._socket.shutdown(socket.SHUT_WR)
            while self._socket.recv(1 << 16):
                pass
        except OSError:  # it was cut before all was said
            return
        finally:
            self._socket.close()


def now_ms() -> int:
    return int(CLOCK.now() * 1000)


def is_served(served: Served) -> None:
    """Assert that whoever keeps to the rules is answered."""
    talk = Talk(served)
    talk._socket.sendall(talk.greet().seal(joined([call(1, "now_ms", b"\x90")]), now_ms=now_ms()))
    assert talk.frame()
    talk.say_all(b"")


def runs_of(served: Served, traces: list[str]) -> list[str]:
    async def known() -> list[str]:
        return [trace for trace in traces if await served.bus.view(trace) is not None]

    return asyncio.run_coroutine_threadsafe(known(), served.loop).result(10)


@FUZZED
@given(said=st.binary(max_size=400))
def test_bytes_that_anybody_may_send_start_nothing(served: Served, said: bytes) -> None:
    before = served.refused()
    Talk(served).say_all(said)
    assert served.refused() - before <= 1
    is_served(served)


@dataclass
class Scene:
    """A conversation to which something is done at one of its frames; what comes after that stays as it was."""

    frames: list[bytes]
    sealer: Sealer
    at: int
    chance: Random

    @property
    def frame(self) -> bytes:
        return self.frames[self.at]

    @property
    def rest(self) -> list[bytes]:
        return self.frames[self.at + 1 :]

    def flipped(self) -> list[bytes]:
        flipped = bytearray(self.frame)
        flipped[self.chance.randrange(len(flipped))] ^= 1 << self.chance.randrange(8)
        return [bytes(flipped), *self.rest]

    def cut_short(self) -> list[bytes]:
        return [self.frame[: self.chance.randrange(len(self.frame))], *self.rest]

    def replayed(self) -> list[bytes]:
        return [self.frame, self.frames[self.chance.randrange(self.at + 1)], *self.rest]

    def dropped(self) -> list[bytes]:
        return self.rest

    def swapped(self) -> list[bytes]:
        return [*self.rest[:1], self.frame, *self.rest[1:]]

    def inserted(self) -> list[bytes]:
        return [self.chance.randbytes(self.chance.randrange(1, 200)), self.frame, *self.rest]

    def stale(self) -> list[bytes]:
        return self.sealed_again(late_ms=WINDOW_MS + 5_000)

    def early(self) -> list[bytes]:
        return self.sealed_again(late_ms=-WINDOW_MS - 5_000)

    def of_another_key(self) -> list[bytes]:
        self.sealer._key = self.chance.randbytes(32)
        return self.sealed_again()

    def of_another_kind(self) -> list[bytes]:
        self.sealer._kind = self.chance.choice([Kind.HELLO, Kind.WELCOME, Kind.ANSWERS])
        return self.sealed_again()

    def said_to_be_longer(self) -> list[bytes]:
        return [self.chance.randrange(MAX_FRAME_BYTES, 1 << 32).to_bytes(4) + self.frame[4:], *self.rest]

    def said_to_be_shorter(self) -> list[bytes]:
        return [self.chance.randrange(OVERHEAD_BYTES - 4).to_bytes(4) + self.frame[4:], *self.rest]

    def sealed_again(self, late_ms: int = 0) -> list[bytes]:
        self.sealer._number = self.at
        payload = bytes(payload_of(self.frame))
        return [self.sealer.seal(payload, now_ms=now_ms() - late_ms), *self.rest]


DEEDS = (
    Scene.flipped,
    Scene.cut_short,
    Scene.replayed,
    Scene.dropped,
    Scene.swapped,
    Scene.inserted,
    Scene.stale,
    Scene.early,
    Scene.of_another_key,
    Scene.of_another_kind,
    Scene.said_to_be_longer,
    Scene.said_to_be_shorter,
)


@FUZZED
@given(deed=st.sampled_from(DEEDS), at=st.integers(0, CALLS - 1), seed=st.integers(0, 2**32))
def test_of_a_conversation_that_was_tampered_with_what_came_before_is_taken_and_nothing_after_it(
    served: Served, deed: Callable[[Scene], list[bytes]], at: int, seed: int
) -> None:
    traces = [random_bytes(16).hex() for _ in range(CALLS)]
    before = served.refused()
    talk = Talk(served)
    sealer = talk.greet()
    frames = [
        sealer.seal(joined([call(number, "submit", msgspec.msgpack.encode([[submission(trace)]]))]), now_ms=now_ms())
        for number, trace in enumerate(traces)
    ]
    changed = [*frames[:at], *deed(Scene(frames, sealer, at, Random(seed)))]
    talk.say_all(b"".join(changed))
    kept = next((n for n, (is_, was) in enumerate(zip(changed, frames, strict=False)) if is_ != was), len(changed))
    # a read may bring the good and the bad together, and a cut connection takes its calls with it: never more than that
    taken = runs_of(served, traces)
    assert taken == traces[: len(taken)]
    assert len(taken) <= kept
    assert served.refused() - before <= 1
    if changed[: len(frames)] != frames[: len(changed)]:
        assert served.refused() - before == (0 if is_a_beginning(changed, frames) else 1)
    is_served(served)


def is_a_beginning(changed: list[bytes], frames: list[bytes]) -> bool:
    """Whether all that was said is how the true conversation begins: nothing is wrong with it, it just ends."""
    return b"".join(frames).startswith(b"".join(changed))


ARGUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=True)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)


@FUZZED
@given(
    content=st.binary(max_size=100)
    | ARGUMENTS.map(msgspec.msgpack.encode)
    | st.lists(
        st.tuples(st.integers(0, 10), st.integers(-1, len(METHODS) + 1), ARGUMENTS, st.integers(0, 3)), max_size=3
    ).map(msgspec.msgpack.encode)
)
def test_what_a_key_holder_says_that_makes_no_sense_is_refused_or_an_error_and_nothing_more(
    served: Served, content: bytes
) -> None:
    before = served.broker.refused.copy()
    talk = Talk(served)
    talk.say_all(talk.greet().seal(content, now_ms=now_ms()))
    assert set(served.broker.refused - before) <= {Refusal.MALFORMED, Refusal.UNKNOWN_KIND}
    is_served(served)
