"""Times and verdicts as people read them. Pure."""

from datetime import UTC, datetime

from rich.text import Text

from headrace.bus.redis.inspect.findings import Verdict
from headrace.errors import Failure

_MS = 1000
_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red", Verdict.UNKNOWN: "blue"}
STATES = {"open": "cyan", "completed": "green", "failed": "red", "cancelled": "yellow", "expired": "yellow"}


def span(ms: float) -> str:
    """Word a length of time, in its two largest units."""
    if 0 < ms < 1:
        return f"{ms * _MS:.0f} µs"
    if abs(ms) < _MS:
        return f"{max(ms, 0):.0f} ms"
    left = int(ms) // _MS
    for at, (size, unit) in enumerate(_UNITS):
        if left >= size:
            count, rest = divmod(left, size)
            lower, lower_unit = _UNITS[at + 1] if at + 1 < len(_UNITS) else (1, "")
            return f"{count}{unit} {rest // lower}{lower_unit}" if rest // lower and lower_unit else f"{count}{unit}"
    return "0 ms"


def at(ms: int) -> str:
    """Word a moment, in UTC."""
    return datetime.fromtimestamp(ms / _MS, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def verdict(of: Verdict) -> Text:
    """Word a verdict."""
    return Text(of.upper(), style=_COLOURS[of])


def state(of: str) -> Text:
    """Word a run's state."""
    return Text(of, style=STATES.get(of, ""))


def failure(of: Failure | None) -> str:
    """Word a failure."""
    if of is None:
        return ""
    where = f" in {of.node}" if of.node else ""
    return f"{of.kind}{where}" + (f" ({of.error})" if of.error else "")


def some(count: int, noun: str, plural: str = "") -> str:
    """Word a number of things."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
