"""The console's parts that keep something: rates and answers."""

import asyncio

import pytest

from headrace.errors import BusError
from headrace_gateway.console.fresh import Fresh
from headrace_gateway.console.rates import Rates


class TestRates:
    def test_a_rate_is_known_from_the_second_count_on(self) -> None:
        rates = Rates()
        assert rates.rate("a", 5, 0.0) is None
        assert rates.rate("a", 25, 2.0) == 10.0

    def test_it_is_that_of_the_last_seconds(self) -> None:
        rates = Rates()
        for second in range(20):
            last = rates.rate("a", 1000 if second >= 8 else 0, float(second))
        assert last == 0.0

    def test_a_count_that_fell_begins_anew(self) -> None:
        rates = Rates()
        rates.rate("a", 100, 0.0)
        assert rates.rate("a", 1, 1.0) is None
        assert rates.rate("a", 3, 2.0) == 2.0


class TestFresh:
    async def test_many_who_ask_at_once_share_one_look(self) -> None:
        looks = 0

        async def look() -> int:
            nonlocal looks
            looks += 1
            await asyncio.sleep(0)
            return looks

        fresh = Fresh(look)
        assert await asyncio.gather(*(fresh.get() for _ in range(50))) == [1] * 50

    async def test_a_failed_look_is_not_repeated_at_once(self) -> None:
        looks = 0

        async def look() -> int:
            nonlocal looks
            looks += 1
            raise BusError("away")

        fresh = Fresh(look)
        for _ in range(3):
            with pytest.raises(BusError):
                await fresh.get()
        assert looks == 1
