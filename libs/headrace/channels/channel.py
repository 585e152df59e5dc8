"""`channel`: a queue from several senders to several receivers, each message to exactly one of them."""

import math
from typing import Any, Literal, TypeVar, overload

from headrace.channels.distributed import DistributedReceiver, DistributedSender, Family
from headrace.channels.local import LocalReceiver, LocalSender, Queue
from headrace.channels.port import ChannelBus, Side
from headrace.wire.codec import MessageCodec, is_message_type

T = TypeVar("T")

_CAPACITY = 64
_LEASE_S = 60.0


@overload
def channel(kind: type[T], *, capacity: float = _CAPACITY) -> tuple[LocalSender[T], LocalReceiver[T]]: ...


@overload
def channel(
    kind: type[T],
    *,
    capacity: int = _CAPACITY,
    distributed: Literal[True],
    bus: ChannelBus,
    name: str,
    lease_s: float = _LEASE_S,
) -> tuple[DistributedSender[T], DistributedReceiver[T]]: ...


def channel(
    kind: type[Any],
    *,
    capacity: float = _CAPACITY,
    distributed: bool = False,
    bus: ChannelBus | None = None,
    name: str = "",
    lease_s: float = _LEASE_S,
) -> tuple[Any, Any]:
    """Make a channel, within this process or over a bus between many.

    Args:
        kind: Of the messages. Within a process for type checkers only; over a bus it is a message type.
        capacity: Messages that are held before `send` waits, at least 1; within a process `math.inf` for no bound.
        distributed: Whether other processes have ends of it too, by the same name on the same bus. Of the two ends that
            this gives, one that is neither used nor closed does not count.
        bus: What carries it.
        name: Its name there.
        lease_s: Seconds of silence after which an end is taken for dead, and what it had received for not done. One
            that is held open, by `async with`, is not silent.
    """
    if not capacity >= 1:  # so that NaN is refused too, here and below
        raise ValueError(f"capacity={capacity} must be at least 1")
    if not distributed:
        queue: Queue[Any] = Queue(capacity)
        return LocalSender(queue), LocalReceiver(queue)
    if bus is None or not name:
        raise ValueError("a distributed channel needs bus= and name=")
    if capacity == math.inf:
        raise ValueError("capacity=inf is for channels within a process; a distributed one needs a bound")
    if not 0 < lease_s < math.inf:
        raise ValueError(f"lease_s={lease_s} must be a number of seconds above 0")
    if not is_message_type(kind):
        raise TypeError(f"'{kind.__name__}' is no message type; give a Struct, a pydantic model or a dataclass")
    codec = MessageCodec(kind, kind.__name__)
    sender: DistributedSender[Any] = DistributedSender(Family(bus, name, Side.SENDERS, lease_s), codec, int(capacity))
    receiver: DistributedReceiver[Any] = DistributedReceiver(Family(bus, name, Side.RECEIVERS, lease_s), codec)
    return sender, receiver
