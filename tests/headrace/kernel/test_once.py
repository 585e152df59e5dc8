"""`Context.once`: a side effect memoised under its run."""

import asyncio
import threading

import pytest
from msgspec import Struct
from tests.headrace.kernel.bench import TRACE, bench, failure

from headrace.graph.options import Retry
from headrace.graph.pipe import Pipe
from headrace.kernel.context import Context
from headrace.ledger.values import Schedule


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Receipt(Struct, frozen=True):
    id: int = 0


class Answer(Struct, frozen=True):
    text: str = ""


class Till:
    """A side effect, which counts."""

    def __init__(self) -> None:
        self.charged: list[int] = []
        self.threads: set[int] = set()

    def charge(self) -> Receipt:
        self.threads.add(threading.get_ident())
        self.charged.append(1)
        return Receipt(len(self.charged))

    async def charge_async(self) -> Receipt:
        await asyncio.sleep(0)
        return self.charge()


def paying(till: Till, *, fails: int = 0) -> Pipe:
    pipe = Pipe("paying")
    left = [fails]

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part(number) for number in range(ask.number)]

    @pipe.node(retry=Retry(backoff=1.0))
    async def pay(part: Part, ctx: Context) -> Answer:
        receipt = await ctx.once("charge", till.charge_async, type=Receipt)
        if left[0]:
            left[0] -= 1
            raise ConnectionError
        return Answer(f"{receipt.id}")

    return pipe


async def test_a_call_that_is_repeated_gets_the_value_of_the_first_time() -> None:
    till = Till()
    async with bench(paying(till, fails=2)) as on:
        settled = await on.run(Ask(1))
        for _ in range(2):
            (again,) = settled.outputs
            assert isinstance(again, Schedule)
            settled = await on.follow(again)
        assert on.result(settled) == Answer("1")
        await on.run(Ask(1))  # the whole hop again, as after a crash
    assert till.charged == [1]


async def test_two_calls_of_a_node_within_a_run_and_those_of_two_runs_have_effects_of_their_own() -> None:
    till = Till()
    async with bench(paying(till)) as on:
        for id_, trace_id in (("1", TRACE), ("2", TRACE), ("1", "f" * 32)):  # one after the other
            await on.call("pay", Part(), id=id_, trace_id=trace_id)
    assert len(till.charged) == 3


async def test_two_entry_nodes_have_effects_of_their_own_though_one_message_starts_both() -> None:
    pipe, till = Pipe("twins"), Till()

    async def pay(ask: Ask, ctx: Context) -> Answer:
        return Answer(str((await ctx.once("charge", till.charge, type=Receipt)).id))

    pipe.node(name="one")(pay)
    pipe.node(name="two")(pay)
    async with bench(pipe) as on:
        await on.runner.run(on.deliver(Ask()))
    assert len(till.charged) == 2


async def test_of_two_that_do_it_at_once_both_get_the_value_that_was_remembered_first() -> None:
    till = Till()
    async with bench(paying(till)) as on:
        first, second = await asyncio.gather(on.run(Ask(1)), on.run(Ask(1)))
        assert on.result(first) == on.result(second) == Answer("1")


async def test_the_function_may_be_of_any_colour_and_a_synchronous_one_runs_in_a_thread() -> None:
    pipe, till = Pipe("colours"), Till()

    @pipe.node
    async def pay(ask: Ask, ctx: Context) -> Answer:
        plain = await ctx.once("plain", till.charge, type=Receipt)
        assert threading.get_ident() not in till.threads
        coloured = await ctx.once("coloured", till.charge_async, type=Receipt)
        handed = await ctx.once("handed", lambda: till.charge_async(), type=Receipt)  # noqa: PLW0108 - made in a thread
        return Answer(f"{plain.id}{coloured.id}{handed.id}")

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask())) == Answer("123")


async def test_without_a_type_the_value_is_of_builtins_the_first_time_too() -> None:
    pipe, till, seen = Pipe("builtins"), Till(), list[object]()

    @pipe.node
    async def pay(ask: Ask, ctx: Context) -> Answer:
        seen.append(await ctx.once("charge", till.charge))
        seen.append(await ctx.once("nothing", lambda: None))
        return Answer()

    async with bench(pipe) as on:
        for _ in range(2):
            assert on.result(await on.run(Ask())) == Answer()
    assert seen == [{"id": 1}, None] * 2


async def test_a_function_that_fails_leaves_nothing_and_is_called_again() -> None:
    pipe, calls = Pipe("failing"), list[int]()

    @pipe.node(retry=2)
    async def pay(ask: Ask, ctx: Context) -> Answer:
        def charge() -> int:
            calls.append(1)
            if len(calls) == 1:
                raise ConnectionError
            return 5

        return Answer(str(await ctx.once("charge", charge, type=int)))

    async with bench(pipe) as on:
        (again,) = (await on.run(Ask())).outputs
        assert on.result(await on.follow(again)) == Answer("5")
    assert len(calls) == 2


async def test_a_sync_node_is_told_that_it_must_be_async() -> None:
    pipe = Pipe("threads")

    @pipe.node
    def pay(ask: Ask, ctx: Context) -> Answer:
        with pytest.raises(RuntimeError, match=r"^ctx\.once needs an async node: make 'pay' an async def$"):
            _ = ctx.once("charge", dict)
        return Answer("told")

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask())) == Answer("told")


async def test_a_value_that_has_no_form_on_the_wire_fails_the_call() -> None:
    pipe = Pipe("odd")

    @pipe.node
    async def pay(ask: Ask, ctx: Context) -> Answer:
        await ctx.once("charge", object)
        return Answer()

    async with bench(pipe) as on:
        assert failure(await on.run(Ask())).error == "TypeError"
