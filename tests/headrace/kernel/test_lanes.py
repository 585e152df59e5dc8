"""Lanes: items of one key in order, the key's state threaded through them and saved once, all of them or a prefix."""

from typing import Any

import msgspec
import pytest
from msgspec import Struct
from tests.headrace.kernel.bench import NOW_S, Bench, bench, failure, only

from headrace.errors import FailureKind, FailureSource
from headrace.graph.options import Retry, State
from headrace.graph.pipe import Pipe
from headrace.ledger import dead_letter
from headrace.ledger.values import Commit, Delivery, Entry, Item, RunState, Schedule
from headrace.wire.envelope import Framing
from headrace.wire.signing import Keyring


class Load(Struct, frozen=True):
    amount: int = 0
    breaks: str = ""


class Checked(Struct, frozen=True):
    total: int = 0
    breaks: str = ""


class Answer(Struct, frozen=True):
    total: int = 0


class Sum(Struct):
    total: int = 0
    note: Any = None


def summing(seen: list[int] | None = None) -> Pipe:
    pipe = Pipe("sums")

    @pipe.node(key=lambda _: "all", retry=Retry(backoff=1.0, jitter=0.0, on=(ConnectionError,)))
    async def add(load: Load, so_far: State[Sum]) -> Checked | Retry:
        so_far.total += load.amount  # before it breaks, so that a change that must not be kept is there
        if seen is not None:
            seen.append(load.amount)
        match load.breaks:
            case "once":
                raise ConnectionError
            case "good":
                raise ValueError
            case "later":
                return Retry(after=3.0)
            case "state":
                so_far.note = object()
        return Checked(so_far.total, load.breaks)

    @pipe.node(retry=Retry(backoff=1.0, jitter=0.0, on=(ConnectionError,)))
    async def answer(checked: Checked) -> Answer:
        match checked.breaks:
            case "behind":
                raise ValueError
            case "behind, once":
                raise ConnectionError
        return Answer(checked.total)

    return pipe


def state_of(on: Bench, stored: bytes | None) -> int:
    assert stored is not None
    keyed = on.plan.nodes["add"].keyed
    assert keyed is not None
    assert keyed.state is not None
    total: int = keyed.state.decode(on.framing.unwrap(stored)).total
    return total


def stored(on: Bench, total: int) -> bytes:
    return on.framing.wrap(msgspec.msgpack.encode({"total": total}))


async def test_items_are_run_in_order_each_sees_the_state_of_the_one_before_and_it_is_saved_once() -> None:
    async with bench(summing()) as on:
        commit = await on.runner.run(on.lane([Load(1), Load(2), Load(3)]))

        assert [on.result(one).total for one in commit.settled] == [1, 3, 6]
        assert [(one.trace_id, one.ticket) for one in commit.settled] == [(f"{n:032x}", n) for n in (1, 2, 3)]
        assert (commit.lane, commit.rest, commit.limit) == ("lane", (), 0)
        assert state_of(on, commit.state) == 6


async def test_the_state_that_was_stored_is_where_the_first_item_starts() -> None:
    async with bench(summing()) as on:
        commit = await on.runner.run(on.lane([Load(1)], stored(on, 10)))
        assert (on.result(only(commit)).total, state_of(on, commit.state)) == (11, 11)


async def test_a_state_that_this_process_saved_last_is_kept_and_one_that_another_saved_is_read() -> None:
    async with bench(summing()) as on:
        first = await on.runner.run(on.lane([Load(1)]))
        second = await on.runner.run(on.lane([Load(1)], first.state))
        elsewhere = await on.runner.run(on.lane([Load(1)], stored(on, 50)))
        again = await on.runner.run(on.lane([Load(1)], first.state))

        assert [state_of(on, one.state) for one in (first, second, elsewhere, again)] == [1, 2, 51, 2]


async def test_states_of_different_lanes_are_apart() -> None:
    async with bench(summing()) as on:
        states: dict[str, bytes | None] = {}
        for number in range(200):  # more than are remembered, and each of them twice
            lane = f"lane {number % 100}"
            states[lane] = (await on.runner.run(on.lane([Load(number % 100)], states.get(lane), lane))).state
        assert [state_of(on, state) for state in states.values()] == [2 * number for number in range(100)]


@pytest.mark.parametrize("breaks", ["good", "behind"])
async def test_a_first_item_that_fails_leaves_the_state_as_it_was_stored_and_the_others_go_back(breaks: str) -> None:
    async with bench(summing()) as on:
        delivery = on.lane([Load(1, breaks), Load(2), Load(3)], stored(on, 10))
        commit = await on.runner.run(delivery)

        assert failure(only(commit)).error == "ValueError"
        assert failure(only(commit)).node == ("add" if breaks == "good" else "answer")
        assert (commit.state, commit.rest, commit.limit) == (None, delivery.entry.items[1:], 0)

        after = await on.runner.run(Delivery(0, "2-0", 1, Entry(commit.rest, "lane", stored(on, 10))))
        assert state_of(on, after.state) == 15


@pytest.mark.parametrize("breaks", ["good", "behind", "once", "later"])
async def test_when_a_later_item_fails_all_go_back_and_those_before_it_are_handed_out_alone(breaks: str) -> None:
    async with bench(summing()) as on:
        delivery = on.lane([Load(1), Load(2), Load(3, breaks), Load(4)], stored(on, 10))
        commit = await on.runner.run(delivery)

        assert commit == Commit(0, "1-0", (), delivery.entry.items, "lane", None, 2)

        before = await on.runner.run(Delivery(0, "2-0", 1, Entry(commit.rest[:2], "lane", stored(on, 10))))
        assert state_of(on, before.state) == 13


@pytest.mark.parametrize(("breaks", "delay_ms", "attempt"), [("once", 1000, 2), ("later", 3000, 1)])
async def test_a_first_item_that_is_to_be_tried_again_keeps_its_place_in_the_lane(
    breaks: str, delay_ms: int, attempt: int
) -> None:
    async with bench(summing()) as on:
        commit = await on.runner.run(on.lane([Load(1, breaks), Load(2)], stored(on, 10)))
        (output,) = only(commit).outputs

        assert isinstance(output, Schedule)
        assert (output.lane, output.item.ticket, output.delay_ms) == ("lane", 1, delay_ms)
        assert on.framing.open(output.item.frames[0]).attempt == attempt
        assert (commit.state, len(commit.rest)) == (None, 1)


async def test_a_node_behind_the_keyed_one_is_tried_again_without_the_lane_and_the_state_is_saved() -> None:
    async with bench(summing()) as on:
        commit = await on.runner.run(on.lane([Load(1, "behind, once"), Load(2)]))
        (output,) = commit.settled[0].outputs

        assert isinstance(output, Schedule)
        assert (output.lane, output.item.ticket) == ("", 0)
        assert on.framing.open(output.item.frames[0]).node == "answer"
        assert state_of(on, commit.state) == 3
        assert on.result(commit.settled[1]).total == 3


async def test_a_lane_item_past_its_deadline_expires_alone() -> None:
    seen: list[int] = []
    async with bench(summing(seen)) as on:
        entry = on.lane([Load(1), Load(2), Load(3)]).entry
        late = msgspec.structs.replace(on.framing.open(entry.items[1].frames[0]), deadline_ms=int(NOW_S * 1000))
        items = (entry.items[0], Item((on.framing.seal(late),), 2), entry.items[2])
        commit = await on.runner.run(Delivery(0, "1-0", 1, Entry(items, "lane")))

        states = [one.terminal.state for one in commit.settled if one.terminal]
        assert states == [RunState.COMPLETED, RunState.EXPIRED, RunState.COMPLETED]
        assert (seen, state_of(on, commit.state)) == ([1, 3], 4)


async def test_a_frame_that_cannot_be_opened_is_a_dead_letter_and_the_rest_of_the_lane_goes_on() -> None:
    async with bench(summing()) as on:
        good = on.lane([Load(1)]).entry.items[0]
        bad = Item((b"\xff",), 7)
        commit = await on.runner.run(Delivery(0, "1-0", 1, Entry((bad, good), "lane")))
        settled = only(commit)

        assert (settled.trace_id, settled.ticket, commit.rest, commit.state) == ("", 7, (good,), None)
        assert settled.dead is not None
        assert dead_letter.decode(settled.dead).frames == (b"\xff",)


@pytest.mark.parametrize("damaged", [b"", b"\xff", b"\0", b"\0\x81\xa5total\xa1x"])
async def test_a_state_that_cannot_be_read_fails_what_was_handed_out_and_calls_no_node(damaged: bytes) -> None:
    seen: list[int] = []
    async with bench(summing(seen)) as on:
        commit = await on.runner.run(on.lane([Load(1), Load(2)], damaged))

        for settled in commit.settled:
            failed = failure(settled)
            assert (failed.kind, failed.source) == (FailureKind.INVALID_MESSAGE, FailureSource.PLATFORM)
            assert settled.dead is not None
        assert ([one.ticket for one in commit.settled], commit.state, seen) == ([1, 2], None, [])


async def test_an_item_after_which_the_state_cannot_be_saved_fails_alone() -> None:
    async with bench(summing()) as on:
        several = on.lane([Load(1), Load(2, "state"), Load(3)])
        assert await on.runner.run(several) == Commit(0, "1-0", (), several.entry.items, "lane", None, 1)

        alone = await on.runner.run(Delivery(0, "2-0", 1, Entry(several.entry.items[1:2], "lane")))
        failed = failure(only(alone))
        assert (failed.kind, failed.error) == (FailureKind.INVALID_MESSAGE, "InvalidMessageError")
        assert only(alone).dead is not None
        assert (alone.lane, alone.state, alone.rest) == ("lane", None, ())

        after = await on.runner.run(Delivery(0, "3-0", 1, Entry(several.entry.items[2:], "lane")))
        assert state_of(on, after.state) == 3


async def test_a_state_over_the_limit_fails_the_item_that_made_it_so() -> None:
    pipe = Pipe("growing")

    @pipe.node(key=lambda _: "all")
    async def add(load: Load, so_far: State[Sum]) -> Answer:
        so_far.note = "x" * 4096
        return Answer()

    async with bench(pipe, framing=Framing(max_frame_bytes=2048)) as on:
        assert failure(only(await on.runner.run(on.lane([Load()])))).error == "EnvelopeTooLargeError"


async def test_a_state_is_signed_where_envelopes_are() -> None:
    framing = Framing(Keyring({"key": b"0123456789abcdef"}, "key"))
    async with bench(summing(), framing=framing) as on:
        commit = await on.runner.run(on.lane([Load(1)]))
        assert (commit.state or b"")[:4] == b"\x03key"
        forged = await on.runner.run(on.lane([Load(1)], Framing().wrap(b"\x81\xa5total\x05")))
        assert failure(only(forged)).error == "signature_refused"


async def test_a_lane_without_state_saves_none() -> None:
    pipe = Pipe("ordered")
    seen: list[int] = []

    @pipe.node(key="amount")
    async def add(load: Load) -> Answer:
        seen.append(load.amount)
        return Answer(load.amount)

    async with bench(pipe) as on:
        commit = await on.runner.run(on.lane([Load(1), Load(2)]))
        assert (seen, commit.state, len(commit.settled)) == ([1, 2], None, 2)
