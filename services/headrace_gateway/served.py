"""What the routes share: the pipes that are served, and the limits of a request."""

from collections.abc import Mapping

from msgspec import Struct

from headrace.bus.protocol import Bus
from headrace.errors import UnknownRunError
from headrace.ledger.values import RunView
from headrace.reply.waiters import Waiters
from headrace.runtime.client import Client
from headrace.wire.trace import is_trace_id


class Limits(Struct, frozen=True):
    """The limits of a request; as in `GatewaySettings`."""

    wait_s: float = 30.0
    max_wait_s: float = 300.0
    max_body_bytes: int = 1024 * 1024


class Served(Struct, frozen=True):
    """What is served.

    Attributes:
        clients: By pipe.
    """

    clients: Mapping[str, Client]
    bus: Bus
    waiters: Waiters
    limits: Limits

    async def view(self, trace_id: str) -> RunView:
        """Look up a run of a pipe that is served here.

        Raises:
            UnknownRunError: There is none of this trace_id.
        """
        view = await self.bus.view(trace_id) if is_trace_id(trace_id) else None
        if view is None or view.pipe not in self.clients:
            raise UnknownRunError(trace_id)
        return view
