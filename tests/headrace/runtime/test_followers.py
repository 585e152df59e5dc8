"""Followers of one process: each is given all that is behind its own place, whoever else is read for."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from headrace.ledger.told import Told
from headrace.ledger.values import RunEvent
from headrace.runtime.followers import Follower, Followers

RUN = "0" * 32


class Kept:
    """Events of one run, three of them.

    Attributes:
        on_read: Called when events have been read, and not yet given to anybody.
    """

    def __init__(self) -> None:
        self.on_read: Callable[[], object] = lambda: None

    async def tell(self, told: Sequence[Told]) -> None:
        raise AssertionError("followers tell nothing")

    async def events(self, after: Mapping[str, int], *, limit: int, wait_s: float) -> dict[str, list[RunEvent]]:
        await asyncio.sleep(0)
        found = [RunEvent(seq, 0) for seq in range(after[RUN] + 1, 4)][:limit]
        self.on_read()
        return {RUN: found} if found else {}


async def all_of(followers: Followers, follower: Follower) -> list[int]:
    seen: list[int] = []
    async with asyncio.timeout(5):
        while 3 not in seen:
            seen += [event.seq for event in await followers.take(follower, 5)]
    return seen


async def test_who_comes_while_others_are_read_for_misses_nothing() -> None:
    kept = Kept()
    followers = Followers(kept)
    reading = asyncio.create_task(followers.run())
    late = followers.following(RUN, 0)
    latecomers: list[asyncio.Task[Follower]] = []

    def comes() -> None:
        kept.on_read = lambda: None
        latecomers.append(asyncio.create_task(late.__aenter__()))

    kept.on_read = comes
    async with followers.following(RUN, 2) as ahead:
        assert await all_of(followers, ahead) == [3]
        (latecomer,) = latecomers
        assert await all_of(followers, await latecomer) == [1, 2, 3]
    await late.__aexit__(None, None, None)
    followers.stop()
    await reading


async def test_followers_at_several_places_are_each_given_what_is_behind_theirs() -> None:
    followers = Followers(Kept())
    reading = asyncio.create_task(followers.run())
    async with followers.following(RUN, 0) as first, followers.following(RUN, 1) as second:
        seen = list(await asyncio.gather(all_of(followers, first), all_of(followers, second)))
    assert seen == [[1, 2, 3], [2, 3]]
    followers.stop()
    await reading
