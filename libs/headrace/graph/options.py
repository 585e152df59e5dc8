"""Words a user puts on a node, on its parameters, or returns from it. Values only."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from headrace.graph.numbers import is_number

T = TypeVar("T")
ExecutorName = Literal["inline", "thread", "process", "ray"]


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

    Raises:
        ValueError: `after` is no number.
    """

    attempts: int = 3
    backoff: float = 0.1
    max_backoff: float = 60.0
    jitter: float = 0.2
    on: tuple[type[Exception], ...] = (Exception,)
    after: float | None = None

    def __post_init__(self) -> None:
        if self.after is not None and not is_number(self.after):
            raise ValueError(f"Retry(after={self.after!r}) must be a number of seconds")


@dataclass(frozen=True, slots=True)
class Drop:
    """Returned: ends this branch of the run on purpose."""


@dataclass(frozen=True, slots=True)
class To:
    """Returned: sends a message to the named node, whatever else consumes its type."""

    node: str
    message: Any


@dataclass(frozen=True, slots=True)
class Suspend:
    """Returned: parks this call, durably, until a signal comes to the run or a time has passed; then it is made again.

    Attributes:
        until: The signal's name, which is that of a `Signal[...]` parameter of the node; or seconds.

    Raises:
        ValueError: It is neither.
    """

    until: str | float

    def __post_init__(self) -> None:
        if not (isinstance(self.until, str) or is_number(self.until)):
            raise ValueError(f"Suspend(until={self.until!r}) must be a signal's name or a number of seconds")


class ContextMarker:
    """Base of the kernel's `Context`: a parameter annotated with a subclass of it takes the context of the call."""


class InjectMarker:
    """Marks a parameter that the container fills; written `Inject[Clock]`."""


class StateMarker:
    """Marks the parameter of a keyed node that holds its key's state; written `State[Limits]`."""


class FirstMarker:
    """Marks a parameter that takes the first message of some types; written `First[Card | Transfer]`."""


class PartialMarker:
    """Marks a parameter of a join that may stay empty, and is then None; written `Partial[Discount]`."""


class GatherMarker:
    """Marks a parameter that takes all messages of one fan-out, in emission order; written `Gather[Priced]`."""


class SignalMarker:
    """Marks a parameter that takes a signal of its name once it has come, None before; written `Signal[Approval]`."""


Inject = Annotated[T, InjectMarker()]
State = Annotated[T, StateMarker()]
First = Annotated[T, FirstMarker()]
Partial = Annotated[T | None, PartialMarker()]
Gather = Annotated[list[T], GatherMarker()]
Signal = Annotated[T | None, SignalMarker()]
