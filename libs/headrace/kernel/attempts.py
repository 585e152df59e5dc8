"""Attempts: one call of a node, from its arguments to where its outputs go, or how it is to be tried again."""

from collections.abc import Callable
from typing import Any

from dishka import AsyncContainer

from headrace.errors import Failure
from headrace.graph.options import Retry
from headrace.graph.plan import ExecutionPlan, PlanNode
from headrace.kernel import inject
from headrace.kernel.calls import Calls, given
from headrace.kernel.context import Context
from headrace.kernel.current_call import current_call
from headrace.kernel.events import NodeFailed, Origin
from headrace.kernel.home import here
from headrace.kernel.journal import as_failure, classify
from headrace.kernel.outcome import HopFailedError
from headrace.kernel.outputs import Dispatch, Dispatcher
from headrace.kernel.publisher import Publisher
from headrace.kernel.retries import retry_in_s
from headrace.kernel.store import RunStore
from headrace.kernel.work import Headers, Work
from headrace.wire.envelope import Envelope

_MS = 1000
_UNKNOWN = Headers("", "", "", "", "", "", b"", "")


class Attempts:
    """Makes calls of a plan's nodes.

    Args:
        calls: What calls the nodes.
        random: Gives numbers from 0 to 1, for jitter.
        store: Where `Context.once` remembers.
        shows_detail: Whether failures carry exception texts.
    """

    def __init__(  # noqa: PLR0913 - the parts of one machine
        self,
        plan: ExecutionPlan,
        calls: Calls,
        *,
        dispatcher: Dispatcher,
        random: Callable[[], float],
        publisher: Publisher,
        store: RunStore,
        shows_detail: bool,
    ) -> None:
        self._plan = plan
        self._calls = calls.by_node
        self._bare = calls.bare
        self._dispatcher = dispatcher
        self._random = random
        self._publisher = publisher
        self._store = store
        self._shows_detail = shows_detail

    async def make(
        self, work: Work, request: AsyncContainer | None, state: object, publisher: Publisher | None = None
    ) -> Dispatch:
        """Call a node and dispatch its outputs, or say how it is to be tried again.

        Args:
            request: The REQUEST scope of injected parameters; None where no node has any.
            state: The key's state, for a keyed node.
            publisher: Tells of this call; None for the usual one.

        Raises:
            HopFailedError: It failed for good.
        """
        publisher = publisher or self._publisher
        is_heard = publisher.is_heard
        origin: Origin | None = None
        started_s = 0.0
        if is_heard:
            origin = origin_of(work.headers, work.node)
            publisher.node_started(origin)
            started_s = publisher.monotonic()
        token = current_call.set(work)
        try:
            node = work.node
            bare = self._bare.get(node.name)
            if bare is not None:
                returned = given(await bare(**work.messages))
            elif node.is_plain:
                returned = await self._calls[node.name](work.messages)
            else:
                returned = await self._call(work, request, state, origin, publisher)
            took_s = publisher.monotonic() - started_s if is_heard else 0.0
            dispatch = self._dispatcher.dispatch(work, returned)
        except BaseException as raised:
            again = self._failed(work, raised, origin, started_s, publisher)
            if again is None:
                raise  # here: raised elsewhere, it would hold that frame, and a run be freed by the collector alone
            return again
        finally:
            current_call.reset(token)
        if origin is not None:
            publisher.node_ended(origin, took_s, len(returned))
        return dispatch

    def failed(self, work: Work, error: Exception) -> HopFailedError:
        """Make the error that ends a hop, and with it the run, at a node."""
        return HopFailedError(self._classified(work, error), work)

    def _failed(
        self, work: Work, raised: BaseException, origin: Origin | None, started_s: float, publisher: Publisher
    ) -> Dispatch | None:
        """Tell how a failed call is to be tried again, None where it did not fail but was cut; raises as `make`."""
        error = as_failure(raised)
        if error is None:
            return None
        failure = self._classified(work, error)
        delay_s = retry_in_s(work.node.retry, error, work.headers.attempt, self._random)
        if origin is not None:
            took_s = publisher.monotonic() - started_s
            publisher.node_failed(
                NodeFailed(*publisher.stamp(origin), duration_s=took_s, failure=failure, retry_in_s=delay_s)
            )
        if delay_s is None:
            raise HopFailedError(failure, work) from error
        return Dispatch(again=Retry(after=delay_s), failure=failure)

    async def _call(
        self,
        work: Work,
        request: AsyncContainer | None,
        state: object,
        origin: Origin | None,
        publisher: Publisher,
    ) -> list[Any]:
        """Call a node with its messages, context, state and injected parameters."""
        node = work.node
        arguments = {**dict.fromkeys(node.signals), **work.messages} if node.signals else dict(work.messages)
        if node.context_param is not None:
            arguments[node.context_param] = self._context(work, origin, publisher)
        if node.keyed is not None and node.keyed.state_param is not None:
            arguments[node.keyed.state_param] = state
        if node.injected and request is not None and not node.runs_elsewhere:
            async with inject.step(request, node.injected, node.timeout_s) as injected:
                return await self._calls[node.name]({**arguments, **injected})
        return await self._calls[node.name](arguments)

    def _classified(self, work: Work, error: Exception) -> Failure:
        return classify(
            error,
            node=work.node.name,
            group=work.node.group,
            shows_detail=self._shows_detail,
            classifiers=self._plan.classifiers,
        )

    def _context(self, work: Work, origin: Origin | None, publisher: Publisher) -> Context:
        headers = work.headers
        return Context(
            trace_id=headers.trace_id,
            run_id=headers.origin_run_id or headers.trace_id,
            invocation_id=headers.id,
            pipe=headers.pipe,
            node=work.node.name,
            group=work.node.group,
            attempt=headers.attempt,
            deadline=headers.deadline_ms / _MS if headers.deadline_ms else None,
            publisher=publisher,
            store=self._store,
            home=here(),
            origin=origin,
        )


def origin_of(headers: Envelope, node: PlanNode) -> Origin:
    """Give the first fields of an event of a call, all but its stamp."""
    known = headers if isinstance(headers, Headers) else _UNKNOWN
    trace_id = headers.trace_id
    return (
        trace_id,
        node.name,
        node.group,
        headers.attempt,
        headers.id,
        known.parent_id,
        known.owner_id,
        headers.scope,
        node.kind,
        f"{trace_id}/{node.origin}" if node.origin else headers.origin_run_id or trace_id,
        trace_id if node.origin else "",
    )
