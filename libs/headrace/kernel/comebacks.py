"""Brings a call back: after a failure, after `Retry(after=)` or `Suspend(until=)`; as a scheduled or a parked item."""

from collections.abc import Callable

from headrace.graph.options import Retry, Suspend
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import Clock
from headrace.kernel.feeds import Feeds
from headrace.kernel.outputs import Dispatch
from headrace.kernel.work import Work, again
from headrace.ledger.values import Item, Park, Schedule
from headrace.wire.envelope import Envelope

_MS = 1000
_LONGEST_DELAY_MS = 10 * 365 * 86_400 * 1000  # what a bus's clock can add without overflow, and longer than any run


class Comebacks:
    """Makes the outputs that bring calls of one group back.

    Args:
        seal: Makes the frame of an envelope.
        clock: By it a failure is dated.
    """

    def __init__(self, plan: ExecutionPlan, group: str, seal: Callable[[Envelope], bytes], clock: Clock) -> None:
        self._plan = plan
        self._stream = plan.stream(group)
        self._seal = seal
        self._clock = clock
        self._feeds = Feeds(plan)

    def make(self, work: Work, dispatch: Dispatch, lane: str, ticket: int) -> Schedule | Park:
        """Make the output for a call that is to be made again; signals that have come are kept.

        Args:
            dispatch: Whose `again` says when.
            lane: Where the call keeps its place, empty for none.
        """
        until = until_of(dispatch.again)
        failed_ms = int(self._clock.now() * _MS) if dispatch.failure is not None else None
        frames = (*map(self._seal, again(self._plan, work, failed_ms)), *work.signals)
        item = Item(frames, ticket, work.stash)
        feeds = self._feeds.of(work.node, work.headers.scope)
        if isinstance(until, str):
            return Park(self._stream, until, item, feeds)
        return Schedule(self._stream, delay_of(until), item, lane, feeds)


def until_of(asked: Retry | Suspend | None) -> str | float:
    """Tell what a call that is to be made again waits for: a signal, or seconds."""
    if isinstance(asked, Suspend):
        return asked.until
    return (asked.after if asked else None) or 0.0


def delay_of(seconds: float) -> int:
    """Give a delay as a bus takes it, in milliseconds."""
    return int(min(max(seconds * _MS, 0), _LONGEST_DELAY_MS))
