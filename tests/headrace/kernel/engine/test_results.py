"""What runs come to: results by route, join, gather, lane, loop, whether calls wait or not."""

import anyio
import anyio.lowlevel
import pytest
from msgspec import Struct
from tests.headrace.kernel.engine.pipes import Done, Item, Left, Many, Right, Sum, chain, squares
from tests.headrace.kernel.engine.told import finish, names, story, why

from headrace import (
    Context,
    Drop,
    First,
    Gather,
    InvalidMessageError,
    Partial,
    Pipe,
    RunExpiredError,
    RunFailedError,
    State,
    To,
)
from headrace.errors import FailureKind
from headrace.kernel.events import KernelEvent


@pytest.mark.slow
async def test_a_chain_longer_than_the_recursion_limit_runs_to_its_end() -> None:
    pipe, message, last = chain(1001)
    assert await pipe.run(message) == last(1001)


@pytest.mark.parametrize("count", [0, 1, 256, 257, 1000])
async def test_a_map_is_gathered_whatever_its_size(count: int) -> None:
    assert await squares().run(Many(count)) == Sum(sum(number**2 for number in range(count)))


@pytest.mark.slow
async def test_a_map_of_a_hundred_thousand_holds_one_page_of_calls() -> None:
    pipe = squares()
    longest = 0

    def watch(event: KernelEvent) -> None:
        nonlocal longest
        longest = max(longest, getattr(getattr(event, "metrics", None), "longest_queue", 0))

    assert await pipe.run(Many(100_000), observers=(watch,)) == Sum(sum(number**2 for number in range(100_000)))
    assert longest <= 600


async def test_calls_that_wait_do_so_side_by_side_up_to_the_bound() -> None:
    pipe = Pipe("bound")
    under_way, most = 0, 0

    @pipe.node
    async def split(message: Many) -> list[Item]:
        return [Item(number) for number in range(message.count)]

    @pipe.node
    async def work(item: Item) -> Done:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await anyio.sleep(0.001)
        under_way -= 1
        return Done(item.number)

    @pipe.node
    async def add(done: Gather[Done]) -> Sum:
        return Sum(len(done))

    assert await pipe.run(Many(20), concurrency=7) == Sum(20)
    assert most == 7


async def test_calls_that_never_wait_need_no_task_but_the_run_s() -> None:
    assert finish(await story(squares(), Many(10))).metrics.tasks == 1


async def test_what_is_gathered_is_in_order_of_emission_whatever_finished_first() -> None:
    pipe = Pipe("order")

    class Ordered(Struct):
        numbers: list[int]

    @pipe.node
    async def split(message: Many) -> list[Item]:
        return [Item(number) for number in range(message.count)]

    @pipe.node
    async def work(item: Item) -> Done:
        await anyio.sleep(0.001 * (5 - item.number))
        return Done(item.number)

    @pipe.node
    async def collect(done: Gather[Done]) -> Ordered:
        return Ordered([each.number for each in done])

    assert (await pipe.run(Many(5))).numbers == [0, 1, 2, 3, 4]


async def test_a_join_of_all_fires_once_with_each_message() -> None:
    pipe = Pipe("joined")

    @pipe.node
    async def left(message: Many) -> Left:
        await anyio.lowlevel.checkpoint()
        return Left(message.count)

    @pipe.node
    async def right(message: Many) -> Right:
        return Right(message.count)

    @pipe.node
    async def both(one: Left, other: Right) -> Sum:
        return Sum(one.value + other.value)

    assert await pipe.run(Many(2)) == Sum(4)


async def test_the_first_of_several_does_not_wait_for_the_others() -> None:
    pipe = Pipe("race")
    never = anyio.Event()

    @pipe.node
    async def slow(message: Many) -> Left:
        await never.wait()
        return Left(0)

    @pipe.node
    async def fast(message: Many) -> Right:
        return Right(message.count)

    @pipe.node
    async def winner(first: First[Left | Right]) -> Sum:
        never.set()
        return Sum(first.value)

    assert await pipe.run(Many(7)) == Sum(7)


async def test_a_partial_join_fires_without_what_was_dropped() -> None:
    pipe = Pipe("partly")

    @pipe.node
    async def left(message: Many) -> Left | Drop:
        return Drop()

    @pipe.node
    async def right(message: Many) -> Right:
        return Right(message.count)

    @pipe.node
    async def both(one: Partial[Left], other: Right) -> Sum:
        return Sum(other.value if one is None else -1)

    assert await pipe.run(Many(3)) == Sum(3)


async def test_a_partial_join_fires_with_its_last_message_where_the_other_slot_is_lost_already() -> None:
    pipe = Pipe("partly")

    @pipe.node
    async def switch(message: Many) -> Left | Right:
        return Left(message.count)

    @pipe.node
    async def first_step(message: Many) -> Item:
        return Item(message.count)

    @pipe.node
    async def last_step(message: Item) -> Done:
        return Done(message.number)

    @pipe.node
    async def all_three(late: Done, one: Partial[Left], other: Partial[Right]) -> Sum:
        return Sum(late.number if one is not None and other is None else -1)

    assert await pipe.run(Many(3)) == Sum(3)


async def test_a_join_that_lost_a_parent_fails_the_run_at_once() -> None:
    pipe = Pipe("starved")

    @pipe.node
    async def left(message: Many) -> Left | Drop:
        return Drop()

    @pipe.node
    async def right(message: Many) -> Right:
        return Right(message.count)

    @pipe.node
    async def both(one: Left, other: Right) -> Sum:
        return Sum(0)

    with pytest.raises(RunFailedError) as raised:
        await pipe.run(Many(3))
    assert raised.value.failure.kind is FailureKind.JOIN_STARVED
    assert raised.value.failure.node == "both"


async def test_a_run_that_drains_without_an_output_has_an_empty_result() -> None:
    pipe = Pipe("filter")

    @pipe.node
    async def keep(message: Many) -> Sum | None:
        return None

    assert await pipe.run(Many(1)) is None


async def test_keyed_calls_run_one_at_a_time_and_keep_their_state() -> None:
    pipe = Pipe("keyed")

    class Tally(Struct):
        seen: list[int] = []

    class Seen(Struct):
        numbers: list[int]

    @pipe.node
    async def split(message: Many) -> list[Item]:
        return [Item(number) for number in range(message.count)]

    @pipe.node(key=lambda _: "all")
    async def note(item: Item, tally: State[Tally]) -> Seen:
        before = list(tally.seen)
        await anyio.lowlevel.checkpoint()
        tally.seen = [*before, item.number]
        return Seen(tally.seen)

    @pipe.node
    async def last(seen: Gather[Seen]) -> Sum:
        return Sum(len(max((each.numbers for each in seen), key=len)))

    assert await pipe.run(Many(5)) == Sum(5)


async def test_a_loop_goes_round_until_its_node_ends_it_and_no_further_than_its_bound() -> None:
    def looping(bound: int) -> Pipe:
        pipe = Pipe("loop")

        @pipe.node(max_visits=bound)
        async def step(item: Item) -> Item | Sum:
            return Item(item.number - 1) if item.number else Sum(0)

        @pipe.node
        async def start(message: Many) -> Item:
            return Item(message.count)

        return pipe

    assert await looping(6).run(Many(5)) == Sum(0)
    with pytest.raises(RunFailedError):
        await looping(5).run(Many(5))


async def test_a_node_names_its_target() -> None:
    pipe = Pipe("named")

    @pipe.node
    async def choose(message: Many) -> To | Item:
        return To("second", Item(message.count))

    @pipe.node
    async def first(item: Item) -> Left:
        return Left(1)

    @pipe.node
    async def second(item: Item) -> Right:
        return Right(2)

    assert await pipe.run(Many(1)) == Right(2)


async def test_a_synchronous_node_runs_beside_the_event_loop() -> None:
    pipe = Pipe("threads")
    goes_on = anyio.Event()

    @pipe.node
    def blocking(message: Many) -> Left:
        anyio.from_thread.run_sync(goes_on.set)
        return Left(1)

    @pipe.node
    async def beside(message: Many) -> Right:
        await goes_on.wait()
        return Right(1)

    @pipe.node
    async def both(one: Left, other: Right) -> Sum:
        return Sum(2)

    assert await pipe.run(Many(1)) == Sum(2)


async def test_a_node_placed_on_other_processes_runs_in_this_one() -> None:
    pipe = Pipe("elsewhere")

    @pipe.node(executor="process")
    def heavy(message: Many) -> Sum:
        return Sum(message.count)

    assert await pipe.run(Many(3)) == Sum(3)


def test_run_sync_runs_in_an_event_loop_of_its_own() -> None:
    assert squares().run_sync(Many(3)) == Sum(5)


async def test_run_sync_refuses_to_block_an_event_loop() -> None:
    with pytest.raises(RuntimeError):
        squares().run_sync(Many(3))


async def test_a_message_of_another_type_is_refused_before_anything_runs() -> None:
    with pytest.raises(InvalidMessageError, match="Many"):
        await squares().run(Item(1))


async def test_a_node_s_exception_is_the_cause_of_the_run_s() -> None:
    pipe = Pipe("broken")

    @pipe.node
    async def broken(message: Many) -> Sum:
        raise LookupError("no such thing")

    with pytest.raises(RunFailedError) as raised:
        await pipe.run(Many(1))
    assert isinstance(raised.value.__cause__, LookupError)
    assert "no such thing" not in str(raised.value)


async def test_a_run_whose_time_is_up_expires() -> None:
    pipe = Pipe("late")

    @pipe.node
    async def wait(message: Many) -> Sum:
        await anyio.sleep_forever()
        return Sum(0)

    with pytest.raises(RunExpiredError):
        await pipe.run(Many(1), timeout=0.001)


async def test_a_pipe_that_was_added_to_is_compiled_anew() -> None:
    pipe = Pipe("grows")

    @pipe.node
    async def first(message: Many) -> Item:
        return Item(message.count)

    assert await pipe.run(Many(1)) == Item(1)

    @pipe.node
    async def second(item: Item, ctx: Context) -> Sum:
        return Sum(ctx.attempt)

    assert await pipe.run(Many(1)) == Sum(1)


@pytest.mark.parametrize("at", [0, 300])
async def test_a_key_that_cannot_be_told_fails_its_sender_on_whichever_page_it_is(at: int) -> None:
    pipe = Pipe("keyed")

    def key(item: Item) -> str:
        if item.number == at:
            raise LookupError
        return "one"

    @pipe.node
    async def spread(message: Many) -> list[Item]:
        return [Item(number) for number in range(400)]

    @pipe.node(key=key)
    async def keep(item: Item) -> None:
        pass

    heard = await story(pipe, Many(1))
    assert (why(heard).node, why(heard).error) == ("spread", "LookupError")
    assert "NodeFailed spread" in names(heard)
    with pytest.raises(RunFailedError) as failed:
        await pipe.run(Many(1))
    assert isinstance(failed.value.__cause__, LookupError)
