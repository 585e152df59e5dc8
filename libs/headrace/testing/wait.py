"""Waiting for a condition in a test: no sleep, a bound, and a description that a failure prints.

For tests only. A condition that holds at once costs nothing; one that does not is asked again every `POLL_S`.
"""

import time
from collections.abc import Awaitable, Callable

from anyio import move_on_after, sleep

POLL_S = 0.005  # short beside a round trip to a service, long beside the cost of asking


async def wait_until(
    predicate: Callable[[], bool | Awaitable[bool]], *, timeout_s: float = 10, description: str
) -> None:
    """Wait until the predicate holds.

    Args:
        predicate: Asked until it is true; it may be asynchronous. What it raises ends the wait.
        timeout_s: The bound; an asynchronous predicate that hangs is cancelled by it.
        description: What is waited for, as the failure says it: "the worker has committed".

    Raises:
        AssertionError: The predicate did not hold in time.
    """
    with move_on_after(timeout_s):
        while not await _holds(predicate):  # noqa: ASYNC110 - the condition may be one that tells nobody
            await sleep(POLL_S)
        return
    raise AssertionError(_too_late(timeout_s, description))


def wait_until_sync(predicate: Callable[[], bool], *, timeout_s: float = 10, description: str) -> None:
    """Wait until the predicate holds, as `wait_until` does, blocking the thread.

    Raises:
        AssertionError: The predicate did not hold in time.
    """
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(_too_late(timeout_s, description))
        time.sleep(POLL_S)


async def _holds(predicate: Callable[[], bool | Awaitable[bool]]) -> bool:
    answer = predicate()
    return answer if isinstance(answer, bool) else await answer


def _too_late(timeout_s: float, description: str) -> str:
    return f"not within {timeout_s:g} s: {description}"
