"""Headrace: pipelines of typed functions, run in one process or as services over Redis Streams, one answer a run.

This is the facade for users. Inside the library everything is imported from the module that defines it.
"""

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
