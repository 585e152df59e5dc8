"""The single way out for kernel events."""

import asyncio
from itertools import count

import structlog

from headrace.graph.function_names import name_of
from headrace.kernel.clock import Clock, SystemClock
from headrace.kernel.events import (
    Emitted,
    Hook,
    KernelEvent,
    NodeEnded,
    NodeFailed,
    NodeStarted,
    Observer,
    Origin,
    RunFinished,
    Stamped,
)

_log = structlog.get_logger("headrace.kernel")


class Publisher:
    """Tells observers of events, each apart from the others' errors.

    Args:
        observers: In the order they are told. Without any, publishing costs a look at `is_heard`.
        hooks: Each takes what the one before it gave. One that raises is passed over, and so is one that gives
            something that is no event, keeps back a run's last one, or gives that for another.
        clock: Events are dated by it.

    Attributes:
        monotonic: The clock's; calls are timed by it.
    """

    def __init__(
        self, observers: tuple[Observer, ...], hooks: tuple[Hook, ...] = (), *, clock: Clock | None = None
    ) -> None:
        self._observers = observers
        self._hooks = hooks
        self._next_seq = count(1).__next__
        clock = clock or SystemClock()
        self._now = clock.now
        self.monotonic = clock.monotonic
        self.is_heard = bool(observers)

    def and_to(self, observer: Observer) -> "Publisher":
        """Give a publisher that tells one observer more, and numbers its events along with this one's."""
        other = Publisher((*self._observers, observer), self._hooks)
        other._next_seq, other._now, other.monotonic = self._next_seq, self._now, self.monotonic
        return other

    def stamp(self, origin: Origin) -> Stamped:
        """Give the first fields of the next event: what it is of, its number and its time."""
        return origin + (self._next_seq(), self._now())  # noqa: RUF005 - twice as fast

    def node_started(self, origin: Origin) -> None:
        """Tell that a node is about to be called."""
        self.publish(NodeStarted(*self.stamp(origin)))

    def node_ended(self, origin: Origin, duration_s: float, outputs: int) -> None:
        """Tell that it returned."""
        self.publish(NodeEnded(*self.stamp(origin), duration_s, outputs))

    def node_failed(self, event: NodeFailed) -> None:
        """Tell that it raised, or ran out of time."""
        self.publish(event)

    def emitted(self, origin: Origin, value: object) -> None:
        """Tell what a node tells of its progress."""
        self.publish(Emitted(*self.stamp(origin), value=value))

    def publish(self, event: KernelEvent) -> None:
        """Tell every observer."""
        heard: KernelEvent | None = self._hooked(event) if self._hooks else event
        if heard is not None:
            self._tell(heard)

    def _tell(self, event: KernelEvent) -> None:
        for observer in self._observers:
            try:
                observer(event)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - an observer's error is its own
                _log.warning("observer_failed", observer=name_of(observer), error=type(error).__name__)

    def close(self) -> None:
        """Tell nobody of anything any more."""
        self._observers = ()
        self.is_heard = False

    def _hooked(self, event: KernelEvent) -> KernelEvent | None:
        heard = event
        for hook in self._hooks:
            try:
                given: object = hook(heard)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - a hook's error is its own
                _log.warning("hook_failed", hook=name_of(hook), error=type(error).__name__)
                continue
            if given is None and not isinstance(event, RunFinished):
                return None
            if not isinstance(given, KernelEvent) or isinstance(event, RunFinished) != isinstance(given, RunFinished):
                _log.warning("hook_passed_over", hook=name_of(hook), told=type(event).__name__)
            else:
                heard = given
        return heard
