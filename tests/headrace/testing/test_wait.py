"""Waiting for conditions: at once, later, never, and past a predicate that hangs."""

import anyio
import pytest

from headrace.testing.wait import wait_until, wait_until_sync


async def test_a_condition_that_holds_is_waited_for_no_longer() -> None:
    asked: list[int] = []

    def third_time() -> bool:
        asked.append(1)
        return len(asked) == 3

    await wait_until(third_time, description="the third time")
    wait_until_sync(lambda: True, description="nothing")
    assert len(asked) == 3


async def test_an_asynchronous_predicate_is_awaited() -> None:
    async def holds() -> bool:
        return True

    await wait_until(holds, description="it holds")


async def test_a_wait_that_runs_out_says_what_it_waited_for() -> None:
    with pytest.raises(AssertionError, match=r"^not within 0\.01 s: the moon is blue$"):
        await wait_until(lambda: False, timeout_s=0.01, description="the moon is blue")
    with pytest.raises(AssertionError, match=r"^not within 0\.01 s: the moon is blue$"):
        wait_until_sync(lambda: False, timeout_s=0.01, description="the moon is blue")


async def test_a_predicate_that_hangs_is_cancelled_by_the_bound() -> None:
    async def hangs() -> bool:
        await anyio.sleep_forever()
        return True

    with pytest.raises(AssertionError, match="it hangs"):
        await wait_until(hangs, timeout_s=0.01, description="it hangs")


async def test_what_a_predicate_raises_ends_the_wait() -> None:
    async def raises() -> bool:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await wait_until(raises, description="never")
