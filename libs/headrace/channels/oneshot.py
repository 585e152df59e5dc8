"""A channel for one value: an answer, from whoever finds it to whoever waits for it."""

from typing import Generic, TypeVar

from headrace.channels.end import End
from headrace.channels.ends import Sent
from headrace.channels.local import LocalReceiver, Queue
from headrace.errors import ChannelClosedError

T = TypeVar("T")


class OneshotSender(End, Generic[T]):
    """The sending end, for one value."""

    def __init__(self, queue: Queue[T]) -> None:
        super().__init__()
        self._queue = queue
        queue.senders += 1

    def send(self, value: T) -> None:
        """Send the value; this end is closed with that.

        Raises:
            ChannelClosedError: The receiver is closed, or this end is, for want of a value or because it was sent.
        """
        self.require_open()
        sent = self._queue.put(value)
        self.close()
        if sent is not Sent.SENT:
            raise ChannelClosedError("no receiver is left")

    def _closed(self) -> None:
        self._queue.lose_sender(self.bells)


def oneshot(kind: type[T]) -> tuple[OneshotSender[T], LocalReceiver[T]]:  # noqa: ARG001 - for type checkers
    """Make a channel for one value; a sender that closes without one has its receiver raise `ChannelClosedError`.

    Args:
        kind: Of the value; for type checkers.
    """
    queue: Queue[T] = Queue(1)
    return OneshotSender(queue), LocalReceiver(queue)
