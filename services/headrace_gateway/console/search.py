"""Finds runs and dead letters among those that were read, and pages them. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable

from msgspec import Struct

from headrace.bus.redis.inspect.letters import LetterLine
from headrace.bus.redis.inspect.runs import RunLine, RunList
from headrace_gateway.console.sight import Letters

MOST_ROWS = 200


class Asked(Struct, frozen=True):
    """What is looked for; an empty field is anything.

    Attributes:
        pipes: Those that the caller may see.
        text: Of runs, the start of the trace_id; of letters, that or a part of the node's name.
        kind: Of the failure.
    """

    pipes: Collection[str]
    text: str = ""
    state: str = ""
    kind: str = ""
    offset: int = 0
    limit: int = 50


class RunPage(Struct, frozen=True):
    """A page of runs.

    Attributes:
        matched: How many fit.
        states: How many there are by state, and `kinds` by kind of failure, whatever state and kind are asked for.
        is_all: Whether all runs were looked at.
    """

    rows: list[RunLine]
    matched: int
    states: dict[str, int]
    kinds: dict[str, int]
    looked_at: int
    is_all: bool


class LetterPage(Struct, frozen=True):
    """A page of dead letters; as `RunPage`."""

    rows: list[LetterLine]
    matched: int
    kinds: dict[str, int]
    is_all: bool


def find_runs(runs: RunList, asked: Asked) -> RunPage:
    """Find runs, newest first."""
    among = [line for line in runs.runs if line.pipe in asked.pipes and line.trace_id.startswith(asked.text.lower())]
    states = Counter(line.state.value for line in among)
    kinds = Counter(line.failure.kind.value for line in among if line.failure is not None)
    fitting = [
        line
        for line in among
        if asked.state in ("", line.state) and (not asked.kind or (line.failure and line.failure.kind == asked.kind))
    ]
    page = fitting[asked.offset : asked.offset + asked.limit]
    return RunPage(page, len(fitting), dict(states), dict(kinds), runs.looked_at, runs.is_all)


def find_letters(letters: Letters, asked: Asked) -> LetterPage:
    """Find dead letters, newest first."""
    rows = [found.line for found in letters.found if found.stream.partition(".")[0] in asked.pipes]
    among = [row for row in rows if _has(row, asked.text)]
    fitting = sorted((row for row in among if asked.kind in ("", row.kind)), key=lambda row: row.at_ms, reverse=True)
    page = fitting[asked.offset : asked.offset + asked.limit]
    return LetterPage(page, len(fitting), _kinds(among), letters.is_all)


def _has(row: LetterLine, text: str) -> bool:
    return row.trace_id.startswith(text.lower()) or text in row.node or text in row.name


def _kinds(rows: Iterable[LetterLine]) -> dict[str, int]:
    return dict(Counter(row.kind for row in rows if row.kind))
