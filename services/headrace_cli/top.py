"""`headrace top`: how all groups stand and how fast they work, over and over."""

import asyncio
import sys
from collections.abc import Mapping
from itertools import count
from typing import Annotated

import typer
from msgspec import Struct
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headrace.bus.redis.inspect.groups import Group, Groups, Moment
from headrace.bus.redis.inspect.rates import Rate, rates
from headrace_cli.ending import run_to_end
from headrace_cli.operate import AsJson, BusUrl, Namespace, OperateSettings, console, operate_settings, write_json
from headrace_cli.watching import Name, watching
from headrace_cli.wording import some, span

_FIND_EVERY = 10  # looks between two searches for new groups, which go over all keys
_NUMBERS = ("replicas", "waiting", "held", "oldest", "in/s", "done/s", "scheduled", "dead")
_NOT_COUNTED = "-"


class GroupLine(Struct, frozen=True):
    """A group in JSON; rates are entries a second, None where they are not known."""

    group: str
    replicas: int
    is_paused: bool
    resting: int
    backlog: int
    waiting: int
    held: int
    oldest_ms: int
    added_per_s: float | None
    done_per_s: float | None
    scheduled: int
    dead: int


def top(
    name: Name = "",
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    every_s: Annotated[float, typer.Option("--every", min=0.1, help="Seconds between looks, over which rates go.")] = 1,
    once: Annotated[bool, typer.Option("--once", help="Write it once, after two looks, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show groups: replicas, what waits, what is held, the oldest, rates, what is to come, dead letters.

    On a terminal the table stays and changes until Ctrl-C; with --json a line a look is written.

    Exit code: 0, also where there are no groups.
    """
    settings = operate_settings(bus_url, namespace)
    raise typer.Exit(run_to_end(_top(settings, name, every_s, is_once=once, as_json=as_json)))


async def _top(settings: OperateSettings, name: str, every_s: float, *, is_once: bool, as_json: bool) -> int:
    async with watching(settings, name) as groups:
        before = await groups.look()
        if not (is_once or as_json) and sys.stdout.isatty():
            with Live(console=console(), auto_refresh=False, screen=True) as live:
                await _live(live, groups, before, every_s, settings.namespace)
        for looks in count(1):
            await asyncio.sleep(every_s)
            before = await _shown(groups, before, as_json=as_json)
            if is_once:
                break
            if looks % _FIND_EVERY == 0:
                await groups.find()
    return 0


async def _shown(groups: Groups, before: Moment, *, as_json: bool) -> Moment:
    after = await groups.look()
    speeds = rates(before, after)
    if as_json:
        write_json({"now_ms": after.now_ms, "groups": [line_of(group, speeds[group.name]) for group in after.groups]})
    else:
        console().print(table_of(after, speeds))
    return after


async def _live(live: Live, groups: Groups, before: Moment, every_s: float, namespace: str) -> None:
    looks, speeds = 0, dict.fromkeys((group.name for group in before.groups), Rate())
    while True:
        live.update(table_of(before, speeds, title=f"{namespace}, {some(len(before.groups), 'group')}"), refresh=True)
        await asyncio.sleep(every_s)
        looks += 1
        if looks % _FIND_EVERY == 0:
            await groups.find()
        after = await groups.look()
        before, speeds = after, rates(before, after)


def line_of(group: Group, rate: Rate) -> GroupLine:
    """Give the JSON form."""
    return GroupLine(
        group.name,
        len(group.live),
        group.paused_ms >= 0,
        _resting(group),
        group.backlog,
        group.waiting,
        group.held,
        group.oldest_ms,
        rate.added,
        rate.done,
        group.scheduled,
        group.dead,
    )


def table_of(moment: Moment, speeds: Mapping[str, Rate], *, title: str = "") -> Table:
    """Make the table of one look."""
    table = Table(box=None, pad_edge=False, title=title or None, title_justify="left")
    table.add_column("group", overflow="fold")
    for name in _NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for group in moment.groups:
        rate = speeds[group.name]
        table.add_row(
            group.name,
            Text(f"{len(group.live)}", style="" if group.live or not group.backlog else "bold red"),
            Text(f"{group.waiting:,}", style="yellow" if group.waiting else ""),
            f"{group.held:,}",
            span(group.oldest_ms) if group.backlog else _NOT_COUNTED,
            _per_s(rate.added),
            _per_s(rate.done),
            f"{group.scheduled:,}",
            Text(f"{group.dead:,}", style="red" if group.dead else ""),
            state_of(group),
        )
    return table


def state_of(group: Group) -> Text:
    """Word what is to be known of a group beside its numbers."""
    if group.paused_ms >= 0:
        text = Text(f"paused for {span(group.paused_ms)}", style="yellow")
        return text.append(f", {_resting(group)} of {len(group.live)} rest", style="dim")
    return Text("nobody reads it", style="bold red") if group.backlog and not group.live else Text("")


def _resting(group: Group) -> int:
    return sum(worker.presence is not None and worker.presence.is_resting for worker in group.live)


def _per_s(rate: float | None) -> str:
    return _NOT_COUNTED if rate is None else f"{rate:,.1f}"
