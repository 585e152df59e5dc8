"""I8 in the runner: of an abandoned run no further node starts, what is awaited is cancelled, nothing goes out."""

import asyncio
import threading

import anyio
import pytest
from msgspec import Struct
from tests.headrace.kernel.bench import TRACE, Bench, bench, delivery_of, only

from headrace.graph.options import Gather, Retry, State
from headrace.graph.pipe import Pipe
from headrace.kernel.abandoned import AbandonedRuns
from headrace.ledger.values import Commit, Delivery, Entry, Item, Settled
from headrace.testing.wait import wait_until

OTHER = "f" * 32
EMPTY = Settled(TRACE)


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


class Sum(Struct):
    total: int = 0


class Gate:
    """Where a node waits until the test lets it on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.log: list[str] = []

    async def wait(self) -> None:
        self.reached.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise


class Doubt:
    """A gate as a process has it that has not heard for long."""

    def __init__(self) -> None:
        self.is_sure = asyncio.Event()
        self.asked = asyncio.Event()

    def is_open(self) -> bool:
        return self.is_sure.is_set()

    async def opened(self) -> None:
        self.asked.set()
        await self.is_sure.wait()


def chain(gate: Gate) -> Pipe:
    pipe = Pipe("chain")

    @pipe.node
    async def first(ask: Ask) -> list[Part]:
        gate.log.append("first")
        if ask.number == 1:
            await gate.wait()
        return [Part(number) for number in range(max(ask.number, 1))]

    @pipe.node
    async def second(part: Part) -> Answer:
        gate.log.append("second")
        if part.number == 1:
            await gate.wait()
        return Answer(part.number)

    return pipe


async def test_an_item_of_an_abandoned_run_is_not_started_and_settles_to_nothing() -> None:
    gate = Gate()
    async with bench(chain(gate)) as on:
        on.runner.abandon([TRACE, OTHER])
        assert await on.run(Ask()) == EMPTY
        assert await on.settle(Item(on.deliver(Ask()).entry.items[0].frames, 4, "s")) == Settled(TRACE, 4, stash="s")
        assert gate.log == []
        assert on.result(await on.run(Ask(), trace_id="0" * 32)) == Answer()


async def test_what_cannot_be_opened_of_an_abandoned_run_is_still_a_dead_letter() -> None:
    async with bench(chain(Gate())) as on:
        on.runner.abandon([TRACE])
        frame = on.deliver(Ask()).entry.items[0].frames[0]
        assert (await on.settle(Item((frame[:20],)))).dead is not None


async def test_a_node_under_way_is_cancelled_and_its_hop_settles_to_nothing() -> None:
    gate = Gate()
    async with bench(chain(gate)) as on:
        hop = asyncio.create_task(on.run(Ask(1)))
        await gate.reached.wait()
        on.runner.abandon([TRACE])
        assert await hop == EMPTY
        assert hop.cancelling() == 0
    assert gate.log == ["first", "cancelled"]


async def test_siblings_under_way_are_cancelled_each() -> None:
    gate = Gate()
    async with bench(chain(gate)) as on:
        hop = asyncio.create_task(on.run(Ask(3)))
        await gate.reached.wait()
        on.runner.abandon([TRACE])
        assert await hop == EMPTY
    assert gate.log == ["first", "second", "second", "second", "cancelled"]


async def test_a_sibling_that_waits_for_its_turn_does_not_get_it_any_more() -> None:
    pipe, gate = Pipe("turns"), Gate()

    @pipe.node
    async def first(ask: Ask) -> list[Part]:
        return [Part(0), Part(1)]

    @pipe.node(concurrency=1)
    async def second(part: Part) -> Answer:
        gate.log.append("second")
        await gate.wait()
        return Answer()

    async with bench(pipe) as on:
        hop = asyncio.create_task(on.run(Ask()))
        await gate.reached.wait()
        gate.go_on.set()  # the first sibling is about to give its place to the other
        on.runner.abandon([TRACE])
        assert await hop == EMPTY
    assert gate.log[0] == "second"
    assert gate.log.count("second") == 1


async def test_no_local_node_follows_one_that_would_not_be_cancelled() -> None:
    pipe, log, reached = Pipe("stubborn"), list[str](), asyncio.Event()

    @pipe.node
    async def first(ask: Ask) -> Part:
        reached.set()
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            log.append("not now")
        return Part()

    @pipe.node
    async def second(part: Part) -> Answer:
        log.append("second")
        return Answer()

    async with bench(pipe) as on:
        hop = asyncio.create_task(on.run(Ask()))
        await reached.wait()
        on.runner.abandon([TRACE])
        assert await hop == EMPTY
        assert hop.cancelling() == 0
    assert log == ["not now"]


async def test_no_node_is_called_while_it_is_not_known_which_runs_are_abandoned() -> None:
    gate, doubt = Gate(), Doubt()
    doubt.is_sure.set()
    async with bench(chain(gate), gate=doubt) as on:
        hop = asyncio.create_task(on.run(Ask(1)))
        await gate.reached.wait()
        doubt.is_sure.clear()
        gate.go_on.set()
        await doubt.asked.wait()
        assert gate.log == ["first"]
        on.runner.abandon([TRACE])
        doubt.is_sure.set()
        assert await hop == EMPTY
    assert gate.log == ["first"]


@pytest.mark.parametrize("retry", [1, 3])
async def test_a_failure_in_answer_to_the_cancellation_is_for_nobody(retry: int) -> None:
    pipe, reached = Pipe("upset"), asyncio.Event()

    @pipe.node(retry=retry)
    async def first(ask: Ask) -> Answer:
        reached.set()
        try:
            await anyio.sleep_forever()
        finally:
            raise ValueError

    async with bench(pipe) as on:
        hop = asyncio.create_task(on.run(Ask()))
        await reached.wait()
        on.runner.abandon([TRACE])
        assert await hop == EMPTY


async def test_a_node_that_abandons_its_own_run_ends_and_nothing_follows() -> None:
    pipe, benches, log = Pipe("own"), list[Bench](), list[str]()

    @pipe.node
    async def first(ask: Ask) -> Part:
        benches[0].runner.abandon([TRACE])
        await asyncio.sleep(0)
        log.append("first")
        return Part()

    @pipe.node
    async def second(part: Part) -> Answer:
        log.append("second")
        return Answer()

    async with bench(pipe) as on:
        benches.append(on)
        assert await on.run(Ask()) == EMPTY
        await asyncio.sleep(0)
    assert log == ["first"]


async def test_the_thread_of_a_sync_node_goes_on_and_its_result_is_dropped() -> None:
    pipe = Pipe("threads")
    reached, go_on, over = threading.Event(), threading.Event(), threading.Event()

    @pipe.node
    def first(ask: Ask) -> Answer:
        reached.set()
        assert go_on.wait(10)
        over.set()
        return Answer()

    async with bench(pipe) as on:
        hop = asyncio.create_task(on.run(Ask()))
        await wait_until(reached.is_set, description="the node has started")
        on.runner.abandon([TRACE])
        assert await hop == EMPTY
        assert not over.is_set()
        go_on.set()
        await wait_until(over.is_set, description="the thread has ended")


async def test_other_runs_in_the_same_runner_go_on() -> None:
    gate = Gate()
    async with bench(chain(gate)) as on:
        hop = asyncio.create_task(on.run(Ask(1)))
        other = asyncio.create_task(on.run(Ask(1), trace_id=OTHER))
        await wait_until(lambda: gate.log == ["first", "first"], description="both have started")
        on.runner.abandon([TRACE])
        gate.go_on.set()
        assert await hop == EMPTY
        assert on.result(await other) == Answer()


async def test_a_worker_that_cancels_a_hop_while_its_run_is_abandoned_sees_the_cancellation() -> None:
    gate = Gate()
    async with bench(chain(gate)) as on:
        hop = asyncio.create_task(on.run(Ask(1)))
        await gate.reached.wait()
        on.runner.abandon([TRACE])
        hop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hop


async def test_a_gather_of_an_abandoned_run_is_not_even_fetched() -> None:
    pipe = Pipe("gathering")

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part()]

    @pipe.node
    async def total(parts: Gather[Part]) -> Answer:
        raise AssertionError

    async with bench(pipe) as on:
        item = on.gathered((await on.run(Ask())).outputs)
        on.shelf.stashes[TRACE, item.stash] = [b"what must not be looked at"]
        on.runner.abandon([TRACE])
        assert await on.settle(item) == Settled(TRACE, stash=item.stash)


def summing(gate: Gate) -> Pipe:
    pipe = Pipe("sums")

    @pipe.node(key=lambda _: "all", retry=Retry())
    async def add(ask: Ask, so_far: State[Sum]) -> Answer:
        so_far.total += ask.number
        if ask.number == 100:
            await gate.wait()
        return Answer(so_far.total)

    return pipe


async def test_in_a_lane_an_abandoned_item_leaves_the_state_alone() -> None:
    async with bench(summing(Gate())) as on:
        on.runner.abandon([f"{2:032x}"])
        commit = await on.runner.run(on.lane([Ask(1), Ask(2), Ask(3)]))
        first, dropped, third = commit.settled
        assert (on.result(first), on.result(third)) == (Answer(1), Answer(4))
        assert dropped == Settled(f"{2:032x}", 2)


@pytest.mark.parametrize("position", [0, 1])
async def test_in_a_lane_a_call_cut_short_may_have_changed_the_state_so_nothing_of_it_is_kept(position: int) -> None:
    gate = Gate()
    async with bench(summing(gate)) as on:
        delivery = on.lane([Ask(1)] * position + [Ask(100), Ask(5)])
        hop = asyncio.create_task(on.runner.run(delivery))
        await gate.reached.wait()
        on.runner.abandon([f"{position + 1:032x}"])
        commit = await hop
        if position:
            assert commit == Commit(0, "1-0", (), delivery.entry.items, "lane", None, 1)
        else:
            assert only(commit) == Settled(f"{1:032x}", 1)
            assert (commit.rest, commit.state) == (delivery.entry.items[1:], None)
        after = await on.runner.run(Delivery(0, "2-0", 1, Entry(delivery.entry.items, "lane")))
        assert [on.result(one).number for one in after.settled if one.terminal] == [1, 6] if position else [5]


def test_just_so_many_are_remembered_and_the_oldest_go() -> None:
    abandoned = AbandonedRuns()
    abandoned.add(str(number) for number in range(65_536))
    abandoned.add(["0"])  # said again, so it is new
    abandoned.add(["more"])
    assert len(abandoned.runs) == 65_536
    assert "0" in abandoned.runs
    assert "1" not in abandoned.runs


async def test_deliveries_of_several_items_drop_just_those_of_the_abandoned_run() -> None:
    async with bench(chain(Gate())) as on:
        mine, other = (on.deliver(Ask(), trace_id=trace).entry.items[0] for trace in (TRACE, OTHER))
        on.runner.abandon([TRACE])
        dropped, kept = (await on.runner.run(delivery_of([mine, other]))).settled
        assert (dropped, on.result(kept)) == (EMPTY, Answer())
