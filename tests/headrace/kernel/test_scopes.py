"""Scopes: fan-outs that are gathered, in scopes of their own, opened before anything is sent there."""

import pytest
from msgspec import Struct
from tests.headrace.kernel.bench import TRACE, Bench, bench, delivery_of, failure, only

from headrace.errors import FailureKind, FailureSource
from headrace.graph.options import Drop, Gather, Retry
from headrace.graph.pipe import Pipe
from headrace.kernel.scopes import child_scope, outer_scope
from headrace.ledger import dead_letter
from headrace.ledger.values import Arrive, Emit, Item, Join, Open, Schedule, Settled


class Ask(Struct, frozen=True):
    number: int = 0
    how: str = ""


class Part(Struct, frozen=True):
    number: int = 0


class Priced(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    numbers: tuple[int, ...] = ()


def fan_out(*, retry: int = 1) -> Pipe:
    pipe = Pipe("fan")

    @pipe.node(retry=retry)
    async def split(ask: Ask) -> list[Part] | Retry:
        match ask.how:
            case "later":
                return Retry(after=1.0)
            case "fails":
                raise ConnectionError
        return [Part(number) for number in range(ask.number)]

    @pipe.node(group="far")
    async def price(part: Part) -> Priced | Drop:
        return Priced(part.number) if part.number != 1 else Drop()

    @pipe.node(retry=2, barrier_timeout=1.5)
    async def total(priced: Gather[Priced]) -> Answer | Retry:
        if priced and priced[0].number == 7:
            raise ConnectionError
        if priced and priced[0].number == 8:
            return Retry(after=1.0)
        return Answer(tuple(each.number for each in priced))

    return pipe


async def priced(on: Bench, settled: Settled, pipe: Pipe) -> list[Arrive]:
    """Run what the far group makes of the outputs."""
    arrivals: list[Arrive] = []
    async with bench(pipe, "far") as there:
        for output in settled.outputs:
            if isinstance(output, Emit):
                arrivals += [one for one in (await there.follow(output)).outputs if isinstance(one, Arrive)]
    return arrivals


async def test_what_a_fan_out_sends_is_in_a_scope_of_its_own_which_is_opened_first() -> None:
    async with bench(fan_out()) as on:
        settled = await on.run(Ask(2), id="7")
        opened, *sent = settled.outputs
        scope = child_scope("", "7", "split")

        assert isinstance(opened, Open)
        assert opened.join == Join("fan.main", "total", scope, ("priced",), gathers=True, timeout_ms=1500)
        assert [on.framing.open(one.frame).scope for one in sent if isinstance(one, Emit)] == [scope, scope]

        header = on.framing.open(opened.frame)
        assert (header.node, header.slot, header.type, header.body) == ("total", "", "", b"")
        assert (header.trace_id, header.scope, header.lineage) == (TRACE, "", ())


async def test_a_fan_out_of_nothing_opens_its_scope_too() -> None:
    async with bench(fan_out()) as on:
        settled = await on.run(Ask(0))
        assert [type(output) for output in settled.outputs] == [Open]
        answer = await on.settle(on.gathered(settled.outputs))
        assert on.result(answer) == Answer(())
        (opened,) = settled.outputs
        assert isinstance(opened, Open)
        assert on.result(await on.settle(Item((opened.frame,)))) == Answer(())  # where the bus has nothing stashed


@pytest.mark.parametrize("how", ["later", "fails"])
async def test_a_call_that_comes_back_or_fails_opens_nothing(how: str) -> None:
    for retry in (1, 2):
        async with bench(fan_out(retry=retry)) as on:
            settled = await on.run(Ask(2, how))
            assert not any(isinstance(output, Open) for output in settled.outputs)


async def test_a_hop_that_is_repeated_opens_the_same_scope_and_another_call_another() -> None:
    async with bench(fan_out()) as on:
        first, again, other = await on.run(Ask(1), id="1"), await on.run(Ask(1), id="1"), await on.run(Ask(1), id="2")
        assert first == again
        assert isinstance(first.outputs[0], Open)
        assert isinstance(other.outputs[0], Open)
        assert first.outputs[0].join.scope != other.outputs[0].join.scope


async def test_a_scope_within_a_scope_is_a_path() -> None:
    async with bench(fan_out()) as on:
        (opened, *_) = (await on.run(Ask(1), id="7", scope="a/b")).outputs
        assert isinstance(opened, Open)
        assert opened.join.scope == child_scope("a/b", "7", "split")
        assert opened.join.scope.startswith("a/b/")
        assert on.framing.open(opened.frame).scope == "a/b"


@pytest.mark.parametrize(
    ("scope", "up", "outer"), [("a/b", 0, "a/b"), ("a/b", 1, "a"), ("a/b", 2, ""), ("a/b", 3, None), ("", 1, None)]
)
def test_the_outer_scope_is_so_many_levels_out_and_above_the_runs_own_there_is_none(
    scope: str, up: int, outer: str | None
) -> None:
    assert outer_scope(scope, up) == outer


async def test_a_gather_gets_what_came_in_order_of_emission_and_runs_in_the_scope_around() -> None:
    pipe = fan_out()
    async with bench(pipe) as on:
        split = await on.run(Ask(1500), id="7", scope="a", lineage=(3,))
        arrivals = await priced(on, split, pipe)
        item = on.gathered([split.outputs[0], *reversed(arrivals)])
        settled = await on.settle(item)

        assert {arrival.join for arrival in arrivals} == {split.outputs[0].join}  # type: ignore[union-attr]
        assert len(arrivals) == 1499
        assert on.result(settled) == Answer((0, *range(2, 1500)))
        assert (settled.trace_id, settled.stash) == (TRACE, f"{child_scope('a', '7', 'split')}:total")


async def test_of_what_a_gather_sends_the_place_is_that_of_the_call_that_fanned_out() -> None:
    pipe = fan_out()

    @pipe.node(group="far")
    async def end(answer: Answer) -> None:
        return None

    async with bench(pipe) as on:
        split = await on.run(Ask(1), scope="a", lineage=(3, 1))
        (sent,) = on.sent(await on.settle(on.gathered(split.outputs)))
        assert (sent.envelope.scope, sent.envelope.lineage) == ("a", (3, 1, 0))


@pytest.mark.parametrize(("number", "attempt"), [(7, 2), (8, 1)])
async def test_a_gather_tried_again_is_its_opening_and_its_stash_never_what_it_gathered(
    number: int, attempt: int
) -> None:
    pipe = fan_out()
    async with bench(pipe) as on:
        item = on.gathered((await on.run(Ask(0))).outputs)
        async with bench(pipe, "far") as there:
            (arrival,) = (await there.call("price", Part(number), scope="a")).outputs
        assert isinstance(arrival, Arrive)
        on.shelf.stashes[TRACE, item.stash] = [arrival.frame]
        settled = await on.settle(item)
        (output,) = settled.outputs

        assert isinstance(output, Schedule)
        assert (output.item.stash, len(output.item.frames), settled.stash) == (item.stash, 1, item.stash)
        envelope = on.framing.open(output.item.frames[0])
        assert (envelope.node, envelope.slot, envelope.attempt) == ("total", "", attempt)
        again = await on.follow(output)
        assert again.outputs == (output,) if number == 8 else failure(again).kind is FailureKind.STEP


async def test_a_gathered_frame_that_cannot_be_decoded_fails_the_run() -> None:
    pipe = fan_out()
    async with bench(pipe) as on:
        split = await on.run(Ask(1))
        (arrival,) = await priced(on, split, pipe)
        foreign = on.resealed(arrival.frame, trace_id="f" * 32)
        misplaced = on.resealed(arrival.frame, slot="nothing")
        unfit = on.resealed(arrival.frame, body=b"\x81\xa6number\xa1x")
        item = on.gathered(split.outputs)
        for frame, kind in (
            (b"\xff" * 40, FailureKind.INVALID_MESSAGE),
            (unfit, FailureKind.INVALID_MESSAGE),
            (foreign, FailureKind.NO_ROUTE),
            (misplaced, FailureKind.NO_ROUTE),
        ):
            on.shelf.stashes[TRACE, item.stash] = [arrival.frame, frame]
            settled = await on.settle(item)
            assert (failure(settled).kind, settled.trace_id, settled.stash) == (kind, TRACE, item.stash)
            assert settled.dead is not None
            assert dead_letter.decode(settled.dead).frames == item.frames


async def test_a_message_or_a_stash_in_place_of_what_it_should_be_is_no_route() -> None:
    pipe = fan_out()
    async with bench(pipe) as on:
        split = await on.run(Ask(1))
        (arrival,) = await priced(on, split, pipe)
        plain = on.deliver(Ask(0)).entry.items[0]
        opening = on.gathered(split.outputs).frames
        for item in (Item((arrival.frame,)), Item(plain.frames, stash="x"), Item((*opening, arrival.frame), stash="x")):
            assert failure(only(await on.runner.run(delivery_of([item])))).kind is FailureKind.NO_ROUTE


async def test_a_message_for_a_gather_outside_of_any_fan_out_is_no_route() -> None:
    async with bench(fan_out(), "far") as on:
        failed = failure(await on.call("price", Part(0), scope=""))
        assert (failed.kind, failed.source, failed.node) == (FailureKind.NO_ROUTE, FailureSource.USER_CODE, "price")


async def test_a_gather_keeps_the_most_visits_of_any_branch_so_that_a_loop_around_it_is_bounded() -> None:
    pipe = Pipe("round", entry=Ask)
    rounds: list[int] = []

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        rounds.append(ask.number)
        return [Part(0), Part(1)]

    @pipe.node(max_visits=3)
    async def work(part: Part) -> Priced:
        return Priced(part.number)

    @pipe.node
    async def total(priced: Gather[Priced]) -> Ask:
        return Ask(len(priced))

    @pipe.node
    async def end(priced: Priced) -> Answer | Drop:
        return Drop()

    async with bench(pipe) as on:
        settled = await on.run(Ask())
        while not settled.terminal:
            settled = await on.settle(on.gathered(settled.outputs))
        assert failure(settled).error == "TooManyVisitsError"
        assert len(rounds) == 4
