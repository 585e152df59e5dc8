"""What the routes share: the pipes that are served, and the limits of a request."""

from collections.abc import Mapping

from msgspec import Struct

from headrace.bus.protocol import Bus
from headrace.reply.waiters import Waiters
from headrace.runtime.client import Client


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
