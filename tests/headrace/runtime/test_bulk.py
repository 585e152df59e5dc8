"""Bulk runs: answers in input order, a bounded number under way, and bad messages that spoil no other."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from headrace.graph.pipe import Pipe
from headrace.ledger.terminal import failure_of
from headrace.ledger.values import RunState, Terminal
from headrace.runtime.bulk import run_all
from headrace.runtime.client import Client, unreadable
from headrace.runtime.local import local
from headrace.testing.wait import wait_until


class Ask(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


def echo() -> Pipe:
    pipe = Pipe("echo")

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        if ask.number < 0:
            raise ValueError
        return Answer(ask.number)

    return pipe


def numbers(client: Client, answers: list[tuple[str, Terminal]]) -> list[int]:
    return [client.result(trace_id, terminal).number for trace_id, terminal in answers]


@settings(deadline=None)  # a whole deployment a case: on a busy machine its start takes longer than 200 ms
@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 8), st.integers(1, 8))
async def test_every_message_is_answered_once_in_input_order(asked: list[int], window: int, batch: int) -> None:
    async with local(echo().compile()) as client:
        answers = [one async for one in run_all(client, map(Ask, asked), window=window, batch=batch)]
        assert numbers(client, answers) == asked
        assert len({trace_id for trace_id, _ in answers}) == len(asked)


async def test_answers_keep_the_input_order_though_the_first_run_ends_last() -> None:
    pipe = Pipe("late")
    others: list[int] = []
    all_others = asyncio.Event()

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        if ask.number == 0:
            await all_others.wait()
        else:
            others.append(ask.number)
            if len(others) == 5:
                all_others.set()
        return Answer(ask.number)

    async with local(pipe.compile()) as client:
        answers = [one async for one in run_all(client, map(Ask, range(6)), batch=2)]
        assert numbers(client, answers) == [0, 1, 2, 3, 4, 5]


async def test_no_more_than_the_window_is_under_way_and_input_is_read_no_faster_than_it_is_answered() -> None:
    pipe = Pipe("held")
    started: list[int] = []
    read: list[int] = []
    go_on = asyncio.Event()

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        started.append(ask.number)
        await go_on.wait()
        return Answer(ask.number)

    def messages() -> Iterator[Ask]:
        for number in range(20):
            read.append(number)
            yield Ask(number)

    async with local(pipe.compile()) as client:
        answers: list[tuple[str, Terminal]] = []
        ahead: list[int] = []

        async def collect() -> None:
            async for one in run_all(client, messages(), window=6, batch=2):
                answers.append(one)
                ahead.append(len(read) - len(answers))

        collecting = asyncio.create_task(collect())
        await wait_until(lambda: len(started) == 6, description="the window is full")
        assert len(read) == 6
        go_on.set()
        await collecting
        assert numbers(client, answers) == list(range(20))
        assert max(ahead) <= 6


async def test_a_batch_over_the_window_is_still_started_whole() -> None:
    async with local(echo().compile()) as client:
        answers = [one async for one in run_all(client, map(Ask, range(10)), window=1, batch=4)]
        assert numbers(client, answers) == list(range(10))


async def test_nothing_asked_is_nothing_answered() -> None:
    async with local(echo().compile()) as client:
        assert [one async for one in run_all(client, [])] == []


async def test_what_could_not_be_read_or_fails_has_its_answer_in_its_place() -> None:
    bad = unreadable("line 2 is no JSON")
    async with local(echo().compile()) as client:
        answers = [one async for one in run_all(client, [Ask(1), bad, Ask(-1), Ask(2)], batch=2)]

        assert [terminal.state for _, terminal in answers] == [
            RunState.COMPLETED,
            RunState.FAILED,
            RunState.FAILED,
            RunState.COMPLETED,
        ]
        assert answers[1] == ("", bad)
        assert failure_of(answers[2][1]).node == "answer"


async def test_what_reading_the_input_raises_comes_out() -> None:
    def messages() -> Iterator[Ask]:
        yield Ask(1)
        raise OSError("the file is gone")

    async with local(echo().compile()) as client:
        with pytest.raises(OSError, match="the file is gone"):
            async for _ in run_all(client, messages()):
                pass
