"""Results of runs: from a terminal to the message, or the error that says how the run ended. Pure."""

from typing import Any

from headrace.errors import InvalidMessageError, ResultUnreadableError
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
            ResultUnreadableError: The result does not fit this process's plan.
        """
        read = self._read(trace_id, terminal)
        return read[1] if read else None

    def json(self, trace_id: str, terminal: Terminal) -> bytes | None:
        """Give a run's result as JSON; else as `message`."""
        read = self._read(trace_id, terminal)
        return read[0].to_json(read[1]) if read else None

    def _read(self, trace_id: str, terminal: Terminal) -> tuple[MessageCodec, Any] | None:
        result = raise_unless_completed(trace_id, terminal)
        if not result.type:
            return None
        try:
            codec = self._plan.codecs[result.type]
            return codec, codec.decode(result.body)
        except (KeyError, InvalidMessageError) as error:
            raise ResultUnreadableError(trace_id, self._plan.pipe, result.type) from error
