import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.headrace.bus.tcp_wire import KEYS, call, client, intruder
from tests.support.proxy import Proxy

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.bus.tcp.address import Address
from headrace.bus.tcp.broker import Broker, serving
from headrace.bus.tcp.bus import TcpBus
from headrace.bus.tcp.guards import Guards
from headrace.bus.tcp.outbox import HIGH_BYTES
from headrace.bus.tcp.peer import UNDER_WAY_CALLS
from headrace.errors import BusError, BusFullError, BusUnavailableError
from headrace.ledger.terminal import cancelled
from headrace.ledger.values import Answer, Emit, Submission, Submitted
from headrace.testing.bus_contract import DONE, IN, commit, match, read, submission, trace
from headrace.testing.clock import ManualClock
from headrace.testing.event_contract import EventContract
from headrace.testing.faulty_bus import Fault, FaultyBus
from headrace.testing.join_contract import JoinContract
from headrace.testing.lane_contract import LaneContract
from headrace.testing.load_contract import LoadContract
from headrace.testing.run_contract import RunContract
from headrace.testing.tcp_profile import tcp_profile
from headrace.testing.wait import wait_until


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Services run on uvloop, and tests of pipes on whatever they have."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


class TestTcpBus(LaneContract, JoinContract, LoadContract, RunContract, EventContract):
    def open_bus(self) -> AbstractAsyncContextManager[Bus]:
        return tcp_profile()


@asynccontextmanager
async def behind_proxy(inner: Bus, *, answer_s: float = 5.0) -> AsyncIterator[tuple[Proxy, TcpBus]]:
    async with (
        serving(inner, KEYS) as broker,
        Proxy(broker.address.port) as proxy,
        client(f"tcp://127.0.0.1:{proxy.port}", answer_s=answer_s) as bus,
    ):
        yield proxy, bus


async def under_way(broker: Broker, count: int) -> None:
    """Wait until so many calls are under way in a broker."""

    def are() -> bool:
        return sum(len(peer._under_way) for peer in broker._house.peers) == count

    await wait_until(are, description=f"{count} calls are under way")


async def test_calls_that_wait_keep_no_other_waiting() -> None:
    async with (
        serving(MemoryBus(), KEYS) as broker,
        client(str(broker.address)) as bus,
        asyncio.TaskGroup() as tasks,
    ):
        for name in "abc":
            tasks.create_task(bus.read(IN, name, limit=1, wait_s=0.2))
        tasks.create_task(bus.read_inbox("inbox", limit=1, wait_s=0.2))
        tasks.create_task(bus.read_replies("r", limit=1, wait_s=0.2))
        await under_way(broker, 5)
        assert await bus.now_ms() > 0
        assert broker.connections == 1


async def test_a_cancelled_read_takes_nothing_any_more() -> None:
    async with serving(MemoryBus(), KEYS) as broker, client(str(broker.address)) as bus:
        reading = asyncio.create_task(bus.read(IN, "a", limit=1, wait_s=2))
        await under_way(broker, 1)
        reading.cancel()
        await under_way(broker, 0)
        await bus.submit([submission(trace())])
        assert len(await read(bus, IN, "b")) == 1


async def test_a_client_that_is_gone_takes_nothing_any_more_and_what_it_held_comes_back_as_its_lease_runs_out() -> None:
    async with serving(MemoryBus(), KEYS) as broker, client(str(broker.address)) as bus:
        async with client(str(broker.address)) as dying:
            await bus.submit([submission(trace())])
            assert len(await read(dying, IN, "a")) == 1
            reading = asyncio.create_task(dying.read(IN, "a", limit=1, wait_s=2))
            await under_way(broker, 1)
        with pytest.raises(BusUnavailableError):
            await reading
        await wait_until(lambda: broker.connections == 1, description="the broker has noticed")
        await bus.submit([submission(trace())])
        assert len(await read(bus, IN, "b")) == 1
        assert await bus.claim(IN, "b", limit=1, idle_s=60) == []
        assert [one.deliveries for one in await bus.claim(IN, "b", limit=2, idle_s=0)] == [2, 1 + 1]


async def test_what_a_worker_held_whose_connection_has_ended_is_handed_out_long_before_its_lease_runs_out() -> None:
    clock = ManualClock()
    inner = MemoryBus(clock=clock)
    async with serving(inner, KEYS, left=inner.leave) as broker, client(str(broker.address)) as bus:
        async with client(str(broker.address)) as dying:
            trace_id = trace()
            await bus.submit([submission(trace_id)])
            (held,) = await read(dying, IN, "a")
            clock.advance(2)
            assert await bus.claim(IN, "b", limit=1, idle_s=60) == [], "it lives"
        await wait_until(lambda: broker.connections == 1, description="the broker has noticed")
        clock.advance(0.5)
        assert await bus.claim(IN, "b", limit=1, idle_s=60) == [], "it may be on its way back"
        clock.advance(0.5)
        (again,) = await bus.claim(IN, "b", limit=1, idle_s=60)
        assert (again.id, again.deliveries) == (held.id, 2)
        assert await bus.commit(IN, [commit(again, trace_id, terminal=DONE)]) == [[Answer.COMMITTED]]
        assert await inner.commit(IN, [commit(held, trace_id, terminal=DONE)]) == [[Answer.FENCED]]


async def test_a_worker_that_is_back_on_another_connection_keeps_what_it_holds_though_it_reads_no_more() -> None:
    clock = ManualClock()
    inner = MemoryBus(clock=clock)
    async with (
        serving(inner, KEYS, left=inner.leave) as broker,
        Proxy(broker.address.port) as proxy,
        client(f"tcp://127.0.0.1:{proxy.port}") as cut_off,
        client(str(broker.address)) as other,
    ):
        trace_id = trace()
        await other.submit([submission(trace_id)])
        (held,) = await read(cut_off, IN, "a")
        proxy.reset()
        await wait_until(lambda: broker.connections == 1, description="the broker has noticed")
        with suppress(BusUnavailableError):  # where its own end had not
            await cut_off.promote(IN, limit=1)
        await cut_off.promote(IN, limit=1)
        clock.advance(5)
        assert await other.claim(IN, "b", limit=1, idle_s=60) == []
        assert await cut_off.extend(IN, "a", [held]) == [True]
        assert await cut_off.commit(IN, [commit(held, trace_id, terminal=DONE)]) == [[Answer.COMMITTED]]


async def test_an_inbox_gives_again_what_was_lost_on_its_way() -> None:
    inner = MemoryBus()
    async with behind_proxy(inner) as (proxy, bus):
        assert await bus.read_inbox("inbox", limit=9, wait_s=0) == []
        proxy.hold_answers()
        reading = asyncio.create_task(bus.read_inbox("inbox", limit=9, wait_s=2))
        first = await ended_run(inner)
        await wait_until(lambda: not inner._inboxes._inboxes.get("inbox"), description="the event is taken")
        proxy.reset()
        with pytest.raises(BusUnavailableError):
            await reading
        second = await ended_run(inner)
        assert [event.trace_id for event in await bus.read_inbox("inbox", limit=9, wait_s=0)] == [first]
        assert [event.trace_id for event in await bus.read_inbox("inbox", limit=9, wait_s=0)] == [second]
        assert await bus.read_inbox("inbox", limit=9, wait_s=0) == []


async def test_i8_a_listener_hears_again_what_was_lost_on_its_way_and_has_not_dealt_with_it_before() -> None:
    inner = MemoryBus()
    trace_id = trace()
    await inner.submit([submission(trace_id)])
    async with behind_proxy(inner) as (proxy, bus):
        assert await bus.abandoned("a", wait_s=0) == []
        proxy.hold_answers()
        listening = asyncio.create_task(bus.abandoned("a", wait_s=2))
        ending = asyncio.create_task(inner.end(trace_id, cancelled()))
        await wait_until(lambda: not inner._listeners._listeners["a"].news, description="it is told")
        proxy.reset()
        with pytest.raises(BusUnavailableError):
            await listening
        assert await bus.abandoned("a", wait_s=0) == [trace_id]
        assert not ending.done()
        assert await bus.abandoned("a", wait_s=0) == []
        assert await ending is True


async def test_two_calls_for_one_inbox_lose_nothing_whichever_of_them_is_given_up() -> None:
    inner = MemoryBus()
    async with serving(inner, KEYS) as broker, client(str(broker.address)) as bus:
        given_up = asyncio.create_task(bus.read_inbox("inbox", limit=9, wait_s=2))
        await under_way(broker, 1)
        first = await ended_run(inner)  # its answer and the cancellation cross
        given_up.cancel()
        second = await ended_run(inner)
        events = await bus.read_inbox("inbox", limit=9, wait_s=1) + await bus.read_inbox("inbox", limit=9, wait_s=0)
        assert [event.trace_id for event in events] == [first, second]


async def test_a_connection_that_breaks_fails_what_is_under_way_and_the_next_call_makes_another() -> None:
    async with behind_proxy(MemoryBus()) as (proxy, bus):
        waiting = asyncio.create_task(bus.read(IN, "a", limit=1, wait_s=2))
        assert await bus.now_ms() > 0
        proxy.reset()
        with pytest.raises(BusUnavailableError, match="it closed the connection"):
            await waiting
        assert await bus.now_ms() > 0
        assert bus.losses == 0


async def test_a_broker_that_does_not_answer_is_taken_for_gone_and_asked_anew_when_it_is_back() -> None:
    async with behind_proxy(MemoryBus(), answer_s=0.1) as (proxy, bus):
        assert await bus.now_ms() > 0
        proxy.freeze()
        with pytest.raises(BusUnavailableError, match=r"'now_ms' had no answer within 0\.1 s"):
            await bus.now_ms()
        proxy.thaw()
        assert await bus.now_ms() > 0


async def test_another_life_of_the_broker_is_told_of_loudly_and_knows_nothing() -> None:
    trace_id = trace()
    async with serving(MemoryBus(), KEYS) as broker:
        address = broker.address
        bus = TcpBus(str(address), KEYS)
        await bus.submit([submission(trace_id)])
    with pytest.raises(BusUnavailableError):
        await bus.now_ms()
    async with serving(MemoryBus(), KEYS, address=address):
        with capture_logs() as logs:
            assert await bus.view(trace_id) is None
            assert await bus.now_ms() > 0
        await bus.aclose()
    assert bus.losses == 1
    assert [(log["event"], log["log_level"]) for log in logs] == [("bus_lost_data", "error")]


async def test_a_batch_longer_than_a_frame_goes_in_parts_and_in_order() -> None:
    guards = Guards(max_frame_bytes=8192)
    async with (
        serving(MemoryBus(), KEYS, guards=guards) as broker,
        client(str(broker.address), max_frame_bytes=8192) as bus,
    ):
        traces = [trace() for _ in range(20)]
        frames = [bytes([number]) * 1000 for number in range(20)]
        made = [submission(one, Emit(IN, frame)) for one, frame in zip(traces, frames, strict=True)]
        assert await bus.submit(made) == [Submitted.NEW] * 20
        held = await read(bus, IN)
        assert [one.entry.items[0].frames[0] for one in held] == frames
        answers = await bus.commit(IN, [commit(one, run, terminal=DONE) for one, run in zip(held, traces, strict=True)])
        assert answers == [[Answer.COMMITTED]] * 20
        with pytest.raises(BusError, match="takes 7168 bytes at a time, and a 'submit' has"):
            await bus.submit([submission(trace(), Emit(IN, bytes(8000)))])
        assert await bus.now_ms() > 0


async def test_what_the_served_bus_says_comes_to_the_caller_as_it_would_there() -> None:
    class Full(MemoryBus):
        async def submit(self, submissions: object) -> list[Submitted]:
            raise BusFullError("there")

    faulty = FaultyBus(Full())
    faulty.fail("now_ms", Fault.BEFORE)
    async with serving(faulty, KEYS) as broker, client(str(broker.address)) as bus:
        with pytest.raises(BusUnavailableError):
            await bus.now_ms()
        with pytest.raises(BusFullError):
            await bus.submit([submission(trace())])
        assert await bus.now_ms() > 0


async def test_a_peer_that_does_not_read_is_read_from_no_more_and_the_others_are_served() -> None:
    inner, trace_id = MemoryBus(), trace()
    blob = bytes(1 << 20)
    await inner.submit([submission(trace_id)])
    await inner.remember(trace_id, "large", blob)
    recall = msgspec.msgpack.encode([trace_id, "large"])
    async with (
        serving(inner, KEYS) as broker,
        intruder(broker) as slow,
        client(str(broker.address)) as bus,
    ):
        await slow.greet()
        (peer,) = broker._house.peers
        asked = 0
        while not peer._is_held:
            slow.send(slow.seal(*(call(asked + number, "recall", recall) for number in range(4))))
            asked += 4
            assert await bus.recall(trace_id, "large") == blob
        assert peer._outbox.unsent_bytes <= HIGH_BYTES + 5 * len(blob)
        slow.send(slow.seal(*(call(asked + number, "recall", recall) for number in range(100))))
        for _ in range(10):
            assert await bus.recall(trace_id, "large") == blob
        assert peer._outbox.unsent_bytes <= HIGH_BYTES + 5 * len(blob)
        answered = 0
        while answered < asked + 100:
            answered += len(await slow.answers())
        assert broker.refused.total() == 0


async def test_a_peer_that_asks_too_much_at_a_time_waits_until_some_of_it_is_done() -> None:
    async with serving(MemoryBus(), KEYS) as broker, intruder(broker) as peer, client(str(broker.address)) as bus:
        await peer.greet()
        waiting = msgspec.msgpack.encode([IN, "a", 1, 0.3])
        peer.send(peer.seal(*(call(number, "read", waiting) for number in range(UNDER_WAY_CALLS))))
        await under_way(broker, UNDER_WAY_CALLS)
        peer.send(peer.seal(call(UNDER_WAY_CALLS, "now_ms", b"\x90")))
        assert await bus.now_ms() > 0
        answered: list[int] = []
        while len(answered) <= UNDER_WAY_CALLS:
            answered += [answer.id for answer in await peer.answers()]
        assert answered.index(UNDER_WAY_CALLS) > 0


async def test_a_caller_waits_while_the_broker_takes_no_more() -> None:
    async with behind_proxy(MemoryBus()) as (proxy, bus):
        assert await bus.now_ms() > 0
        proxy.lose()
        large = [Submission(trace(), "pipe", "v1", (Emit(IN, bytes(1 << 20)),)) for _ in range(40)]
        asked = [asyncio.create_task(bus.submit([one])) for one in large]
        connection = bus._line._connection
        assert connection is not None
        await wait_until(lambda: connection._outbox.is_full, description="the connection is full")
        assert connection._outbox.unsent_bytes <= HIGH_BYTES + (1 << 21)
        proxy.thaw()
        assert await asyncio.gather(*asked) == [[Submitted.NEW]] * 40


async def test_the_error_of_who_serves_comes_out_as_it_is() -> None:
    async def fail() -> None:
        async with serving(MemoryBus(), KEYS) as broker, client(str(broker.address)) as bus:
            await bus.now_ms()
            raise LookupError

    with pytest.raises(LookupError):
        await fail()


async def test_ipv6_is_served() -> None:
    async with serving(MemoryBus(), KEYS, address=Address("::1", 0)) as broker, client(str(broker.address)) as bus:
        assert await bus.now_ms() > 0


async def ended_run(bus: MemoryBus) -> str:
    """Have a run end whose event is then in the inbox."""
    trace_id = trace()
    await bus.submit([submission(trace_id, inbox="inbox")])
    (delivery,) = await read(bus, IN)
    await bus.commit(IN, [commit(delivery, trace_id, terminal=DONE)])
    await match(bus)
    return trace_id
