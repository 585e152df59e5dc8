"""The settings of each service. They need no web stack: a worker's image reads them too."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from headrace.settings.bus import BusSettings
from headrace.settings.lists import Apps, Paths, Words
from headrace.settings.logs import LogSettings
from headrace.settings.sources import Settings


class PlacementSettings(Settings):
    """Settings of whatever compiles one pipe."""

    placement: Path | None = Field(None, description="A TOML file that places nodes on groups, over the code's own.")


class ServiceSettings(BusSettings, LogSettings):
    """Settings of every service."""

    profile: Literal["development", "production"] = Field(
        "development", description="development, or production, which refuses to start with an insecure setting."
    )
    check: bool = Field(default=False, description="Load everything, connect to nothing, and exit.")
    verify_s: float | None = Field(
        None, ge=0, description="Only wait, for so many seconds at most, until the bus is there and fit, and exit."
    )
    drain_s: float = Field(20.0, ge=0, description="The most seconds that a stop waits for work under way.")
    otlp_endpoint: str | None = Field(
        None,
        description="Where traces go: an OTLP collector's HTTP URL, as http://127.0.0.1:4318; none without it.",
    )
    bootstrap_fd: int | None = Field(
        None,
        ge=3,
        description="An inherited pipe with all settings of the service, read once before anything else.",
    )
    report_fd: int | None = Field(
        None, ge=3, description="An inherited pipe on which the service says that it is ready, and then that it lives."
    )
    parent_fd: int | None = Field(
        None, ge=3, description="An inherited pipe; the service stops when whoever holds its other end has ended."
    )
    orphan_s: float = Field(
        20.0, ge=0, description="The most seconds that a service whose parent has ended takes for its stop."
    )


class HeartbeatSettings(Settings):
    """Settings of services that serve nothing over a network, by which a probe sees that they work."""

    heartbeat_file: Path | None = Field(
        None, description="A file touched every second while the service works; it is dead when that is a minute old."
    )


class MetricsSettings(Settings):
    """Settings of services whose metrics have a port of their own."""

    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="The port of /metrics, for Prometheus; 0 for a free one, none without it."
    )
    metrics_host: str = Field("127.0.0.1", description="The address of /metrics.")


class FailureSettings(Settings):
    """Settings of whatever runs nodes."""

    shows_detail: bool = Field(
        default=False,
        description="Failures carry the texts of exceptions, which may hold payload, to callers and dead letters.",
    )


class WorkerSettings(ServiceSettings, PlacementSettings, HeartbeatSettings, MetricsSettings, FailureSettings):
    """Run a worker: it consumes one group of a pipe, until SIGTERM."""

    app: str = Field(description="The pipe, as module:attribute.")
    group: str = Field(description="The group whose nodes it runs.")
    slots: int = Field(256, ge=1, description="The most deliveries under way at a time.")
    lease_s: float = Field(15.0, gt=0, description="Seconds of silence after which others take a delivery over.")
    max_deliveries: int = Field(5, ge=1, description="Times an entry is handed out before it is given up as poison.")


class ReplySettings(ServiceSettings, HeartbeatSettings, MetricsSettings):
    """Run the reply service: it matches the ends of runs to those who wait for them, until SIGTERM."""


class GatewaySettings(ServiceSettings):
    """Run the gateway: it serves pipes over HTTP, until SIGTERM."""

    app: Apps = Field(min_length=1, description="The pipes, as module:attribute[,module:attribute...].")
    placement: Paths = Field((), description="TOML files that place nodes on groups: none, or one a pipe in order.")
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="The port to listen on; 0 for a free one.")
    listen_fd: int | None = Field(
        None, ge=3, description="An inherited socket that listens, in place of host and port."
    )
    wait_s: float = Field(30.0, ge=0, description="Seconds that a request waits for its answer unless it says.")
    max_wait_s: float = Field(300.0, ge=0, description="The most seconds that a request may ask to wait.")
    max_body_bytes: int = Field(1024 * 1024, ge=1, description="The largest request body taken.")
    body_timeout_s: float = Field(10.0, gt=0, description="Seconds within which a request's body must have come.")
    send_timeout_s: float = Field(
        30.0,
        gt=0,
        description="Seconds after which a connection that takes nothing of an answer, or under 1 KB a second, is cut.",
    )
    max_connections: int = Field(8192, ge=1, description="Connections over which requests are refused unread.")
    max_waiters: int = Field(1000, ge=1, description="Requests under way in an endpoint of a gateway; over it 429.")
    max_runs: int = Field(
        10_000, ge=0, description="Open runs of a pipe, over all gateways; over it 503; 0 for any number."
    )
    max_outstanding: int = Field(64, ge=1, description="Messages under way in one WebSocket; over it 429.")
    heartbeat_s: float = Field(15.0, gt=0, description="Seconds without an event after which a stream says it lives.")
    events_sample: float = Field(
        0.0,
        ge=0,
        le=1,
        description="The share of runs that keep their events and entry message without being asked to.",
    )
    client_rate: float = Field(
        0.0, ge=0, description="Requests a second of one client to a gateway; over it 429; 0 for any rate."
    )
    client_burst: int = Field(20, ge=1, description="With client_rate: requests that a client may make at once.")
    api_keys_file: Path | None = Field(
        None, description="A TOML file of hashed API keys, read again when it changes; without it none are taken."
    )
    jwks: str | None = Field(
        None, description="A path or https:// URL of the JSON Web Key Set that tokens are checked with."
    )
    jwt_issuer: str | None = Field(None, description="With jwks: the issuer (iss) whose tokens are taken.")
    jwt_audience: str | None = Field(None, description="With jwks: the audience (aud) that tokens must name.")
    jwt_algorithms: Words = Field(
        ("RS256", "ES256", "EdDSA"), description="With jwks: the algorithms that tokens may be signed with."
    )
    with_reply: bool = Field(default=False, description="Run a reply coordinator in the gateway, too.")
    console: bool | None = Field(
        None, description="Serve the operators' console at /console; without it, where access is controlled."
    )
    console_bus_url: str | None = Field(
        None,
        repr=False,
        description="How the console reaches the bus: bus_url with an operator's user; without it, as bus_url.",
    )


class DevSettings(GatewaySettings, FailureSettings):
    """Run a pipe with its gateway in one process."""
