"""Rehearsals: stand-ins for nodes, providers and the clock, on time that passes by itself."""

import asyncio
import time
from collections.abc import Iterator
from functools import partial

import anyio
import pytest
from dishka import Provider, Scope
from msgspec import Struct

from headrace import Context, Inject, Pipe, Retry, Signal, Suspend
from headrace.errors import FailureKind
from headrace.kernel.events import NodeEnded, NodeFailed
from headrace.ledger.values import RunState
from headrace.testing.harness import Harness, SyncHarness


class Order(Struct):
    id: int


class Paid(Struct):
    by: str


class Receipt(Struct):
    text: str


class Bank:
    name = "the real one"


class FakeBank(Bank):
    name = "a fake"


def paying() -> Pipe:
    pipe = Pipe("paying")
    provider = Provider(scope=Scope.APP)
    provider.provide(Bank)
    pipe.provide(provider)

    @pipe.node(retry=Retry(attempts=4, backoff=3600, jitter=0))
    async def pay(order: Order, bank: Inject[Bank]) -> Paid:
        return Paid(bank.name)

    @pipe.node
    def write(paid: Paid) -> Receipt:
        return Receipt(f"paid by {paid.by}")

    return pipe


def test_a_rehearsal_gives_the_result_and_the_events(headrace_sync: SyncHarness) -> None:
    rehearsal = headrace_sync.rehearse(paying(), Order(1))
    assert rehearsal.result == Receipt("paid by the real one")
    assert (rehearsal.calls("pay"), rehearsal.calls("write"), rehearsal.failed("pay")) == (1, 1, 0)
    assert rehearsal.status is RunState.COMPLETED
    assert tuple(headrace_sync.events) == rehearsal.events


def test_a_provider_is_replaced(headrace_sync: SyncHarness) -> None:
    fake = Provider(scope=Scope.APP)
    fake.provide(FakeBank, provides=Bank)
    assert headrace_sync.rehearse(paying(), Order(1), providers=[fake]).result == Receipt("paid by a fake")


@pytest.mark.parametrize(
    "stand_in",
    [
        Paid("7"),
        lambda order: Paid(str(order.id)),
        lambda **given: Paid(str(given["order"].id)),
    ],
)
def test_a_node_is_replaced_by_a_message_or_a_function(headrace_sync: SyncHarness, stand_in: object) -> None:
    assert headrace_sync.rehearse(paying(), Order(7), replace={"pay": stand_in}).result == Receipt("paid by 7")


def test_a_node_is_replaced_by_a_generator(headrace_sync: SyncHarness) -> None:
    def pay(order: Order) -> Iterator[Paid]:
        yield Paid("cash")

    assert headrace_sync.rehearse(paying(), Order(1), replace={"pay": pay}).result == Receipt("paid by cash")


@pytest.mark.parametrize("raised", [ConnectionError("down"), ConnectionError])
def test_a_node_is_replaced_by_an_exception_or_its_class(headrace_sync: SyncHarness, raised: object) -> None:
    rehearsal = headrace_sync.rehearse(paying(), Order(1), replace={"pay": raised})
    assert rehearsal.failure is not None
    assert rehearsal.failure.error == "ConnectionError"


def test_back_offs_of_hours_take_no_time(headrace_sync: SyncHarness) -> None:
    began_s = time.monotonic()
    rehearsal = headrace_sync.rehearse(paying(), Order(1), replace={"pay": ConnectionError("down")})
    assert time.monotonic() - began_s < 3600
    assert rehearsal.duration_s == 3 * 60
    assert [event.retry_in_s for event in rehearsal.of(NodeFailed, "pay")][-1] is None
    assert rehearsal.failure is not None
    assert rehearsal.failure.detail == "down"


def test_time_outs_take_no_time(headrace_sync: SyncHarness) -> None:
    pipe = Pipe("slow")

    @pipe.node(timeout=86_000)
    async def wait(order: Order) -> Receipt:
        await anyio.sleep_forever()
        return Receipt("")

    rehearsal = headrace_sync.rehearse(pipe, Order(1))
    assert rehearsal.failure is not None
    assert rehearsal.failure.kind is FailureKind.TIMEOUT
    assert rehearsal.duration_s == 86_000


def test_time_stands_while_a_thread_works(headrace_sync: SyncHarness) -> None:
    pipe = Pipe("threads")

    @pipe.node(timeout=0.0001)
    def work(order: Order) -> Iterator[Receipt]:
        time.sleep(0.002)
        yield Receipt("done")

    rehearsal = headrace_sync.rehearse(pipe, Order(1))
    assert rehearsal.result == Receipt("done")
    assert rehearsal.duration_s == 0


def test_time_stands_while_an_effect_is_made_in_a_thread(headrace_sync: SyncHarness) -> None:
    pipe = Pipe("effects")

    def slowly(text: str) -> str:
        time.sleep(0.002)
        return text

    @pipe.node(timeout=0.0001)
    async def work(order: Order, ctx: Context) -> Receipt:
        await asyncio.to_thread(slowly, "before")
        return Receipt(await ctx.once("done", partial(slowly, "done")))

    rehearsal = headrace_sync.rehearse(pipe, Order(1))
    assert rehearsal.result == Receipt("done")
    assert rehearsal.duration_s == 0


def test_the_clock_starts_when_it_is_told_to(headrace_sync: SyncHarness) -> None:
    pipe = Pipe("dated")

    @pipe.node
    async def say(order: Order, ctx: Context) -> Receipt:
        await anyio.sleep(50)
        ctx.emit(ctx.deadline)
        return Receipt("")

    rehearsal = headrace_sync.rehearse(pipe, Order(1), start=1000.0, timeout_s=60)
    assert rehearsal.emitted == [1060.0]
    assert rehearsal.finish.time == 1050.0


def test_a_run_that_waits_for_ever_expires_at_once(headrace_sync: SyncHarness) -> None:
    pipe = Pipe("waits")

    @pipe.node
    async def approve(order: Order, go: Signal[Paid]) -> Receipt | Suspend:
        return Suspend(until="go") if go is None else Receipt(go.by)

    assert headrace_sync.rehearse(pipe, Order(1)).status is RunState.EXPIRED
    assert headrace_sync.rehearse(pipe, Order(1), signals={"go": Paid("Ada")}).result == Receipt("Ada")


def test_a_node_that_is_not_there_cannot_be_replaced(headrace_sync: SyncHarness) -> None:
    with pytest.raises(ValueError, match="no node 'pax' to replace in pipe 'paying'; it has: pay, write"):
        headrace_sync.rehearse(paying(), Order(1), replace={"pax": Paid("")})


async def test_an_asynchronous_test_rehearses_beside_its_own_event_loop(headrace: Harness) -> None:
    assert (await headrace.rehearse(paying(), Order(1))).result == Receipt("paid by the real one")


def test_calls_took_as_long_as_the_clock_of_the_rehearsal_says(headrace_sync: SyncHarness) -> None:
    pipe = Pipe("timed")

    @pipe.node(timeout=10, retry=Retry(attempts=2, backoff=0, jitter=0))
    async def pay(order: Order, ctx: Context) -> Paid:
        await anyio.sleep(100 if ctx.attempt == 1 else 4)
        return Paid("late")

    rehearsal = headrace_sync.rehearse(pipe, Order(1))
    assert [event.duration_s for event in rehearsal.of(NodeFailed)] == [pytest.approx(10)]
    assert [event.duration_s for event in rehearsal.of(NodeEnded)] == [pytest.approx(4)]
