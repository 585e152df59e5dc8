"""The processes of a soak, and who strikes one of them at random again and again."""

import asyncio
import os
import signal
from collections.abc import Mapping
from random import Random

from tests.soak.pipe import SEED
from tests.support.services import Service

SHORTEST_S, LONGEST_S = 1.2, 2.2  # between two strikes
PAUSED = 0.2  # of the strikes: it is not killed, but frozen until the next one, which is past its lease
LEASE_S = "1"
SLOTS = "64"  # a turn of the loop is that many hops, and a lease is many turns, also where many processes share a core


class Post:
    """A place that one process after the other fills."""

    def __init__(self, name: str, settings: Mapping[str, str]) -> None:
        self.name = name
        self._settings = settings
        self.service = self._start()
        self.fenced = 0

    def kill(self) -> None:
        """End the process at once, and start another."""
        self.service.kill()
        self._count()
        self.service.close()
        self.service = self._start()

    def pause(self) -> None:
        """Freeze the process."""
        self.service.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the process go on."""
        self.service.signal(signal.SIGCONT)

    def stop(self) -> None:
        """Have the process drain."""
        self.service.terminate()
        self._count()
        self.service.close()

    def _start(self) -> Service:
        return Service(self.name, **self._settings)

    def _count(self) -> None:
        self.fenced += self.service.log.count("commit_fenced")


class Fleet:
    """All posts of a soak.

    Args:
        groups: By app.
        workers: Of each group.
        seed: Of the drawn pipeline.
    """

    def __init__(
        self, url: str, namespace: str, groups: Mapping[str, tuple[str, ...]], *, workers: int, seed: int
    ) -> None:
        os.environ[SEED] = str(seed)  # what the workers inherit, and draw by
        common = {"bus_url": url, "namespace": namespace, "lease_s": LEASE_S, "slots": SLOTS, "max_deliveries": "1000"}
        self._posts = [Post("reply", common) for _ in range(2)]
        for app, names in groups.items():
            for group in names * workers:
                self._posts.append(Post("worker", {**common, "app": app, "group": group}))
        self._rng = Random(seed)
        self._paused: Post | None = None
        self.kills = 0
        self.pauses = 0

    @property
    def fenced(self) -> int:
        """Commits that came too late, as their workers have logged them before they were ended."""
        return sum(post.fenced for post in self._posts)

    async def ready(self) -> None:
        """Wait until every process works."""
        for post in self._posts:
            await asyncio.to_thread(post.service.ready)

    async def strike_at_random(self, done: asyncio.Event) -> None:
        """Kill or freeze one process every second or two, until told that it is enough."""
        while not done.is_set():
            try:
                async with asyncio.timeout(self._rng.uniform(SHORTEST_S, LONGEST_S)):
                    await done.wait()
            except TimeoutError:
                await asyncio.to_thread(self._strike)
        self._resume()

    def stop(self) -> None:
        """Have every process drain."""
        for post in self._posts:
            post.stop()

    def _strike(self) -> None:
        self._resume()
        post = self._rng.choice(self._posts)
        if self._rng.random() < PAUSED:
            self.pauses += 1
            self._paused = post
            post.pause()
        else:
            self.kills += 1
            post.kill()

    def _resume(self) -> None:
        if self._paused is not None:
            self._paused.resume()
            self._paused = None
