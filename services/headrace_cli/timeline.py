"""A run's calls in order, a line an attempt: when it began, how it went, on which worker, how long it waited. Pure."""

from collections.abc import Iterable

from msgspec import Struct

from headrace.bus.redis.inspect.story import Happened, Story
from headrace_cli.wording import span


class _Line(Struct):
    began: Happened
    how: str


def timeline_of(story: Story) -> list[str]:
    """Give the lines of a run that keeps its events; none of any other."""
    since_ms = story.created_ms
    lines = _lines(story.events, story)
    width = max((len(_name(line.began)) for line in lines), default=0)
    return [
        f"+{span(line.began.at_ms - since_ms):<8} {_name(line.began):<{width}}  {line.how}{_where(line.began)}".rstrip()
        for line in lines
    ]


def _lines(events: Iterable[Happened], story: Story) -> list[_Line]:
    lines: list[_Line] = []
    calls: dict[tuple[str, int], _Line] = {}
    for event in events:
        call = calls.get((event.invocation_id, event.attempt))
        match event.kind:
            case "node_started":
                lines.append(_Line(event, _unended(event, story)))
                calls[event.invocation_id, event.attempt] = lines[-1]
            case "replaced":
                for (invocation, _), line in calls.items():
                    if invocation == event.invocation_id:
                        line.how = "void: was made again"
            case "node_ended" | "node_failed" | "suspended":
                if call is not None:
                    call.how = _ended(event)
            case _:
                lines.append(_Line(event, ""))
    return lines


def _name(event: Happened) -> str:
    name = event.node or event.kind
    return f"{name} ({event.attempt})" if event.attempt > 1 else name


def _unended(event: Happened, story: Story) -> str:
    return f"under way for {span(story.now_ms - event.at_ms)}" if story.state == "open" else "not ended"


def _ended(event: Happened) -> str:
    took = span(event.took_ms or 0)
    match event.kind:
        case "node_failed":
            return f"failed after {took}: {event.what}"
        case "suspended":
            return f"waits for {event.what}"
        case _:
            return took


def _where(began: Happened) -> str:
    if not began.worker:
        return ""
    queued = f", queued {span(began.queued_ms)}" if began.queued_ms is not None else ""
    again = f", handed out {began.deliveries} times" if began.deliveries > 1 else ""
    return f" on {began.worker}{queued}{again}"
