"""Every metric there is: its name, which ends in its unit, its labels and what it says. The docs print this table.

Counts are made where things happen, whoever asks or not, and are read when Prometheus asks.
"""

from enum import StrEnum

from msgspec import Struct

from headrace.observe.metrics.histogram import Histogram


class Kind(StrEnum):
    """What a metric does: a counter grows, a gauge goes up and down, a histogram counts by size."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(Struct, frozen=True):
    """A metric.

    Attributes:
        of: Who exposes it.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    says: str
    of: str


class Sample(Struct, frozen=True):
    """One value of a metric, its labels' values in their order."""

    metric: Metric
    values: tuple[str, ...]
    value: float | Histogram


_GROUP = ("pipe", "group")
_NODE = (*_GROUP, "node")
_WORKER, _GATEWAY, _REPLY, _HOST = "worker", "gateway", "reply", "host"

HOPS = Metric(
    "headrace_hops_total", Kind.COUNTER, (*_GROUP, "answer"), "Hops, by what their commit was answered.", _WORKER
)
ENTRIES = Metric(
    "headrace_entries_total",
    Kind.COUNTER,
    (*_GROUP, "how"),
    "Entries of the group's stream that were read, claimed from a silent worker, promoted when due, or given up.",
    _WORKER,
)
FAULTS = Metric(
    "headrace_faults_total", Kind.COUNTER, (*_GROUP, "fault"), "What should not happen to a worker, and did.", _WORKER
)
EXPIRED = Metric("headrace_runs_expired_total", Kind.COUNTER, _GROUP, "Runs that this worker ended as late.", _WORKER)
IN_FLIGHT = Metric(
    "headrace_in_flight", Kind.GAUGE, _GROUP, "Deliveries held: running, or waiting for their commit.", _WORKER
)
SLOTS = Metric("headrace_slots", Kind.GAUGE, _GROUP, "The most deliveries that a worker holds at a time.", _WORKER)
BACKLOG = Metric(
    "headrace_backlog",
    Kind.GAUGE,
    _GROUP,
    "Entries of the group that wait or are in flight; the same from each of its workers.",
    f"{_WORKER}, {_HOST}",
)
OLDEST_AGE = Metric(
    "headrace_oldest_age_seconds",
    Kind.GAUGE,
    _GROUP,
    "Age of the oldest of them, 0 where there is none.",
    f"{_WORKER}, {_HOST}",
)
DEAD_LETTERS = Metric(
    "headrace_dead_letters", Kind.GAUGE, _GROUP, "Dead letters of the group that lie there.", f"{_WORKER}, {_HOST}"
)
HANDLER = Metric(
    "headrace_handler_seconds", Kind.HISTOGRAM, _NODE, "How long calls of a node took, failed ones included.", _WORKER
)
FAILED_CALLS = Metric(
    "headrace_failed_calls_total", Kind.COUNTER, (*_NODE, "kind", "source"), "Calls of a node that failed.", _WORKER
)
RETRIES = Metric("headrace_retries_total", Kind.COUNTER, _NODE, "Of these, calls that are tried again.", _WORKER)
SUSPENSIONS = Metric("headrace_suspensions_total", Kind.COUNTER, _NODE, "Calls that were parked.", _WORKER)
SLACK = Metric(
    "headrace_deadline_slack_seconds",
    Kind.HISTOGRAM,
    _GROUP,
    "Seconds that were left until the deadline when a hop began; of runs that have one.",
    _WORKER,
)

REQUESTS_UNDER_WAY = Metric(
    "headrace_gateway_requests_under_way", Kind.GAUGE, ("endpoint",), "Requests under way.", _GATEWAY
)
REQUESTS = Metric("headrace_gateway_requests_total", Kind.COUNTER, ("endpoint",), "Requests dealt with.", _GATEWAY)
REQUEST_DURATION = Metric(
    "headrace_gateway_request_seconds",
    Kind.HISTOGRAM,
    ("endpoint", "status"),
    "Seconds from a request to its answer's first byte: end to end, where it waits for its run.",
    _GATEWAY,
)
REFUSED = Metric("headrace_gateway_refused_total", Kind.COUNTER, ("limit",), "Requests that a limit refused.", _GATEWAY)
WAITERS = Metric("headrace_gateway_waiters", Kind.GAUGE, (), "Waits for runs under way.", _GATEWAY)
FOLLOWERS = Metric("headrace_gateway_followers", Kind.GAUGE, (), "Runs followed, once for each who follows.", _GATEWAY)
WAITS = Metric(
    "headrace_gateway_waits_total",
    Kind.COUNTER,
    ("outcome",),
    "How waits for runs ended, and terminals that were duplicate or came too late.",
    _GATEWAY,
)
OPEN_RUNS = Metric("headrace_gateway_open_runs", Kind.GAUGE, ("pipe",), "Runs under way, over all gateways.", _GATEWAY)
MAX_RUNS = Metric("headrace_gateway_max_runs", Kind.GAUGE, ("pipe",), "How many may be; 0 for any number.", _GATEWAY)

TERMINALS = Metric(
    "headrace_reply_terminals_total",
    Kind.COUNTER,
    ("outcome",),
    "Ends of runs that were delivered, that nobody waited for, or that another coordinator dealt with.",
    f"{_REPLY}, {_HOST}, gateway with `with_reply`",
)

RESTARTS = Metric("headrace_host_restarts_total", Kind.COUNTER, ("place",), "Children that were started again.", _HOST)
CHILDREN = Metric("headrace_host_children", Kind.GAUGE, ("place", "state"), "Children, by how they are.", _HOST)
BROKER_REFUSED = Metric(
    "headrace_host_broker_refused_total", Kind.COUNTER, ("reason",), "What the tcp bus's broker refused.", _HOST
)
BROKER_CONNECTIONS = Metric(
    "headrace_host_broker_connections", Kind.GAUGE, (), "Connections to the tcp bus's broker.", _HOST
)

ALL = (
    *(HOPS, ENTRIES, FAULTS, EXPIRED, IN_FLIGHT, SLOTS, BACKLOG, OLDEST_AGE, DEAD_LETTERS),
    *(HANDLER, FAILED_CALLS, RETRIES, SUSPENSIONS, SLACK),
    *(REQUESTS_UNDER_WAY, REQUESTS, REQUEST_DURATION, REFUSED, WAITERS, FOLLOWERS, WAITS, OPEN_RUNS, MAX_RUNS),
    TERMINALS,
    *(RESTARTS, CHILDREN, BROKER_REFUSED, BROKER_CONNECTIONS),
)
