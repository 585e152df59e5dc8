"""Observers of kernel events, ready to use; `headrace.kernel.events` says what there is to observe."""

from headrace.observe.changes import Change, changes
from headrace.observe.comparison import NodeComparison, RunComparison, compare
from headrace.observe.log import LogObserver
from headrace.observe.timeline import Span, Timeline

__all__ = ["Change", "changes", "compare", "LogObserver", "NodeComparison", "RunComparison", "Span", "Timeline"]
