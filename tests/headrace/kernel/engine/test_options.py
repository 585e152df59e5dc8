"""What a run is started with is refused at once where it cannot be meant, or has no key."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.headrace.kernel.engine.pipes import Many, chain

from headrace import InvalidMessageError, Pipe
from headrace.kernel.events import KernelEvent

STARTS = pytest.mark.parametrize("start", [Pipe.run_sync, Pipe.events])


@STARTS
def test_an_observer_that_cannot_be_called_for_an_event_is_refused(start: Callable[..., Any]) -> None:
    async def later(event: KernelEvent) -> None: ...

    pipe, message, _ = chain(1)
    with pytest.raises(TypeError, match=r"an observer is called on the event loop and not awaited; .* is an async def"):
        start(pipe, message, observers=(later,))


@STARTS
@pytest.mark.parametrize("timeout", [math.nan, "soon"])
def test_a_timeout_that_is_no_number_of_seconds_is_refused(start: Callable[..., Any], timeout: Any) -> None:
    pipe, message, _ = chain(1)
    with pytest.raises(ValueError, match="timeout is a number of seconds"):
        start(pipe, message, timeout=timeout)


@STARTS
@pytest.mark.parametrize("concurrency", [0, -1, 1.5])
def test_a_concurrency_that_lets_nothing_run_is_refused(start: Callable[..., Any], concurrency: Any) -> None:
    pipe, message, _ = chain(1)
    with pytest.raises(ValueError, match="concurrency is a whole number of at least 1"):
        start(pipe, message, concurrency=concurrency)


@STARTS
@pytest.mark.parametrize("order", ["arrival", "ingress"])
def test_a_message_whose_key_cannot_be_computed_is_refused(start: Callable[..., Any], order: Any) -> None:
    pipe = Pipe("keyed")

    @pipe.node(key=lambda message: 1 // message.count, order=order)
    async def keep(message: Many) -> None: ...

    why = r"type 'Many': the key of node 'keep' cannot be computed \(ZeroDivisionError\)"
    with pytest.raises(InvalidMessageError, match=why) as refused:
        start(pipe, Many(0))
    assert isinstance(refused.value.__cause__, ZeroDivisionError)
