"""What ends a run other than well, and the dead letters that say why."""

import asyncio

import anyio
import pytest
from msgspec import Struct, structs
from tests.headrace.kernel.bench import NOW_S, TRACE, bench, delivery_of, failure, items_of, joined_item, only

from headrace.errors import BusUnavailableError, FailureKind, FailureSource
from headrace.graph.options import Drop
from headrace.graph.pipe import Pipe
from headrace.ledger import dead_letter
from headrace.ledger.dead_letter import DeadLetter
from headrace.ledger.terminal import ended
from headrace.ledger.values import Commit, Delivery, Entry, Item, RunState, Settled
from headrace.wire.envelope import Framing
from headrace.wire.signing import Keyring

NOW_MS = int(NOW_S * 1000)


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Other(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


def raising(error: BaseException | None = None) -> Pipe:
    pipe = Pipe("raising")

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        if error is not None:
            raise error
        return Answer(ask.number)

    return pipe


def joining() -> Pipe:
    pipe = Pipe("joining")

    @pipe.node
    async def split(ask: Ask) -> list[Part | Other]:
        return [Part(1), Other(2)]

    @pipe.node
    async def join(part: Part, other: Other) -> Answer:
        return Answer(part.number + other.number)

    return pipe


def letter_of(settled: Settled) -> DeadLetter:
    assert settled.dead is not None
    assert settled.outputs == ()
    return dead_letter.decode(settled.dead)


async def test_a_node_that_raises_fails_its_run_and_leaves_a_dead_letter_without_the_exceptions_text() -> None:
    async with bench(raising(ValueError("SECRET"))) as on:
        delivery = structs.replace(on.deliver(Ask(), attempt=2), deliveries=4)
        settled = only(await on.runner.run(delivery))

    failed, letter = failure(settled), letter_of(settled)
    assert (failed.kind, failed.source) == (FailureKind.STEP, FailureSource.USER_CODE)
    assert (failed.node, failed.group, failed.error, failed.detail) == ("answer", "main", "ValueError", "")
    assert letter == DeadLetter(
        frames=delivery.entry.items[0].frames,
        group="main",
        failure=failed,
        trace_id=TRACE,
        attempt=2,
        deliveries=4,
        first_ms=NOW_MS,
        at_ms=NOW_MS,
        plan=on.plan.version,
    )
    assert b"SECRET" not in (settled.dead or b"")
    assert settled.terminal == ended(RunState.FAILED, failed)


async def test_where_the_operator_turned_it_on_the_exceptions_text_is_in_the_failure() -> None:
    async with bench(raising(ValueError("the text")), shows_detail=True) as on:
        settled = await on.run(Ask())

    assert failure(settled).detail == "the text"
    assert letter_of(settled).failure.detail == "the text"


@pytest.mark.parametrize(
    ("error", "source"),
    [
        (ConnectionResetError(), FailureSource.EXTERNAL_DEP),
        (TimeoutError(), FailureSource.EXTERNAL_DEP),
        (OSError(), FailureSource.EXTERNAL_DEP),
        (BusUnavailableError("a", "b"), FailureSource.PLATFORM),
        (KeyError("x"), FailureSource.USER_CODE),
        (ExceptionGroup("x", [ValueError()]), FailureSource.USER_CODE),
        (StopIteration(), FailureSource.USER_CODE),
    ],
)
async def test_whose_fault_a_failure_is_follows_from_the_exception(error: Exception, source: FailureSource) -> None:
    async with bench(raising(error)) as on:
        assert failure(await on.run(Ask())).source is source


async def test_bytes_that_are_no_frame_become_a_dead_letter_of_no_run() -> None:
    for framing in (Framing(), Framing(Keyring({"k": b"0123456789abcdef"}, "k"))):
        async with bench(raising(), framing=framing) as on:
            for frame in (b"", b"\xff\x00", b"\0not msgpack", b"\x01kwrong"):
                settled = only(await on.runner.run(delivery_of([Item((frame,))], deliveries=1)))
                letter = letter_of(settled)

                assert (settled.trace_id, settled.terminal) == ("", None)
                assert (letter.frames, letter.trace_id, letter.attempt) == ((frame,), "", 0)
                assert (letter.failure.kind, letter.failure.source) == (
                    FailureKind.INVALID_MESSAGE,
                    FailureSource.PLATFORM,
                )


async def test_a_frame_that_names_its_run_but_cannot_be_opened_is_a_dead_letter_and_ends_that_run() -> None:
    keyed = Framing(Keyring({"k": b"0123456789abcdef"}, "k"))
    async with bench(raising(), framing=keyed) as on:
        good = on.deliver(Ask()).entry.items[0].frames[0]
        for frame in (good[:20], good + b"x", Framing().seal(on.framing.open(good)), b"\xff" * 16 + good[16:]):
            trace_id = frame[:16].hex()
            for settled in (
                await on.settle(Item((frame,), 3, "s")),
                only(on.runner.give_up(delivery_of([Item((frame,), 3, "s")]))),
            ):
                letter = letter_of(settled)

                assert (settled.trace_id, settled.ticket, settled.stash) == (trace_id, 3, "s")
                assert (letter.frames, letter.trace_id, letter.attempt) == ((frame,), trace_id, 0)
                assert settled.terminal == ended(RunState.FAILED, letter.failure)
                assert letter.failure.source is FailureSource.PLATFORM
            assert failure(await on.settle(Item((frame,)))).kind is FailureKind.INVALID_MESSAGE


async def test_frames_of_several_runs_in_one_item_are_no_route() -> None:
    async with bench(joining()) as on:
        first, second = joined_item((await on.run(Ask())).outputs).frames
        settled = await on.settle(Item((first, on.resealed(second, trace_id="f" * 32))))
        assert (settled.trace_id, failure(settled).kind) == (TRACE, FailureKind.NO_ROUTE)


async def test_a_dead_letter_says_when_its_call_first_failed() -> None:
    async with bench(raising(ValueError())) as on:
        letter = letter_of(await on.run(Ask(), failed_ms=5, attempt=3))
        assert (letter.first_ms, letter.at_ms) == (5, NOW_MS)


async def test_a_joined_item_of_which_one_frame_can_be_opened_fails_the_run_that_this_one_names() -> None:
    async with bench(joining()) as on:
        frames = joined_item((await on.run(Ask())).outputs).frames
        for damaged in ((frames[0], b"\xff"), (b"\xff", frames[1])):
            settled = only(await on.runner.run(delivery_of([Item(damaged)])))

            assert settled.trace_id == TRACE
            assert failure(settled).kind is FailureKind.INVALID_MESSAGE
            assert letter_of(settled).frames == damaged


async def test_an_item_without_a_frame_is_a_dead_letter_of_no_run() -> None:
    async with bench(raising()) as on:
        settled = only(await on.runner.run(delivery_of([Item(())])))
        assert (settled.trace_id, letter_of(settled).frames) == ("", ())


@pytest.mark.parametrize(
    "wrong",
    [{"pipe": "another"}, {"node": "nobody"}, {"slot": "nothing"}, {"type": "Nothing"}, {"type": "Answer"}],
)
async def test_an_envelope_for_what_is_not_here_is_no_route(wrong: dict[str, str]) -> None:
    async with bench(raising()) as on:
        known = on.framing.open(on.deliver(Ask()).entry.items[0].frames[0])
        frame = on.framing.seal(structs.replace(known, **wrong))
        settled = only(await on.runner.run(delivery_of([Item((frame,))])))

    failed = failure(settled)
    assert (failed.kind, failed.source) == (FailureKind.NO_ROUTE, FailureSource.PLATFORM)
    assert (settled.trace_id, letter_of(settled).frames) == (TRACE, (frame,))


async def test_an_envelope_for_a_node_of_another_group_is_no_route() -> None:
    async with bench(joining(), "far", placement={"split": "far"}) as on:
        settled = await on.run(Ask())
        (_, arrival) = settled.outputs
        elsewhere = only(await on.runner.run(delivery_of(items_of(arrival))))
        assert failure(elsewhere).kind is FailureKind.NO_ROUTE


async def test_an_item_without_all_messages_of_its_join_is_no_route() -> None:
    async with bench(joining()) as on:
        (arrival, _) = (await on.run(Ask())).outputs
        assert failure(only(await on.runner.run(delivery_of(items_of(arrival))))).kind is FailureKind.NO_ROUTE


async def test_a_message_that_does_not_fit_its_type_is_an_invalid_message_of_its_run() -> None:
    async with bench(raising()) as on:
        known = on.framing.open(on.deliver(Ask()).entry.items[0].frames[0])
        for body in (b"", b"\x81\xa6number\xa6SECRET", b"\xc1"):
            frame = on.framing.seal(structs.replace(known, body=body))
            settled = only(await on.runner.run(delivery_of([Item((frame,))])))
            failed = failure(settled)

            assert (failed.kind, failed.node, settled.trace_id) == (FailureKind.INVALID_MESSAGE, "answer", TRACE)
            assert "SECRET" not in str(failed)


@pytest.mark.parametrize(("deadline_ms", "is_expired"), [(NOW_MS, True), (1, True), (NOW_MS + 1, False), (0, False)])
async def test_an_item_past_its_deadline_expires_its_run_and_the_node_is_not_called(
    deadline_ms: int, is_expired: bool
) -> None:
    called: list[int] = []
    pipe = Pipe("late")

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        called.append(ask.number)
        return Answer()

    async with bench(pipe) as on:
        settled = await on.run(Ask(), deadline_ms=deadline_ms)

    assert settled.terminal is not None
    assert settled.terminal.state is (RunState.EXPIRED if is_expired else RunState.COMPLETED)
    assert (called, settled.dead) == ([] if is_expired else [0], None)
    if is_expired:
        assert (failure(settled).kind, failure(settled).node) == (FailureKind.DEADLINE, "answer")


async def test_a_branch_that_fails_when_the_hop_has_its_result_ends_alone_and_is_a_dead_letter() -> None:
    pipe = Pipe("result")
    called: list[int] = []

    @pipe.node
    async def split(ask: Ask) -> list[Part | Answer]:
        return [Answer(7), Part(0), Part(1)]

    @pipe.node
    async def send(part: Part) -> Drop:
        called.append(part.number)
        if part.number == 0:
            raise ValueError
        return Drop()

    async with bench(pipe) as on:
        settled = await on.run(Ask())
        assert on.result(settled) == Answer(7)
    assert settled.dead is not None
    letter = dead_letter.decode(settled.dead)
    assert (letter.failure.kind, letter.failure.node) == (FailureKind.STEP, "send")
    assert sorted(called) == [0, 1]


async def test_when_one_sibling_fails_for_good_the_others_are_cancelled_and_the_run_fails() -> None:
    pipe = Pipe("siblings")
    seen: list[str] = []
    waiting = asyncio.Event()

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part(0), Part(1)]

    @pipe.node
    async def send(part: Part) -> Drop:
        if part.number == 1:
            await waiting.wait()
            raise ValueError
        waiting.set()
        try:
            await anyio.sleep_forever()
        finally:
            seen.append("cancelled")
        return Drop()

    async with bench(pipe) as on:
        settled = await on.run(Ask())

    assert (failure(settled).node, failure(settled).error) == ("send", "ValueError")
    assert letter_of(settled).trace_id == TRACE
    assert seen == ["cancelled"]


async def test_a_sibling_that_fails_while_it_is_cancelled_does_not_hide_the_first_failure() -> None:
    pipe = Pipe("siblings")
    waiting = asyncio.Event()

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part(0), Part(1)]

    @pipe.node
    async def send(part: Part) -> Drop:
        if part.number == 1:
            await waiting.wait()
            raise ValueError
        waiting.set()
        try:
            await anyio.sleep_forever()
        finally:
            raise KeyError

    async with bench(pipe) as on:
        assert failure(await on.run(Ask())).error == "ValueError"


async def test_an_entry_handed_out_too_often_is_given_up_without_calling_its_node() -> None:
    async with bench(raising(AssertionError())) as on:
        delivery = structs.replace(on.deliver(Ask()), deliveries=6)
        settled = only(on.runner.give_up(delivery))

    failed = failure(settled)
    assert (failed.kind, failed.source, failed.error) == (FailureKind.WORKER_CRASH, FailureSource.PLATFORM, "")
    assert (settled.trace_id, letter_of(settled).deliveries) == (TRACE, 6)


async def test_an_entry_that_cannot_be_opened_is_given_up_as_a_dead_letter_of_no_run() -> None:
    async with bench(raising()) as on:
        settled = only(on.runner.give_up(delivery_of([Item((b"\xff",))], deliveries=6)))
        assert (settled.trace_id, settled.terminal, letter_of(settled).frames) == ("", None, (b"\xff",))


async def test_of_a_lanes_entry_with_several_items_nothing_is_given_up_but_each_is_handed_out_alone() -> None:
    async with bench(raising()) as on:
        several = structs.replace(on.lane([Ask(1), Ask(2)]), deliveries=6)
        assert on.runner.give_up(several) == Commit(0, "1-0", (), several.entry.items, "lane", None, 1)

        alone = Delivery(0, "2-0", 6, Entry(several.entry.items[:1], "lane"))
        commit = on.runner.give_up(alone)
        assert (commit.lane, commit.rest, only(commit).ticket) == ("lane", (), 1)
        assert failure(only(commit)).kind is FailureKind.WORKER_CRASH


@pytest.mark.parametrize("ticket", ["raising.gone.key", "no dots at all", "", "raising.answer.a.key.with.dots"])
async def test_tickets_in_lanes_that_this_plan_does_not_know_are_left_out_whatever_happens(ticket: str) -> None:
    expected = (((ticket, "raising.main"),),) if "answer" in ticket else ((),)
    for pipe in (raising(), raising(ValueError())):
        async with bench(pipe) as on:
            delivery = on.deliver(Ask(), tickets=(ticket,))
            assert ((await on.run(Ask(), tickets=(ticket,))).tickets,) == expected
            assert (only(on.runner.give_up(delivery)).tickets,) == expected


async def test_a_frame_from_another_version_of_the_plan_is_run_where_it_still_fits() -> None:
    async with bench(raising()) as on:
        assert on.result(await on.run(Ask(3), plan="another")) == Answer(3)
