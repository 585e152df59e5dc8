"""`headrace runs`: the newest runs, and how they stand."""

from typing import Annotated

import typer
from rich.table import Table

from headrace.bus.redis.inspect.runs import LOOKED_AT, RunList, list_runs
from headrace.kernel.clock import SystemClock
from headrace.ledger.values import RunState
from headrace_cli.ending import run_to_end
from headrace_cli.operate import (
    AsJson,
    BusUrl,
    Namespace,
    OperateSettings,
    console,
    inspecting,
    operate_settings,
    write_json,
)
from headrace_cli.wording import failure, some, span, state

_MS = 1000


def runs(  # noqa: PLR0913 - a command's parameters are its flags
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    states: Annotated[list[RunState] | None, typer.Option("--state", help="Only these; may be repeated.")] = None,
    pipe: Annotated[str, typer.Option(help="Only of this pipe.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="The most runs to show.")] = 20,
    looked_at: Annotated[int, typer.Option("--look-at", min=1, help="The most records to look at.")] = LOOKED_AT,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first: `work` is all that is under way, of it what waits at joins and for signals.

    Exit code: 0, also where there are none.
    """
    settings = operate_settings(bus_url, namespace)
    raise typer.Exit(run_to_end(_runs(settings, states or [], pipe, limit, looked_at, as_json=as_json)))


async def _runs(
    settings: OperateSettings, states: list[RunState], pipe: str, limit: int, looked_at: int, *, as_json: bool
) -> int:
    async with inspecting(settings) as places:
        found = await list_runs(places, states=states, pipe=pipe, limit=limit, looked_at=looked_at)
    if as_json:
        write_json(found)
    else:
        _write(found)
    return 0


def _write(found: RunList) -> None:
    out, now_ms = console(), SystemClock().now() * _MS
    table = Table(box=None, pad_edge=False)
    table.add_column("trace_id", no_wrap=True)
    table.add_column("pipe", overflow="fold")
    table.add_column("state", no_wrap=True)
    for name in ("age", "work", "joins", "signals"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("failure", overflow="fold")
    for run in found.runs:
        counts = (str(count) if count else "-" for count in (run.in_flight, run.waiting, run.suspended))
        age = span(now_ms - run.created_ms)
        table.add_row(run.trace_id, run.pipe, state(run.state), age, *counts, failure(run.failure))
    if found.runs:
        out.print(table)
    shown = f"{some(len(found.runs), 'run')} of {found.matched:,}" if found.matched else "no runs"
    more = (
        "" if found.is_all else f"; only {found.looked_at:,} records were looked at, and there are more: see --look-at"
    )
    out.print(f"{shown}{more}")
