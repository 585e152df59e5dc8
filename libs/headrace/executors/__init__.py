"""Runs functions beside their caller, a bounded number at a time: on the event loop, in threads, processes or on Ray.

The facade for users.
"""

from headrace.executors.backend import Backend
from headrace.executors.executor import Executor
from headrace.executors.handle import Cancelled, ExitReason, TaskHandle

__all__ = ["Backend", "Cancelled", "Executor", "ExitReason", "TaskHandle"]
