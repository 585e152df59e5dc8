"""Calls that suspend themselves: for a time, or until a signal comes to their run."""

import pytest
from msgspec import Struct
from tests.headrace.kernel.bench import TRACE, Bench, bench, failure, joined_item

from headrace.errors import FailureKind, FailureSource
from headrace.graph.options import Gather, Retry, Signal, Suspend
from headrace.graph.pipe import Pipe
from headrace.ledger.values import Item, Park, Schedule, Settled
from headrace.wire.envelope import Envelope


class Ask(Struct, frozen=True):
    number: int = 0
    until: str = ""


class Part(Struct, frozen=True):
    number: int = 0


class Other(Struct, frozen=True):
    number: int = 0


class Approval(Struct, frozen=True):
    by: str = ""


class Payment(Struct, frozen=True):
    amount: int = 0


class Answer(Struct, frozen=True):
    text: str = ""


def waiting() -> Pipe:
    pipe = Pipe("waiting")

    @pipe.node
    async def start(ask: Ask) -> Part:
        return Part(ask.number)

    @pipe.node(retry=Retry(backoff=1.0, jitter=0.0, on=(ConnectionError,)))
    async def ship(part: Part, approval: Signal[Approval], payment: Signal[Payment]) -> Answer | Suspend:
        if approval is None:
            return Suspend(until="approval")
        if payment is None:
            return Suspend(until="payment")
        if payment.amount < 0:
            raise ConnectionError
        return Answer(f"{part.number} {approval.by} {payment.amount}")

    return pipe


def signal(on: Bench, name: str, body: object) -> bytes:
    codec = next(node.signals[name] for node in on.plan.nodes.values() if name in node.signals)
    return on.framing.seal(
        Envelope(
            id=name, trace_id=TRACE, pipe=on.plan.pipe, node="", slot=name, type="", body=codec.encode(body), plan=""
        )
    )


def parked(settled: Settled) -> Park:
    (output,) = settled.outputs
    assert isinstance(output, Park)
    assert (settled.terminal, settled.dead) == (None, None)
    return output


async def resumed(on: Bench, output: Park, body: object) -> Settled:
    """Run what a bus makes of a parked item when its signal comes."""
    frames = (*output.item.frames, signal(on, output.signal, body))
    return await on.settle(Item(frames, output.item.ticket, output.item.stash))


async def test_a_call_that_waits_for_a_signal_is_parked_by_itself_and_is_no_attempt() -> None:
    async with bench(waiting()) as on:
        settled = await on.run(Ask(4), scope="a")
        output = parked(settled)
        (sent,) = on.sent(settled)
        assert (output.group, output.signal, output.item.ticket, output.item.stash) == (
            "waiting.main",
            "approval",
            0,
            "",
        )
        assert (sent.envelope.node, sent.message, sent.envelope.attempt) == ("ship", Part(4), 1)
        assert (sent.envelope.scope, sent.envelope.failed_ms) == ("a", 0)


async def test_a_call_goes_on_with_its_signal_and_may_wait_for_another_which_keeps_the_first() -> None:
    async with bench(waiting()) as on:
        first = parked(await on.run(Ask(4)))
        second = parked(await resumed(on, first, Approval("Ada")))
        assert (second.signal, len(second.item.frames)) == ("payment", 2)
        assert on.result(await resumed(on, second, Payment(7))) == Answer("4 Ada 7")


async def test_a_call_that_is_tried_again_keeps_its_signals() -> None:
    async with bench(waiting()) as on:
        second = parked(await resumed(on, parked(await on.run(Ask(4))), Approval("Ada")))
        (again,) = (await resumed(on, second, Payment(-1))).outputs
        assert isinstance(again, Schedule)
        envelopes = [on.framing.open(frame) for frame in again.item.frames]
        assert [(each.node, each.slot, each.attempt) for each in envelopes] == [
            ("ship", "part", 2),
            ("", "approval", 1),
            ("", "payment", 1),
        ]
        (third,) = (await on.follow(again)).outputs
        assert isinstance(third, Schedule)
        assert third.item.frames[1:] == again.item.frames[1:]


@pytest.mark.parametrize(
    ("until", "delay_ms"), [(1.5, 1500), (2, 2000), (-1.0, 0), (float("inf"), 10 * 365 * 86_400_000)]
)
async def test_a_call_that_waits_for_a_time_is_scheduled_and_is_no_attempt(until: float, delay_ms: int) -> None:
    pipe = Pipe("later")

    @pipe.node
    async def answer(ask: Ask) -> Answer | Suspend:
        return Suspend(until=until)

    async with bench(pipe) as on:
        settled = await on.run(Ask(), attempt=2)
        (output,) = settled.outputs
        assert isinstance(output, Schedule)
        assert (output.delay_ms, on.sent(settled)[0].envelope.attempt) == (delay_ms, 2)


@pytest.mark.parametrize("until", [float("nan"), None, ["x"]])
async def test_what_is_no_time_and_no_signal_fails_the_run_rather_than_the_worker(until: float) -> None:
    pipe = Pipe("later")

    @pipe.node
    async def answer(ask: Ask) -> Answer | Suspend:
        return Suspend(until=until)

    async with bench(pipe) as on:
        assert failure(await on.run(Ask())).node == "answer"


@pytest.mark.parametrize(
    ("until", "detail"),
    [
        ("nothing", "node 'wait' takes no signal 'nothing'; give it a parameter nothing: Signal[...]"),
        ("approval", "node 'wait' waits for the signal 'approval', which it has had"),
    ],
)
async def test_to_wait_for_a_signal_that_cannot_come_is_no_route(until: str, detail: str) -> None:
    pipe = Pipe("never")

    @pipe.node
    async def wait(ask: Ask, approval: Signal[Approval]) -> Answer | Suspend:
        return Suspend(until=ask.until if approval else "approval")

    async with bench(pipe, shows_detail=True) as on:
        settled = await resumed(on, parked(await on.run(Ask(until=until))), Approval())
        failed = failure(settled)
        assert (failed.kind, failed.source, failed.error) == (
            FailureKind.NO_ROUTE,
            FailureSource.USER_CODE,
            "SuspendError",
        )
        assert failed.detail == detail
        assert settled.dead is not None


async def test_a_keyed_call_may_wait_for_a_time_in_its_place_but_not_for_a_signal() -> None:
    pipe = Pipe("keyed")

    @pipe.node(key="number")
    async def wait(ask: Ask, approval: Signal[Approval]) -> Answer | Suspend:
        return Suspend(until=ask.until or 2.0)

    async with bench(pipe, shows_detail=True) as on:
        commit = await on.runner.run(on.lane([Ask(), Ask()]))
        (output,) = commit.settled[0].outputs
        assert isinstance(output, Schedule)
        assert (output.lane, output.item.ticket, output.delay_ms) == ("lane", 1, 2000)
        assert len(commit.rest) == 1

        failed = failure((await on.runner.run(on.lane([Ask(until="approval")]))).settled[0])
        assert failed.kind is FailureKind.NO_ROUTE
        assert failed.detail == "node 'wait' is keyed: to wait for the signal 'approval' would block its lane"


async def test_a_join_and_a_gather_wait_with_all_that_they_have() -> None:
    pipe = Pipe("meeting")

    @pipe.node
    async def split(ask: Ask) -> list[Part | Other]:
        return [Part(1), Other(2)]

    @pipe.node
    async def join(part: Part, other: Other, approval: Signal[Approval]) -> Answer | Suspend:
        return Answer(f"{part.number}{other.number}{approval.by}") if approval else Suspend(until="approval")

    async with bench(pipe) as on:
        arrivals = (await on.run(Ask())).outputs
        output = parked(await on.settle(joined_item(output for output in arrivals if items_are_arrivals(output))))
        assert [on.framing.open(frame).slot for frame in output.item.frames] == ["part", "other"]
        assert on.result(await resumed(on, output, Approval("Ada"))) == Answer("12Ada")


def items_are_arrivals(output: object) -> bool:
    return type(output).__name__ == "Arrive"


async def test_a_gather_waits_with_its_opening_and_its_stash() -> None:
    pipe = Pipe("gathering")

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part(1), Part(2)]

    @pipe.node
    async def total(parts: Gather[Part], approval: Signal[Approval]) -> Answer | Suspend:
        return Answer(f"{len(parts)}{approval.by}") if approval else Suspend(until="approval")

    async with bench(pipe) as on:
        item = on.gathered((await on.run(Ask())).outputs)
        output = parked(await on.settle(item))
        assert (output.item.stash, len(output.item.frames)) == (item.stash, 1)
        assert on.result(await resumed(on, output, Approval("Ada"))) == Answer("2Ada")


async def test_a_signal_that_does_not_fit_or_that_the_node_does_not_take_fails_the_run() -> None:
    async with bench(waiting()) as on:
        output = parked(await on.run(Ask()))
        good = signal(on, "approval", Approval())
        for frame, kind in (
            (on.resealed(good, body=b"\xc1"), FailureKind.INVALID_MESSAGE),
            (on.resealed(good, slot="nothing"), FailureKind.NO_ROUTE),
            (good[:30], FailureKind.INVALID_MESSAGE),
        ):
            settled = await on.settle(Item((*output.item.frames, frame)))
            assert (failure(settled).kind, settled.trace_id) == (kind, TRACE)
