"""Lists runs, newest first, over all partitions and servers: a bounded look, which says when it did not see all."""

import heapq
from collections.abc import Sequence

from msgspec import Struct, structs

from headrace.bus.redis.inspect.names import Inventory, pattern
from headrace.bus.redis.inspect.places import Command, Place, Places
from headrace.errors import EnvelopeError, Failure
from headrace.ledger.terminal import failure_of
from headrace.ledger.values import RunState, Terminal
from headrace.wire.trace import is_trace_id, partition_of

LOOKED_AT = 200_000  # records, a few seconds
_WITH_FAILURE = frozenset({RunState.FAILED, RunState.CANCELLED, RunState.EXPIRED})
_FIELDS = ("state", "pipe", "plan", "created_ms", "in_flight", "waiting", "suspended")


class RunLine(Struct, frozen=True):
    """A run in a list.

    Attributes:
        in_flight: All its work.
        waiting: Of it, what waits at joins.
        suspended: Of it, what waits for signals.
        failure: Why it ended without a result; None where it did not.
    """

    trace_id: str
    pipe: str
    plan: str
    state: RunState
    created_ms: int
    in_flight: int
    waiting: int
    suspended: int
    failure: Failure | None = None


class RunList(Struct, frozen=True):
    """Runs, newest first.

    Attributes:
        looked_at: How many records were read.
        matched: How many of them were meant; `runs` are the newest of these.
        is_all: Whether no record was left out.
    """

    runs: tuple[RunLine, ...]
    looked_at: int
    matched: int
    is_all: bool


async def list_runs(
    places: Places, *, states: Sequence[str] = (), pipe: str = "", limit: int = 20, looked_at: int = LOOKED_AT
) -> RunList:
    """List runs.

    Args:
        states: Those that are meant; empty for all.
        limit: The most runs to give.
        looked_at: The most records to read.

    Raises:
        BusUnavailableError: A server is away.
    """
    newest: list[tuple[int, str, RunLine]] = []
    seen: set[str] = set()
    matched, is_all = 0, True
    async with places.errors():
        for place in await places.all():
            inventory = Inventory(places.namespace)
            async for page in place.keys(pattern(places.namespace, kind="run:")):
                inventory.add(page)
                new = [(at, trace) for at, trace in inventory.of("run") if trace not in seen and is_trace_id(trace)]
                inventory.by_kind.clear()
                if len(seen) + len(new) > looked_at:
                    is_all = False
                    break
                seen.update(trace for _, trace in new)
                for line in await _lines(place, inventory, new):
                    if (not states or line.state in states) and pipe in ("", line.pipe):
                        matched += 1
                        heapq.heappush(newest, (line.created_ms, line.trace_id, line))
                        if len(newest) > limit:
                            heapq.heappop(newest)
            newest = await _with_failures(place, inventory, newest)
    return RunList(tuple(line for _, _, line in sorted(newest, reverse=True)), len(seen), matched, is_all)


async def _lines(place: Place, inventory: Inventory, runs: Sequence[tuple[int, str]]) -> list[RunLine]:
    commands: list[Command] = [("HMGET", inventory.partitions[at].run(trace)[0], *_FIELDS) for at, trace in runs]
    found: list[RunLine] = []
    for (_, trace), answer in zip(runs, await place.together(commands), strict=True):
        state, pipe, plan, *numbers = (value.decode() if value else "" for value in answer)
        if state:
            created_ms, in_flight, waiting, suspended = (int(number or 0) for number in numbers)
            found.append(RunLine(trace, pipe, plan, RunState(state), created_ms, in_flight, waiting, suspended))
    return found


async def _with_failures(
    place: Place, inventory: Inventory, runs: list[tuple[int, str, RunLine]]
) -> list[tuple[int, str, RunLine]]:
    """Read why runs of this server failed: only of those that are shown, since a result may be large."""
    here = [
        line.trace_id
        for _, _, line in runs
        if line.state in _WITH_FAILURE and partition_of(line.trace_id) in inventory.partitions
    ]
    keys = [inventory.partitions[partition_of(trace)].run(trace)[0] for trace in here]
    answers = await place.together([("HGET", key, "terminal") for key in keys])
    failures = {trace: read_failure(blob) for trace, blob in zip(here, answers, strict=True)}
    return [
        (created_ms, trace, structs.replace(line, failure=failures.get(trace, line.failure)))
        for created_ms, trace, line in runs
    ]


def read_failure(blob: bytes | None) -> Failure | None:
    """Read a run's terminal as a failure; None where it is none."""
    try:
        return failure_of(Terminal(RunState.FAILED, blob)) if blob else None
    except EnvelopeError:
        return None
