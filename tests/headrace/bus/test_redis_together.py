"""Calls sent together: in order, in few round trips, each with its own answer or error, whoever goes meanwhile."""

import asyncio
from collections.abc import Sequence

import pytest

from headrace.bus.redis.together import Together
from headrace.errors import BusError, BusUnavailableError

BAD = 13


class Wire:
    """What is sent to; holds each sending until it is let through."""

    def __init__(self) -> None:
        self.sent: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.away = 0

    async def send(self, asked: Sequence[int]) -> list[int]:
        self.sent.append(list(asked))
        await self.open.wait()
        if self.away:
            self.away -= 1
            raise BusUnavailableError("nowhere", "ConnectionError")
        if BAD in asked:
            raise BusError("refused")
        return [2 * one for one in asked]


def ask(together: Together[int, int], *asked: int) -> asyncio.Task[list[int]]:
    return asyncio.create_task(together.ask(asked))


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_is_asked_in_one_turn_of_the_loop_goes_in_one_sending_and_each_gets_its_own_answers() -> None:
    wire = Wire()
    together = Together(wire.send, 10)
    answers = await asyncio.gather(ask(together, 1, 2), ask(together), ask(together, 3))
    assert list(answers) == [[2, 4], [], [6]]
    assert wire.sent == [[1, 2, 3]]


async def test_what_is_asked_while_a_sending_is_under_way_goes_with_the_next_one_no_more_than_the_limit() -> None:
    wire = Wire()
    together = Together(wire.send, 2)
    wire.open.clear()
    first = ask(together, 1)
    await turn()
    later = [ask(together, number) for number in (2, 3, 4)]
    await turn()
    wire.open.set()
    assert await asyncio.gather(first, *later) == [[2], [4], [6], [8]]
    assert wire.sent == [[1], [2, 3], [4]]
    assert await together.ask([5]) == [10]


async def test_a_bus_that_is_away_is_told_to_all_and_the_next_asks_anew() -> None:
    wire = Wire()
    together = Together(wire.send, 10)
    wire.away = 1
    outcomes = await asyncio.gather(ask(together, 1), ask(together, 2), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [BusUnavailableError] * 2
    assert await together.ask([3]) == [6]


async def test_what_the_bus_refuses_spoils_no_others() -> None:
    wire = Wire()
    together = Together(wire.send, 10)
    one, bad, two = await asyncio.gather(ask(together, 1), ask(together, BAD), ask(together, 2), return_exceptions=True)
    assert (one, two) == ([2], [4])
    assert isinstance(bad, BusError)


@pytest.mark.parametrize("going", [0, 1, 2])
async def test_whoever_goes_meanwhile_takes_no_answer_from_the_others(going: int) -> None:
    wire = Wire()
    together = Together(wire.send, 10)
    wire.open.clear()
    asked = [ask(together, 1)]
    await turn()
    asked += [ask(together, number) for number in (2, 3)]
    await turn()
    asked[going].cancel()
    await turn()
    wire.open.set()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    left = outcomes.pop(going)
    assert isinstance(left, asyncio.CancelledError)
    assert outcomes == [[2 * number] for number in (1, 2, 3) if number != going + 1]
    assert await together.ask([5]) == [10]


async def test_whoever_goes_as_it_is_its_turn_to_send_hands_the_turn_on() -> None:
    wire = Wire()
    together = Together(wire.send, 1)
    wire.open.clear()
    first = ask(together, 1)
    await turn()
    second, third = ask(together, 2), ask(together, 3)
    await turn()
    first.add_done_callback(lambda _: second.cancel())  # in the turn in which it is told that it sends next
    wire.open.set()
    outcomes = await asyncio.gather(first, second, third, return_exceptions=True)
    assert outcomes[0] == [2]
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert outcomes[2] == [6]
