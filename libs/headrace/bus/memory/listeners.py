"""Who listens for abandoned runs, and who has dealt with what it was told."""

import asyncio
from dataclasses import dataclass, field

_PATIENCE_S = 3.0
_SILENT_S = 5.0  # a listener asks twice a second; after this it is taken for dead
_FORGOTTEN_S = 60.0  # and after this it is forgotten: should it ask again, it begins anew


@dataclass(slots=True)
class _Listener:
    asked_s: float
    news: list[str] = field(default_factory=list[str])
    is_busy: bool = True


class Listeners:
    """News for each listener, and whether it came back for more."""

    def __init__(self) -> None:
        self._listeners: dict[str, _Listener] = {}
        self._heard = asyncio.Event()

    def knows(self, listener: str) -> bool:
        """Whether it has begun to listen."""
        return listener in self._listeners

    def begin(self, listener: str, known: list[str]) -> list[str]:
        """Add a listener and give it what there is."""
        self._listeners[listener] = _Listener(_now_s())
        return known

    def has_news(self, listener: str) -> bool:
        """Note that a listener has dealt with what it took, and tell whether there is more for it."""
        asking = self._listeners[listener]
        asking.asked_s = _now_s()
        asking.is_busy = False
        self._heard.set()
        return bool(asking.news)

    def take(self, listener: str) -> list[str]:
        """Give a listener its news."""
        asking = self._listeners.get(listener)
        if asking is None:
            return []
        taken, asking.news = asking.news, []
        asking.is_busy = bool(taken)
        return taken

    def tell(self, trace_id: str) -> None:
        """Put a run into everybody's news."""
        self._forget_dead()
        for listener in self._listeners.values():
            listener.news.append(trace_id)

    def leave(self, listener: str) -> None:
        """Take a listener back."""
        self._listeners.pop(listener, None)
        self._heard.set()

    async def have_heard(self) -> None:
        """Wait until all who live have dealt with what they were told, for a few seconds at most."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while self._someone_is_behind():
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            return

    def _someone_is_behind(self) -> bool:
        live_s = _now_s() - _SILENT_S
        return any(
            (listener.is_busy or listener.news) and listener.asked_s > live_s for listener in self._listeners.values()
        )

    def _forget_dead(self) -> None:
        dead_s = _now_s() - _FORGOTTEN_S
        for name in [name for name, listener in self._listeners.items() if listener.asked_s < dead_s]:
            del self._listeners[name]


def _now_s() -> float:
    return asyncio.get_running_loop().time()
