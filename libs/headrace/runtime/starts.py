"""The start of one run: refused where too many are open, found again where an idempotency key names it."""

import asyncio

from headrace.bus.protocol import Ingress
from headrace.errors import KeyReusedError, TooManyRunsError
from headrace.ledger.values import RunView, Submission, Submitted
from headrace.observe.traces import Traces
from headrace.runtime.submissions import Options, Submissions


class Starts:
    """Starts runs of one pipe.

    Args:
        submissions: Made those that are started here.
        traces: Told of each that was.
    """

    def __init__(self, bus: Ingress, submissions: Submissions, traces: Traces | None = None) -> None:
        self._bus = bus
        self._submissions = submissions
        self._traces = traces

    async def start(self, submission: Submission, options: Options) -> RunView | None:
        """Start a run, as one step with the check of how many are open.

        Returns:
            None where it has started; else the run that its idempotency key names, which its inbox now waits for, too.

        Raises:
            TooManyRunsError: As many runs are open as the options allow; nothing was started.
            KeyReusedError: The key came with another message before; nothing was started.
        """
        if options.idempotency is not None:
            await self._require_no_namesake(submission)
        (answer,) = await self._bus.submit([submission])
        if answer is Submitted.FULL:
            raise TooManyRunsError(submission.pipe, options.most_open)
        if answer is Submitted.NEW:
            if self._traces is not None:
                self._traces.published(submission)
            return None
        if options.idempotency is None:
            return None  # it is there by this very call, which the bus's client has repeated
        return await self._find(submission) or await self.start(submission, options)

    async def _find(self, submission: Submission) -> RunView | None:
        view = await self._bus.view(submission.trace_id)
        if view is None:
            return None  # forgotten just now
        if view.fingerprint != submission.fingerprint:
            raise KeyReusedError(view.trace_id)
        return await self._bus.watch(view.trace_id, submission.inbox) if submission.inbox else view

    async def _require_no_namesake(self, submission: Submission) -> None:
        """Look where the key's run would be with a message of another lane, which decides its partition."""
        others = self._submissions.namesakes(submission.trace_id)
        for view in await asyncio.gather(*map(self._bus.view, others)):
            if view is not None:
                raise KeyReusedError(view.trace_id)
