"""What a broker refuses, over a real socket: each guard, its count, and that everybody else is served on."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from tests.headrace.bus.tcp_wire import KEYS, NEW, OLD, Intruder, call, intruder, refusals

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.tcp.address import Address
from headrace.bus.tcp.broker import Broker, serving
from headrace.bus.tcp.bus import TcpBus
from headrace.bus.tcp.frames import Kind, Sealer
from headrace.bus.tcp.guards import Guards
from headrace.bus.tcp.methods import BY_NAME, CANCEL, Call, joined
from headrace.bus.tcp.peer import GREETED_AT_A_TIME
from headrace.bus.tcp.refusals import Refusal
from headrace.errors import BusUnavailableError, SettingsError
from headrace.ledger.values import Commit
from headrace.testing.bus_contract import submission
from headrace.testing.clock import ManualClock
from headrace.testing.wait import wait_until
from headrace.wire.signing import Keyring

RUN = "ab" * 16
VIEW = msgspec.msgpack.encode([RUN])
SUBMIT = msgspec.msgpack.encode([[submission(RUN)]])


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with serving(MemoryBus(), KEYS, guards=Guards(max_frame_bytes=4096, handshake_s=0.05)) as broker:
        yield broker
        assert await is_served(broker)


async def is_served(broker: Broker) -> bool:
    bus = TcpBus(str(broker.address), KEYS)
    try:
        return await bus.now_ms() > 0
    finally:
        await bus.aclose()


def keys(signing: str, **secrets: bytes) -> Keyring:
    return Keyring(secrets, signing)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (struct.pack(">I", 1 << 20), Refusal.OVERSIZED),
        (struct.pack(">I", 0xFFFFFFFF), Refusal.OVERSIZED),
        (struct.pack(">I", 3) + b"abc", Refusal.MALFORMED),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", Refusal.OVERSIZED),
        (struct.pack(">I", 60) + bytes(60), Refusal.UNKNOWN_KEY),
        (struct.pack(">IBQQ", 60, 1, 0, 0) + b"\x03new" + bytes(39), Refusal.FORGED),
    ],
)
async def test_what_is_no_hello_is_refused_before_anything_is_decoded(
    broker: Broker, said: bytes, reason: Refusal
) -> None:
    async with intruder(broker) as peer:
        peer.send(said)
        assert await peer.cut_off()
    assert refusals(broker) == {reason: 1}


async def test_who_says_nothing_is_refused_in_time(broker: Broker) -> None:
    async with intruder(broker) as silent, intruder(broker) as halting:
        halting.send(halting.hello().frame[:50])
        assert await silent.cut_off()
        assert await halting.cut_off()
    assert refusals(broker) == {Refusal.SLOW: 2}


@pytest.mark.parametrize(
    ("keyring", "reason"),
    [(keys("other", other=NEW), Refusal.UNKNOWN_KEY), (keys("new", new=OLD), Refusal.FORGED)],
)
async def test_who_has_another_key_is_refused_and_told_what_it_may_be(
    broker: Broker, keyring: Keyring, reason: Refusal
) -> None:
    bus = TcpBus(str(broker.address), keyring)
    with pytest.raises(BusUnavailableError, match="do both have the same key, version and clock"):
        await bus.now_ms()
    await bus.aclose()
    assert refusals(broker) == {reason: 1}


async def test_while_keys_rotate_each_of_them_opens_the_bus(broker: Broker) -> None:
    for keyring in (keys("old", old=OLD), keys("new", new=NEW), keys("old", old=OLD, new=NEW)):
        bus = TcpBus(str(broker.address), keyring)
        assert await bus.now_ms() > 0
        await bus.aclose()
    assert refusals(broker) == {}


async def test_another_version_of_the_protocol_is_refused(broker: Broker) -> None:
    async with intruder(broker) as peer:
        peer.send(peer.hello(version=b"bygone!!").frame)
        assert await peer.cut_off()
    assert refusals(broker) == {Refusal.VERSION: 1}


@pytest.mark.parametrize("late_ms", [31_000, -31_000])
async def test_a_hello_outside_the_window_is_refused(broker: Broker, late_ms: int) -> None:
    async with intruder(broker) as peer:
        peer.send(peer.hello(late_ms=late_ms).frame)
        assert await peer.cut_off()
    assert refusals(broker) == {Refusal.STALE: 1}


async def test_a_hello_is_taken_once_for_as_long_as_it_is_fresh_and_is_stale_after_that() -> None:
    clock = ManualClock()
    async with serving(MemoryBus(), KEYS, clock=clock) as broker:
        async with intruder(broker, clock=clock) as peer:
            hello = peer.hello(late_ms=-30_000)  # as early as it may be, so that it is fresh for two windows
            await peer.greet(hello)
        for seconds, reason in ((0, Refusal.REPLAYED), (60, Refusal.REPLAYED), (0.01, Refusal.STALE)):
            clock.advance(seconds)
            before = broker.refused[reason]
            async with intruder(broker) as peer:
                peer.send(hello.frame)
                assert await peer.cut_off()
            assert broker.refused[reason] == before + 1


async def test_more_handshakes_at_a_time_than_are_kept_are_refused(broker: Broker) -> None:
    connections = [
        await asyncio.open_connection(broker.address.host, broker.address.port) for _ in range(GREETED_AT_A_TIME + 2)
    ]
    await wait_until(lambda: broker.connections == 0, description="all of them are refused")
    assert broker.refused.total() == GREETED_AT_A_TIME + 2
    assert broker.refused[Refusal.CROWDED] >= 2 or broker.refused[Refusal.SLOW] >= GREETED_AT_A_TIME
    for _, writer in connections:
        writer.transport.abort()


async def submitted_twice(peer: Intruder) -> bytes:
    frame = peer.seal(call(1, "submit", SUBMIT))
    return frame + frame


async def flipped(peer: Intruder) -> bytes:
    frame = bytearray(peer.seal(call(1, "submit", SUBMIT)))
    frame[40] ^= 1
    return bytes(frame)


async def second_of_two(peer: Intruder) -> bytes:
    peer.seal(call(1, "view", VIEW))
    return peer.seal(call(2, "submit", SUBMIT))


async def too_late(peer: Intruder) -> bytes:
    return peer.seal(call(1, "submit", SUBMIT), late_ms=31_000)


async def too_early(peer: Intruder) -> bytes:
    return peer.seal(call(1, "submit", SUBMIT), late_ms=-31_000)


async def of_another_kind(peer: Intruder) -> bytes:
    return Sealer(peer.calls_key, Kind.ANSWERS).seal(joined([call(1, "submit", SUBMIT)]), now_ms=peer.now_ms)


async def of_no_method(peer: Intruder) -> bytes:
    return peer.seal(msgspec.msgpack.encode([1, len(BY_NAME) + 1, [], 0]))


async def of_no_calls(peer: Intruder) -> bytes:
    return peer.sealer.seal(b"\xc1\xff", now_ms=peer.now_ms)


async def of_wrong_arguments(peer: Intruder) -> bytes:
    return peer.seal(call(1, "submit", msgspec.msgpack.encode([["no submission"]])))


async def of_one_number_twice(peer: Intruder) -> bytes:
    waiting = call(1, "read", msgspec.msgpack.encode(["group", "name", 1, 5.0]))
    return peer.seal(waiting, waiting)


async def too_long(peer: Intruder) -> bytes:
    return peer.seal(call(1, "recall", msgspec.msgpack.encode([RUN, "x" * 5000])))[:100]


async def of_another_connection(peer: Intruder) -> bytes:
    return Sealer(KEYS.derive(b"new", b"tcp calls"), Kind.CALLS).seal(b"\x90", now_ms=peer.now_ms)


@pytest.mark.parametrize(
    ("say", "reason", "taken"),
    [
        (submitted_twice, Refusal.REPLAYED, True),
        (flipped, Refusal.FORGED, False),
        (second_of_two, Refusal.MISPLACED, False),
        (too_late, Refusal.STALE, False),
        (too_early, Refusal.STALE, False),
        (of_another_kind, Refusal.UNKNOWN_KIND, False),
        (of_no_method, Refusal.UNKNOWN_KIND, False),
        (of_no_calls, Refusal.MALFORMED, False),
        (of_wrong_arguments, Refusal.MALFORMED, False),
        (of_one_number_twice, Refusal.MALFORMED, False),
        (too_long, Refusal.OVERSIZED, False),
        (of_another_connection, Refusal.FORGED, False),
    ],
)
async def test_a_frame_that_does_not_keep_to_the_rules_is_refused_and_ends_its_connection(
    broker: Broker, say: Callable[[Intruder], "asyncio.Future[bytes]"], reason: Refusal, *, taken: bool
) -> None:
    async with intruder(broker) as peer:
        await peer.greet()
        peer.send(await say(peer))
        await wait_until(lambda: broker.connections == 0, description="the connection is cut")
    assert refusals(broker) == {reason: 1}
    async with intruder(broker) as peer:
        await peer.greet()
        assert (bytes((await peer.ask("view", VIEW)).value) != b"\xc0") is taken


async def test_what_was_said_on_one_connection_means_nothing_on_the_next(broker: Broker) -> None:
    async with intruder(broker) as peer:
        await peer.greet()
        frame = peer.seal(call(1, "submit", SUBMIT))
    async with intruder(broker) as other:
        await other.greet()
        other.send(frame)
        assert await other.cut_off()
    assert refusals(broker) == {Refusal.FORGED: 1}


async def test_a_replayed_conversation_says_nothing() -> None:
    clock = ManualClock()
    async with serving(MemoryBus(), KEYS, clock=clock) as broker:
        async with intruder(broker, clock=clock) as peer:
            hello = peer.hello()
            await peer.greet(hello)
            frame = peer.seal(call(1, "submit", SUBMIT))
        broker._house.nonces._seen.clear()  # even where the nonce were forgotten
        async with intruder(broker, clock=clock) as other:
            other.send(hello.frame)
            await other.frame()
            other.send(frame)
            assert await other.cut_off()
        assert refusals(broker) == {Refusal.FORGED: 1}


async def test_cancelling_what_is_not_under_way_does_nothing(broker: Broker) -> None:
    async with intruder(broker) as peer:
        await peer.greet()
        peer.send(peer.seal(msgspec.msgpack.encode(Call(0, CANCEL, after=7)), call(1, "now_ms", b"\x90")))
        (answer,) = await peer.answers()
        assert answer.id == 1
    assert refusals(broker) == {}


async def test_a_call_that_fails_otherwise_than_a_bus_may_is_an_error_to_its_caller_alone(broker: Broker) -> None:
    bus = MemoryBus()
    await bus.submit([submission(RUN)])
    async with serving(bus, KEYS) as broken, intruder(broken) as peer:
        await peer.greet()
        (delivery,) = await bus.read("pipe.in", "a", limit=1, wait_s=0)
        of_no_lane = Commit(0, delivery.id, (), lane="none")
        answer = await peer.ask("commit", msgspec.msgpack.encode(["pipe.in", [of_no_lane]]))
        assert (answer.error, answer.why) == ("bus_failed", "KeyError")
        assert (await peer.ask("now_ms", b"\x90")).error == ""


async def test_a_broker_listens_on_its_own_machine_alone() -> None:
    with pytest.raises(SettingsError, match="on another machine"):
        async with serving(MemoryBus(), KEYS, address=Address("0.0.0.0", 0)):  # noqa: S104 - that is the point
            pass
