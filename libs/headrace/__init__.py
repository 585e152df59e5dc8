"""Headrace: pipelines of typed functions, run in one process or as services over Redis Streams, one answer a run.

This is the facade for users. Inside the library everything is imported from the module that defines it. A name of the
facade is imported when it is asked for: what needs a part of the library, as most commands do, starts without the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any  # noqa: TID251 - types are where they belong; the import is what waits

if TYPE_CHECKING:
    from headrace.errors import (
        BusError,
        BusFullError,
        BusUnavailableError,
        CompileError,
        Failure,
        FailureKind,
        FailureSource,
        HeadraceError,
        InvalidMessageError,
        RunCancelledError,
        RunError,
        RunExpiredError,
        RunFailedError,
        UnknownRunError,
        WaitTimeoutError,
    )
    from headrace.graph.options import Drop, First, Gather, Inject, Partial, Retry, Signal, State, Suspend, To
    from headrace.graph.placement import Placement
    from headrace.graph.plan import ExecutionPlan
    from headrace.kernel.context import Context
    from headrace.kernel.events import Emitted, KernelEvent, NodeEnded, NodeFailed, NodeStarted, Observer
    from headrace.kernel.pipe import Pipe
    from headrace.kernel.runner import AsyncRunner
    from headrace.runtime.client import Client
    from headrace.runtime.local import local
    from headrace.runtime.sync_runner import SyncRunner

__all__ = [
    "AsyncRunner",
    "BusError",
    "BusFullError",
    "BusUnavailableError",
    "Client",
    "CompileError",
    "Context",
    "Drop",
    "Emitted",
    "ExecutionPlan",
    "Failure",
    "FailureKind",
    "FailureSource",
    "First",
    "Gather",
    "HeadraceError",
    "Inject",
    "InvalidMessageError",
    "KernelEvent",
    "local",
    "NodeEnded",
    "NodeFailed",
    "NodeStarted",
    "Observer",
    "Partial",
    "Pipe",
    "Placement",
    "Retry",
    "RunCancelledError",
    "RunError",
    "RunExpiredError",
    "RunFailedError",
    "Signal",
    "State",
    "Suspend",
    "SyncRunner",
    "To",
    "UnknownRunError",
    "WaitTimeoutError",
]

_HOMES = (
    "headrace.errors",
    "headrace.graph.options",
    "headrace.graph.placement",
    "headrace.graph.plan",
    "headrace.kernel.context",
    "headrace.kernel.events",
    "headrace.kernel.pipe",
    "headrace.kernel.runner",
    "headrace.runtime.client",
    "headrace.runtime.local",
    "headrace.runtime.sync_runner",
)


if not TYPE_CHECKING:  # a name that is not there is a mistake to a type checker

    def __getattr__(name: str) -> Any:  # noqa: ANN401 - as the imports above have it
        if name in __all__:
            for home in map(import_module, _HOMES):
                if hasattr(home, name):
                    return globals().setdefault(name, getattr(home, name))
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
