"""Results of runs: from a terminal to the message, or the error that says how the run ended. Pure."""

from typing import Any

from headrace.errors import EnvelopeError
from headrace.graph.plan import ExecutionPlan
from headrace.ledger.terminal import raise_unless_completed
from headrace.ledger.values import Terminal
from headrace.wire.codec import MessageCodec


class Results:
    """Reads the results of one pipe's runs."""

    def __init__(self, plan: ExecutionPlan) -> None:
        self._plan = plan

    def message(self, trace_id: str, terminal: Terminal) -> Any:  # noqa: ANN401 - the result's type is the pipe's
        """Decode a run's result; None for an empty one.

        Raises:
            RunFailedError, RunCancelledError, RunExpiredError: The run ended otherwise.
            EnvelopeError: The result is of a type that this process's plan does not have.
        """
        result = raise_unless_completed(trace_id, terminal)
        return self._codec(result.type).decode(result.body) if result.type else None

    def json(self, trace_id: str, terminal: Terminal) -> bytes | None:
        """Give a run's result as JSON; else as `message`."""
        result = raise_unless_completed(trace_id, terminal)
        if not result.type:
            return None
        codec = self._codec(result.type)
        return codec.to_json(codec.decode(result.body))

    def _codec(self, type_name: str) -> MessageCodec:
        codec = self._plan.codecs.get(type_name)
        if codec is None:
            raise EnvelopeError(f"the result is of type '{type_name}', which this plan of '{self._plan.pipe}' has not")
        return codec
