"""The words for why a run failed; imports nothing of the library."""

from enum import StrEnum

from msgspec import Struct


class FailureKind(StrEnum):
    """What failed, in the words of every profile."""

    STEP = "step"
    STARTUP = "startup"
    SHUTDOWN = "shutdown"
    TIMEOUT = "timeout"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    JOIN_STARVED = "join_starved"
    BARRIER_TIMEOUT = "barrier_timeout"
    NO_ROUTE = "no_route"
    INVALID_MESSAGE = "invalid_message"
    WORKER_CRASH = "worker_crash"
    TRANSPORT = "transport"
    OVERLOAD = "overload"


class FailureSource(StrEnum):
    """Whose fault a failure is."""

    USER_CODE = "user_code"
    EXTERNAL_DEP = "external_dep"
    FRAMEWORK = "framework"
    PLATFORM = "platform"


class Handoff(StrEnum):
    """How a handoff to a group failed, worded the same everywhere."""

    TIMED_OUT = "timed out"
    TRANSPORT = "transport failed"
    FAILED = "failed"

    def for_group(self, group: str) -> str:
        """Give the words."""
        return f"remote handoff {self} for group '{group}'"


_HANDOFF_OF_KIND = {
    FailureKind.DEADLINE: Handoff.TIMED_OUT,
    FailureKind.TRANSPORT: Handoff.TRANSPORT,
    FailureKind.WORKER_CRASH: Handoff.FAILED,
}


class Failure(Struct, frozen=True, omit_defaults=True):
    """Why a run failed, as callers and logs see it: no exception text, no payload.

    Attributes:
        node: The node that failed, empty where no node did.
        group: The group whose worker saw it, empty where none did.
        error: The exception's class name, empty where there was none.
        detail: The exception's text; only where the operator turned that on.
    """

    kind: FailureKind
    source: FailureSource
    node: str = ""
    group: str = ""
    error: str = ""
    detail: str = ""

    def __str__(self) -> str:
        where = f" in node '{self.node}'" if self.node else ""
        what = f" ({self.error})" if self.error else ""
        handoff = _HANDOFF_OF_KIND.get(self.kind) if self.group else None
        kind = f"{handoff.for_group(self.group)} ({self.kind})" if handoff else self.kind
        return f"{kind}{where}, source {self.source}{what}"
