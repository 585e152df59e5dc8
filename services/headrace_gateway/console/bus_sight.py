"""What the bus protocol alone can tell, for the console on the memory and the tcp bus."""

from collections.abc import Sequence

import msgspec

from headrace.bus.protocol import Bus
from headrace.bus.redis.inspect.groups import Group
from headrace.bus.redis.inspect.letters import FoundLetter
from headrace.bus.redis.inspect.runs import RunLine, RunList, read_failure
from headrace.bus.redis.inspect.story import Happened, Story, happened
from headrace.errors import EnvelopeError
from headrace.graph.plan import ExecutionPlan
from headrace.ledger import dead_letter
from headrace.ledger.terminal import result_of
from headrace.ledger.values import Letter, RunState, RunView, Submission
from headrace_gateway.console.sight import CallsNow, Letters
from headrace_gateway.console.tally import Tally

_MOST_LETTERS = 500
_MOST_EVENTS = 1000
_NO_WORKERS = "Replicas and ages of entries: this bus does not tell them."
_NO_RUNS = "Lists of runs: on this bus a run is found by its trace_id alone."
_SOME_RUNS = "Runs of former processes: the newest that this process has worked on are listed."


class BusSight:
    """Sees what a bus tells.

    Args:
        tally: Of the nodes that run in this process; None where they run in others.
    """

    def __init__(self, bus: Bus, name: str, tally: Tally | None = None) -> None:
        self.bus = name
        self.missing: tuple[str, ...] = (_NO_WORKERS, _NO_RUNS if tally is None else _SOME_RUNS)
        self._bus = bus
        self._tally = tally

    async def groups(self, streams: Sequence[str]) -> list[Group]:
        """As `Sight.groups`."""
        return [await self._group(stream) for stream in streams]

    async def _group(self, stream: str) -> Group:
        dead = len(await self._bus.dead_letters(stream, limit=_MOST_LETTERS))
        return Group(stream, await self._bus.backlog(stream), dead=dead, added=None)

    def calls(self, plan: ExecutionPlan) -> dict[str, CallsNow]:
        """As `Sight.calls`."""
        return {} if self._tally is None else {node: self._tally.calls_of(node) for node in plan.nodes}

    async def runs(self) -> RunList | None:
        """As `Sight.runs`."""
        if self._tally is None:
            return None
        traces = self._tally.traces
        views = [await self._bus.view(trace_id) for trace_id in traces]
        lines = [_line(view) for view in views if view is not None]
        lines.sort(key=lambda line: (line.created_ms, line.trace_id), reverse=True)
        return RunList(tuple(lines), len(lines), len(lines), is_all=not self._tally.has_forgotten)

    async def story(self, trace_id: str) -> Story | None:
        """As `Sight.story`."""
        view = await self._bus.view(trace_id)
        if view is None:
            return None
        line, now_ms = _line(view), await self._bus.now_ms()
        return Story(
            trace_id=trace_id,
            pipe=view.pipe,
            plan=view.plan,
            state=line.state,
            created_ms=view.created_ms,
            deadline_ms=0,
            in_flight=view.in_flight,
            waiting=view.waiting,
            suspended=0,
            failure=line.failure,
            result_type=_result_type(view),
            kept_ms=-1,
            now_ms=now_ms,
            events=tuple(await self._events(view)) if view.keeps_events else (),
        )

    async def _events(self, view: RunView) -> list[Happened]:
        found = await self._bus.events({view.trace_id: 0}, limit=_MOST_EVENTS, wait_s=0)
        told = [happened(event) for event in found.get(view.trace_id, ())]
        return [event for event in told if event.kind != "emitted"]

    async def letters(self, streams: Sequence[str]) -> Letters:
        """As `Sight.letters`."""
        found: list[FoundLetter] = []
        is_all = True
        for stream in streams:
            letters = await self._bus.dead_letters(stream, limit=_MOST_LETTERS)
            is_all = is_all and len(letters) < _MOST_LETTERS
            found += [FoundLetter(stream, letter, _read(letter)) for letter in letters]
        return Letters(tuple(found), is_all)

    async def letter(self, name: tuple[str, int, str]) -> FoundLetter | None:
        """As `Sight.letter`."""
        letters = await self.letters([name[0]])
        return next((found for found in letters.found if (found.letter.partition, found.letter.id) == name[1:]), None)

    async def redrive(self, stream: str, letter: Letter, submission: Submission) -> bool:
        """As `Sight.redrive`."""
        return await self._bus.redrive(stream, letter, submission)


def _line(view: RunView) -> RunLine:
    terminal = view.terminal
    state = terminal.state if terminal is not None else RunState.OPEN
    has_failed = terminal is not None and state is not RunState.COMPLETED
    failure = read_failure(terminal.blob) if has_failed and terminal is not None else None
    return RunLine(
        view.trace_id, view.pipe, view.plan, state, view.created_ms, view.in_flight, view.waiting, 0, failure
    )


def _result_type(view: RunView) -> str:
    if view.terminal is None or view.terminal.state is not RunState.COMPLETED:
        return ""
    try:
        return result_of(view.terminal).type
    except EnvelopeError:
        return "(unreadable)"


def _read(letter: Letter) -> dead_letter.DeadLetter | None:
    try:
        return dead_letter.decode(letter.blob)
    except msgspec.MsgspecError:
        return None
