"""What a runner needs kept beside a run: the frames of a gather, and values remembered under the run."""

from typing import Protocol


class RunStore(Protocol):
    """The part of a bus that a runner asks while it runs a hop; it commits nothing there.

    What it raises comes out of `AsyncRunner.run`, or, from within `Context.once`, out of the node.
    """

    async def stashed(self, trace_id: str, stash: str, *, offset: int, limit: int) -> list[bytes]:
        """Look at frames of a gathered item, in order of arrival; fewer than `limit` only where the stash ends."""
        ...

    async def recall(self, trace_id: str, name: str) -> bytes | None:
        """Give what is remembered under a name in a run; None for nothing."""
        ...

    async def remember(self, trace_id: str, name: str, blob: bytes) -> bytes:
        """Remember a value under a name in a run, unless there is one; gives the one that is there now."""
        ...
