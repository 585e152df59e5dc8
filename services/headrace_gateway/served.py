"""What the routes share: the pipes that are served, who may ask for them, and the limits of requests."""

from collections.abc import Mapping

from msgspec import Struct
from starlette.requests import HTTPConnection

from headrace.bus.protocol import Bus
from headrace.errors import UnknownRunError
from headrace.ledger.values import RunView
from headrace.observe.traces import Traces
from headrace.reply.waiters import Waiters
from headrace.runtime.client import Client
from headrace.runtime.followers import Followers
from headrace.wire.trace import is_trace_id
from headrace_gateway.access import Access
from headrace_gateway.admission import Admission
from headrace_gateway.caller import ANYBODY, Action, Caller
from headrace_gateway.limits import Limits


class Served(Struct, frozen=True):
    """What is served.

    Attributes:
        clients: By pipe.
        access: None where anybody may do anything.
        traces: Sees requests to pipes; None where nobody asked for traces.
    """

    clients: Mapping[str, Client]
    bus: Bus
    waiters: Waiters
    followers: Followers
    limits: Limits
    admission: Admission
    access: Access | None = None
    traces: Traces | None = None

    async def caller(self, request: HTTPConnection) -> Caller:
        """Tell who asks; the first thing that a route does.

        Raises:
            ProblemError: Nobody that is known, or one that asks too often.
        """
        caller = ANYBODY if self.access is None else await self.access.caller(request.headers)
        self.take(caller, request)
        return caller

    def take(self, caller: Caller, request: HTTPConnection) -> None:
        """Take one request more of a caller.

        Raises:
            ProblemError: It asks too often.
        """
        self.admission.take(caller.name or (request.client.host if request.client else ""))

    async def view(self, trace_id: str, caller: Caller, action: Action = Action.READ) -> RunView:
        """Look up a run of a pipe that is served here.

        Raises:
            UnknownRunError: There is none of this trace_id that the caller may know of.
            ProblemError: The caller may read it, but not do this with it.
        """
        view = await self.bus.view(trace_id) if is_trace_id(trace_id) else None
        if view is None or view.pipe not in self.clients:
            raise UnknownRunError(trace_id)
        if not caller.may(action, view.pipe):
            if not caller.may(Action.READ, view.pipe):
                raise UnknownRunError(trace_id)
            caller.require(action, view.pipe)
        return view
