"""What the calls of one run remember; gone with the run."""

from headrace.ledger.state import Run


class Memory:
    """A `RunStore` over a run's record."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def stashed(self, trace_id: str, stash: str, *, offset: int, limit: int) -> list[bytes]:  # noqa: ARG002 - there is one run
        """Look at what a gather collected."""
        arrivals = self._run.joins.get(stash)
        return arrivals.gathered[offset : offset + limit] if arrivals is not None else []

    async def recall(self, trace_id: str, name: str) -> bytes | None:  # noqa: ARG002 - as above
        """Give what is remembered under a name."""
        return self._run.memory.get(name)

    async def remember(self, trace_id: str, name: str, blob: bytes) -> bytes:  # noqa: ARG002 - as above
        """Remember a value under a name, unless there is one; gives the one that is there now."""
        return self._run.memory.setdefault(name, blob)
