"""A live table of a deployment's processes, on a terminal; what is written meanwhile stands above it."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headrace_supervisor.deployment import Deployment
from headrace_supervisor.place import Place, State

_EVERY_S = 0.5
_COLOURS = {
    State.STARTING: "yellow",
    State.READY: "green",
    State.WAITING: "red",
    State.STOPPING: "yellow",
    State.STOPPED: "dim",
    State.LOST: "bold red",
}
_COLUMNS = ("group", "pid", "state", "backlog", "in flight", "done/s", "restarts")


@asynccontextmanager
async def shown(deployment: Deployment, *, is_wanted: bool) -> AsyncGenerator[Callable[[], None]]:
    """Show the table until the context closes.

    Args:
        is_wanted: Whether somebody watches; otherwise nothing is shown.

    Yields:
        What gives the terminal back, cursor and all, for a process that ends without closing the context.
    """
    if not is_wanted:
        yield lambda: None
        return
    with Live(console=Console(file=sys.stderr), auto_refresh=False, redirect_stdout=True) as live:
        async with asyncio.TaskGroup() as tasks:
            drawing = tasks.create_task(_draw(live, deployment))
            try:
                yield live.stop
            finally:
                drawing.cancel()
        live.update(table_of(deployment, {}), refresh=True)


async def _draw(live: Live, deployment: Deployment) -> None:
    while True:
        live.update(table_of(deployment, await deployment.backlogs()), refresh=True)
        await asyncio.sleep(_EVERY_S)


def table_of(deployment: Deployment, backlogs: Mapping[str, int]) -> Table:
    """Make the table as it stands now.

    Args:
        backlogs: What waits or is in flight, by group.
    """
    url = deployment.supervisor.url
    table = Table(title=f"{deployment.plan.pipe} at {url}" if url else deployment.plan.pipe, title_justify="left")
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in {"group", "state"} else "right")
    for row in _rows(deployment.supervisor.places, backlogs):
        table.add_row(*row)
    return table


def _rows(places: tuple[Place, ...], backlogs: Mapping[str, int]) -> Iterator[tuple[str | Text, ...]]:
    before = None
    for place in places:
        group = place.spec.group
        is_first = group != before
        before = group
        yield (
            (group or Text(place.spec.name, style="italic")) if is_first else "",
            str(place.pid or ""),
            Text(place.state, style=_COLOURS[place.state]),
            f"{backlogs[group]:,}" if is_first and group in backlogs else "",
            f"{place.beat.in_flight:,}",
            f"{place.per_s:,.0f}",
            str(place.restarts),
        )
