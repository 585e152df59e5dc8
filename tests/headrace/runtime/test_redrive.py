"""Redriving dead letters: their work is done again by a new run, once, or it is said why it cannot be."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from msgspec import Struct, structs
from tests.support.buses import KINDS, bus_of

from headrace.bus.protocol import Bus
from headrace.errors import Failure, FailureKind, FailureSource, NotRedrivableError, RunFailedError
from headrace.graph.options import Gather, Partial, Signal, State, Suspend
from headrace.graph.pipe import Pipe
from headrace.kernel.context import Context
from headrace.ledger import dead_letter
from headrace.ledger.dead_letter import DeadLetter
from headrace.ledger.values import Emit, Letter
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.redrive import Redrive
from headrace.runtime.submissions import Options
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Envelope, Framing
from headrace.wire.signing import Keyring

TRACE = "0003" + "ab" * 14
SIGNED = Framing(Keyring({"k": b"k" * 16}, "k"))


class Ask(Struct):
    text: str


class Left(Struct):
    text: str


class Right(Struct):
    text: str


class Extra(Struct):
    text: str


class Told(Struct):
    text: str


class Approval(Struct):
    by: str


class Count(Struct):
    calls: int = 0


@dataclass
class Broken:
    """Pipes whose `end` node fails until it is mended."""

    is_broken: bool = True
    contexts: list[Context] = field(default_factory=list[Context])

    def told(self, text: str, ctx: Context) -> Told:
        self.contexts.append(ctx)
        if self.is_broken:
            raise ValueError(text)
        return Told(text)

    def plain(self) -> Pipe:
        pipe = Pipe("redriven")

        @pipe.node
        async def end(ask: Ask, ctx: Context) -> Told:
            return self.told(ask.text, ctx)

        return pipe

    def joined(self) -> Pipe:
        pipe = Pipe("redriven")

        @pipe.node
        async def left(ask: Ask) -> Left:
            return Left(ask.text)

        @pipe.node
        async def right(ask: Ask) -> Right:
            return Right(ask.text)

        @pipe.node
        async def extra(ask: Ask) -> Extra | None:
            return None

        @pipe.node(group="meets")
        async def end(left: Left, right: Right, extra: Partial[Extra], ctx: Context) -> Told:
            assert extra is None
            return self.told(f"{left.text}{right.text}", ctx)

        return pipe

    def keyed(self) -> Pipe:
        pipe = Pipe("redriven")

        @pipe.node(key="text", order="ingress")
        async def end(ask: Ask, count: State[Count], ctx: Context) -> Told:
            count.calls += 1
            return self.told(f"{ask.text}{count.calls}", ctx)

        return pipe

    def signalled(self) -> Pipe:
        pipe = Pipe("redriven")

        @pipe.node
        async def end(ask: Ask, approval: Signal[Approval], ctx: Context) -> Told | Suspend:
            if approval is None:
                return Suspend("approval")
            return self.told(f"{ask.text} by {approval.by}", ctx)

        return pipe

    def gathered(self) -> Pipe:
        pipe = Pipe("redriven")

        @pipe.node
        async def split(ask: Ask) -> list[Left]:
            return [Left(letter) for letter in ask.text]

        @pipe.node(group="each")
        async def each(left: Left) -> Right:
            if self.is_broken and left.text == "x":
                raise ValueError
            return Right(left.text)

        @pipe.node
        async def end(rights: Gather[Right], ctx: Context) -> Told:
            return self.told("".join(right.text for right in rights), ctx)

        return pipe


@pytest.fixture(params=KINDS)
async def bus(request: pytest.FixtureRequest, redis_url: str, namespace: str) -> AsyncIterator[Bus]:
    async with bus_of(request.param, redis_url, namespace) as bus:
        yield bus


@asynccontextmanager
async def running(bus: Bus, pipe: Pipe) -> AsyncIterator[Client]:
    plan = pipe.compile()
    async with (
        consuming(plan, bus, SIGNED, tuple(plan.groups)),
        coordinating(bus),
        connected(plan, bus, SIGNED) as client,
    ):
        yield client


async def one_letter(bus: Bus, client: Client, group: str) -> Letter:
    """Give the dead letter that there is."""
    (letter,) = await bus.dead_letters(client.plan.stream(group), limit=10)
    return letter


async def failed(client: Client, text: str) -> str:
    with pytest.raises(RunFailedError) as caught:
        await client.run(Ask(text), options=Options(timeout_s=60))
    return caught.value.trace_id


async def redriven(client: Client, group: str, letter: Letter) -> Told:
    trace = await client.redrive(group, letter)
    assert trace is not None
    result = client.result(trace, await client.wait(trace))
    assert isinstance(result, Told)
    return result


@pytest.mark.parametrize(
    ("kind", "group", "told"), [("plain", "main", "ab"), ("joined", "meets", "abab"), ("keyed", "main", "ab1")]
)
async def test_a_dead_letters_work_is_done_by_a_new_run_with_the_messages_that_it_had(
    bus: Bus, kind: str, group: str, told: str
) -> None:
    broken = Broken()
    async with running(bus, getattr(broken, kind)()) as client:
        origin = await failed(client, "ab")
        letter = await one_letter(bus, client, group)
        broken.is_broken = False
        assert await redriven(client, group, letter) == Told(told)
        assert await client.redrive(group, letter) is None
        assert await bus.dead_letters(client.plan.stream(group), limit=10) == []
    first, again = broken.contexts
    assert (again.run_id, again.attempt, again.deadline, again.node) == (origin, 1, None, "end")
    assert again.trace_id[:4] == first.trace_id[:4]
    assert again.trace_id != first.trace_id


async def test_what_was_resumed_by_a_signal_keeps_it(bus: Bus) -> None:
    broken = Broken()
    async with running(bus, broken.signalled()) as client:
        ((trace, future),) = await client.ask_all([Ask("loan")])
        assert await client.signal(trace, "approval", Approval("Ada"))
        await future
        letter = await one_letter(bus, client, "main")
        broken.is_broken = False
        assert await redriven(client, "main", letter) == Told("loan by Ada")


async def test_what_fails_again_is_a_dead_letter_again(bus: Bus) -> None:
    broken = Broken()
    async with running(bus, broken.plain()) as client:
        await failed(client, "ab")
        first = await one_letter(bus, client, "main")
        trace = await client.redrive("main", first)
        assert trace is not None
        await client.wait(trace)
        second = await one_letter(bus, client, "main")
        assert (second.id != first.id, dead_letter.decode(second.blob).trace_id) == (True, trace)
        broken.is_broken = False
        assert await redriven(client, "main", second) == Told("ab")


async def test_what_was_gathered_is_gone_and_so_cannot_be_redriven(bus: Bus) -> None:
    broken = Broken()
    async with running(bus, broken.gathered()) as client:
        await failed(client, "abc")
        letter = await one_letter(bus, client, "main")
        with pytest.raises(NotRedrivableError, match="what node 'end' had gathered is gone with its run"):
            await client.redrive("main", letter)
        assert await one_letter(bus, client, "main") == letter


async def test_one_part_of_a_fan_out_that_is_gathered_cannot_be_redriven_alone(bus: Bus) -> None:
    broken = Broken()
    async with running(bus, broken.gathered()) as client:
        await failed(client, "axc")
        await wait_until(lambda: _has_letters(bus, "redriven.each"), description="it lies there")
        letter = await one_letter(bus, client, "each")
        with pytest.raises(NotRedrivableError, match="it is one of several that node 'end' gathers"):
            await client.redrive("each", letter)


async def _has_letters(bus: Bus, stream: str) -> bool:
    return bool(await bus.dead_letters(stream, limit=1))


def letter(*frames: bytes, letter_id: str = "7-0") -> Letter:
    failure = Failure(FailureKind.STEP, FailureSource.USER_CODE)
    dead = DeadLetter(
        frames=frames,
        group="main",
        failure=failure,
        trace_id=TRACE,
        attempt=3,
        deliveries=1,
        first_ms=1,
        at_ms=2,
        plan="old",
    )
    return Letter(3, letter_id, dead_letter.encode(dead))


def envelope(**changes: object) -> Envelope:
    one = Envelope(
        TRACE, TRACE, "redriven", "end", "ask", "Ask", b"\x81\xa4text\xa2ab", "old", attempt=3, deadline_ms=9
    )
    return structs.replace(one, **changes)


def test_the_start_is_the_same_again_for_the_same_letter_and_another_for_another() -> None:
    plan = Broken().plain().compile()
    one = Redrive(plan, SIGNED).make("redriven.main", letter(SIGNED.seal(envelope())))
    again = Redrive(plan, SIGNED).make("redriven.main", letter(SIGNED.seal(envelope())))
    other = Redrive(plan, SIGNED).make("redriven.main", letter(SIGNED.seal(envelope()), letter_id="8-0"))
    assert one == again
    assert len({one.trace_id, other.trace_id, TRACE}) == 3
    assert (one.trace_id[:4], one.plan, one.tickets, one.timeout_ms) == ("0003", plan.version, (), 0)


def test_what_the_new_run_starts_from_is_as_if_it_had_never_failed() -> None:
    plan = Broken().plain().compile()
    made = Redrive(plan, SIGNED).make("redriven.main", letter(SIGNED.seal(envelope(tickets=("a",), failed_ms=5))))
    (output,) = made.outputs
    assert isinstance(output, Emit)
    assert SIGNED.open(output.frame) == envelope(
        trace_id=made.trace_id, attempt=1, deadline_ms=0, origin_run_id=TRACE, plan=plan.version
    )


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ([], "it has no message of a run"),
        ([b"torn"], "envelope refused: the frame is cut short"),
        ([Framing().seal(envelope())], "envelope refused: it is not signed"),
        ([SIGNED.seal(envelope(pipe="other"))], "it is of pipe 'other', and this is 'redriven'"),
        ([SIGNED.seal(envelope(node="edn"))], "pipe 'redriven' has no node 'edn' now; did you mean 'end'?"),
    ],
)
def test_a_letter_that_no_run_can_start_from_says_why(frames: list[bytes], why: str) -> None:
    with pytest.raises(NotRedrivableError) as caught:
        Redrive(Broken().plain().compile(), SIGNED).make("redriven.main", letter(*frames))
    assert str(caught.value) == f"dead letter '7-0' cannot be redriven: {why}"


def test_a_letter_that_is_none_is_refused() -> None:
    with pytest.raises(NotRedrivableError, match="cannot be redriven: it is none of ours"):
        Redrive(Broken().plain().compile(), SIGNED).make("redriven.main", Letter(0, "1-0", b"x"))
