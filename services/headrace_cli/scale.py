"""`headrace scale`: how many replicas each group should have, from what waits and from what was measured."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from headrace.bus.redis.inspect.rates import Hint, hint, rates
from headrace_cli.ending import run_to_end
from headrace_cli.operate import (
    EXIT_FOUND,
    AsJson,
    BusUrl,
    Namespace,
    OperateSettings,
    console,
    operate_settings,
    write_json,
)
from headrace_cli.watching import Name, watching


def scale(
    name: Name = "",
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    measure_s: Annotated[float, typer.Option("--measure", min=0.1, help="Seconds to measure rates over.")] = 5,
    clear_s: Annotated[float, typer.Option("--clear", min=1, help="Seconds in which what waits is to be done.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Say how many replicas groups should have to keep up, and to be done with what waits in time. It scales nothing.

    Exit code: 0 where each group has as many as it should, 1 where one has too few, or that cannot be told.
    """
    settings = operate_settings(bus_url, namespace)
    raise typer.Exit(run_to_end(_scale(settings, name, measure_s, clear_s, as_json=as_json)))


async def _scale(settings: OperateSettings, name: str, measure_s: float, clear_s: float, *, as_json: bool) -> int:
    async with watching(settings, name) as groups:
        before = await groups.look()
        await asyncio.sleep(measure_s)
        after = await groups.look()
    speeds, known = rates(before, after), {group.name: group for group in before.groups}
    hints = [hint(known.get(group.name, group), group, speeds[group.name], clear_s=clear_s) for group in after.groups]
    if as_json:
        write_json({"groups": hints})
    else:
        _write(hints)
    return EXIT_FOUND if any(each.wanted is None or each.wanted > each.replicas for each in hints) else 0


def _write(hints: Sequence[Hint]) -> None:
    out = console()
    table = Table(box=None, pad_edge=False)
    table.add_column("group", overflow="fold")
    for column in ("replicas", "should be", "backlog"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for each in hints:
        wanted = "?" if each.wanted is None else str(each.wanted)
        table.add_row(each.group, str(each.replicas), wanted, f"{each.backlog:,}", each.why)
    out.print(table if hints else "no groups")
