"""The limits of requests. They need no more than a value: each part reads its own."""

from msgspec import Struct


class Limits(Struct, frozen=True):
    """The limits of requests; as in `GatewaySettings`."""

    wait_s: float = 30.0
    max_wait_s: float = 300.0
    max_body_bytes: int = 1024 * 1024
    body_timeout_s: float = 10.0
    max_waiters: int = 1000
    max_runs: int = 10_000
    max_outstanding: int = 64
    heartbeat_s: float = 15.0
    client_rate: float = 0.0
    client_burst: int = 20
