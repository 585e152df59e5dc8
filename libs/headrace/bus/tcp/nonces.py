"""The nonces that have been seen, each for as long as a frame with it could be taken for fresh. Pure."""

from collections import deque

from headrace.bus.tcp.refusals import FrameRefusedError, Refusal


class Nonces:
    """Takes each nonce once.

    What is in the window is never forgotten for lack of room: when it is full nothing new is taken. Only who has a key
    can fill it, since a nonce comes here when its frame has been authenticated.

    Args:
        window_ms: How far a frame's time may be from ours.
        limit: The most nonces kept.
    """

    def __init__(self, *, window_ms: int, limit: int) -> None:
        self._kept_ms = 2 * window_ms  # a frame may come a window before its time, and again a window after it
        self._limit = limit
        self._seen: set[bytes] = set()
        self._order: deque[tuple[int, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._seen)

    def take(self, nonce: bytes, *, now_ms: int) -> None:
        """Take a nonce.

        Args:
            now_ms: By a clock that never goes back.

        Raises:
            FrameRefusedError: It was taken before, or there is no room.
        """
        while self._order and self._order[0][0] < now_ms:
            self._seen.discard(self._order.popleft()[1])
        if nonce in self._seen:
            raise FrameRefusedError(Refusal.REPLAYED)
        if len(self._seen) >= self._limit:
            raise FrameRefusedError(Refusal.CROWDED)
        self._seen.add(nonce)
        self._order.append((now_ms + self._kept_ms, nonce))
