"""How one run in one process is started."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from headrace.graph.numbers import is_count, is_number
from headrace.graph.pipe import check_synchronous
from headrace.kernel.events import Observer

DEFAULT_CONCURRENCY = 1000


class RunOptions(Struct, frozen=True, kw_only=True):
    """How one run is started.

    Attributes:
        timeout_s: Seconds until it is ended, start-up included; None for no bound.
        signals: What calls that suspend themselves find there already, by name.
        concurrency: The most calls under way at a time, whatever their nodes.
        observers: Told of its events, after the pipe's own.
        run_id: Its trace_id; empty for a new one.
        waits: Whether it waits for signals that nobody but `RunEvents.signal` could send.
        shows_detail: Whether failures carry exception texts, which may hold payload.

    Raises:
        ValueError: A timeout is no number of seconds, or a concurrency no whole number of at least 1.
        TypeError: An observer is no function, or an `async def`.
    """

    timeout_s: float | None = None
    signals: Mapping[str, Any] = {}
    concurrency: int = DEFAULT_CONCURRENCY
    observers: tuple[Observer, ...] = ()
    run_id: str = ""
    waits: bool = True
    shows_detail: bool = False

    def __post_init__(self) -> None:
        if self.timeout_s is not None and not is_number(self.timeout_s):
            raise ValueError(f"timeout is a number of seconds, or None; got {self.timeout_s!r}")
        if not is_count(self.concurrency):
            raise ValueError(f"concurrency is a whole number of at least 1; got {self.concurrency!r}")
        for observer in self.observers:
            check_synchronous("an observer", observer)
