"""Words a user puts on a node or returns from one: `Retry`, `Drop`, `To`, `Inject`, `State`. Values only."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """On a node, `retry=Retry(attempts=5)`: how failures are tried again. Returned, `Retry(after=2.0)`: try me again.

    Attributes:
        attempts: Calls in all, the first included.
        backoff: Seconds before the second call; each further wait doubles.
        max_backoff: Seconds that no wait exceeds.
        jitter: Fraction of the wait that is random, 0 to 1.
        on: Exception types worth another try; others fail at once.
        after: Seconds until the next call, in place of the backoff; only where returned.
    """

    attempts: int = 3
    backoff: float = 0.1
    max_backoff: float = 60.0
    jitter: float = 0.2
    on: tuple[type[Exception], ...] = (Exception,)
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """Returned: ends this branch of the run on purpose."""


@dataclass(frozen=True, slots=True)
class To:
    """Returned: sends a message to the named node, whatever else consumes its type."""

    node: str
    message: Any


class ContextMarker:
    """Base of the kernel's `Context`: a parameter annotated with a subclass of it takes the context of the call."""


class InjectMarker:
    """Marks a parameter that the container fills; written `Inject[Clock]`."""


class StateMarker:
    """Marks the parameter of a keyed node that holds its key's state; written `State[Limits]`."""


Inject = Annotated[T, InjectMarker()]
State = Annotated[T, StateMarker()]
