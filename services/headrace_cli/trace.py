"""`headrace trace`: where one run stands, and where each piece of its work waits now."""

from collections.abc import Iterator
from itertools import groupby

import typer
from rich.text import Text
from rich.tree import Tree

from headrace.bus.redis.inspect.joins import JoinStory
from headrace.bus.redis.inspect.story import InLane, Later, Story, Waiting, story_of
from headrace.errors import UnknownRunError
from headrace_cli.ending import run_to_end
from headrace_cli.operate import (
    AsJson,
    BusUrl,
    Namespace,
    OperateSettings,
    console,
    inspecting,
    operate_settings,
    partition_of_run,
    write_json,
)
from headrace_cli.steer import TraceId
from headrace_cli.timeline import timeline_of
from headrace_cli.wording import at, failure, some, span, state

_SHOWN = 20  # of a kind; --json has them all


def trace(trace_id: TraceId, *, bus_url: BusUrl = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """Show where a run stands and what it waits for.

    Exit code: 0 where the run is known, 1 where it is not (any more).
    """
    settings = operate_settings(bus_url, namespace)
    partition_of_run(trace_id)
    raise typer.Exit(run_to_end(_trace(settings, trace_id, as_json=as_json)))


async def _trace(settings: OperateSettings, trace_id: str, *, as_json: bool) -> int:
    async with inspecting(settings) as places:
        story = await story_of(places, trace_id)
    if story is None:
        raise UnknownRunError(trace_id)
    if as_json:
        write_json(story)
    else:
        console().print(_tree(story))
    return 0


def _tree(story: Story) -> Tree:
    tree = Tree(Text(f"run {story.trace_id} of {story.pipe}: ", style="bold").append(state(story.state)))
    for line in _record(story):
        tree.add(Text(line))
    for stream, waiting in groupby(story.entries, key=lambda each: each.stream):
        _branch(tree, f"in group {stream}", [_entry(story, each) for each in waiting])
    _branch(tree, "scheduled", [_later(story, each) for each in story.scheduled])
    _branch(tree, "in lanes", [_in_lane(each) for each in story.lanes])
    _branch(tree, "at joins", [_join(each) for each in story.joins])
    signals = [f"{each.signal}: {each.count} in {', '.join(each.streams)}" for each in story.signals]
    _branch(tree, "waits for signals", signals)
    _branch(tree, "dead letters", list(story.letters))
    _branch(tree, "timeline", timeline_of(story))
    return tree


def _branch(tree: Tree, title: str, lines: list[str]) -> None:
    if lines:
        branch = tree.add(Text(title, style="cyan"))
        for line in lines[:_SHOWN]:
            branch.add(Text(line))
        if len(lines) > _SHOWN:
            branch.add(Text(f"and {len(lines) - _SHOWN:,} more; --json has them all", style="dim"))


def _record(story: Story) -> Iterator[str]:
    yield f"started {at(story.created_ms)}, {span(story.now_ms - story.created_ms)} ago, plan {story.plan}"
    if story.deadline_ms:
        left_ms = story.deadline_ms - story.now_ms
        yield f"deadline {at(story.deadline_ms)}, " + (f"in {span(left_ms)}" if left_ms > 0 else "which has passed")
    if story.failure is not None:
        yield f"because of {failure(story.failure)}, source {story.failure.source}"
    elif story.state != "open":
        yield f"result {story.result_type}" if story.result_type else "without a result"
    if story.in_flight:
        waits = f", {story.waiting} at joins" if story.waiting else ""
        yield f"in flight {story.in_flight}{waits}" + (f", {story.suspended} for signals" if story.suspended else "")
    if story.kept_ms > 0:
        yield f"its record is kept for {span(story.kept_ms)}"
    if story.waited_for_by:
        yield f"waited for by {', '.join(story.waited_for_by)}"
    if story.signals_come:
        yield f"was given the signals {', '.join(story.signals_come)}"


def _entry(story: Story, entry: Waiting) -> str:
    of = f" ({entry.items} of its {entry.of} items)" if entry.of > 1 else ""
    lane = f" of lane {entry.lane}" if entry.lane else ""
    here = f"{entry.id}{lane}{of}: here for {span(story.now_ms - entry.since_ms)}"
    if not entry.held_by:
        return f"{here}, waits to be read"
    times = f", handed out {some(entry.deliveries, 'time')}"
    return f"{here}, held by {entry.held_by} (renewed {span(entry.held_ms)} ago){times}"


def _later(story: Story, later: Later) -> str:
    left_ms = later.due_ms - story.now_ms
    due = f"due in {span(left_ms)}" if left_ms > 0 else f"due since {span(-left_ms)}"
    what = f"{some(later.count, 'output')} to be recorded" if later.is_spill else "an item"
    lane = f", keeping its place in lane {later.lane}" if later.lane else ""
    return f"{what} for group {later.stream}, {due}{lane}"


def _in_lane(place: InLane) -> str:
    ahead = "first" if not place.ahead else f"{place.ahead:,} ahead"
    return f"{place.lane}: {ahead}, " + (
        "parked until it is its turn" if place.is_parked else "place taken at ingress, the message is yet to come"
    )


def _join(join: JoinStory) -> str:
    scope = f" (scope {join.scope})" if join.scope else ""
    may = ", ".join(f"{slot} ({some(count, 'piece')} of work may lead there)" for slot, count in join.missing.items())
    if join.gathered is not None:
        return f"{join.node}{scope}: gathered {join.gathered:,}" + (f", more may come to {may}" if may else "")
    arrived = f"has {', '.join(join.arrived)}" if join.arrived else "has nothing yet"
    return f"{join.node}{scope}: {arrived}" + (f", waits for {may}" if may else "")
