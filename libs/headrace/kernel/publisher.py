"""The single way out for kernel events."""

import asyncio

import structlog

from headrace.kernel.events import KernelEvent, Observer

_log = structlog.get_logger("headrace.kernel")


class Publisher:
    """Tells observers of events, each apart from the others' errors.

    Args:
        observers: In the order they are told. Without any, publishing costs a look at `is_heard`.
    """

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers
        self.is_heard = bool(observers)

    def publish_on(self, loop: asyncio.AbstractEventLoop, event: KernelEvent) -> None:
        """Tell every observer on the event loop, from whatever thread this is called."""
        try:
            is_there = asyncio.get_running_loop() is loop
        except RuntimeError:
            is_there = False
        if is_there:
            self.publish(event)
        else:
            loop.call_soon_threadsafe(self.publish, event)

    def publish(self, event: KernelEvent) -> None:
        """Tell every observer."""
        for observer in self._observers:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - an observer's error is its own
                _log.warning("observer_failed", observer=repr(observer), error=type(error).__name__)
