"""Events, made short for assertions."""

from collections.abc import Sequence
from typing import Any

from headrace import Failure, Pipe
from headrace.kernel.events import KernelEvent, RunFinished


async def story(pipe: Pipe, message: object, **options: Any) -> list[KernelEvent]:
    return [event async for event in pipe.events(message, **options)]


def names(events: Sequence[KernelEvent]) -> list[str]:
    return [f"{type(event).__name__} {event.node}".strip() for event in events]


def why(events: Sequence[KernelEvent]) -> Failure:
    """Give why the run did not complete."""
    failure = finish(events).failure
    assert failure is not None
    return failure


def finish(events: Sequence[KernelEvent]) -> RunFinished:
    """Give the last event, which is the only one of its kind."""
    *others, last = events
    assert not [event for event in others if isinstance(event, RunFinished)]
    assert isinstance(last, RunFinished)
    return last
