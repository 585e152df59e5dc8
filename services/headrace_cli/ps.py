"""`headrace ps`: the workers of a deployment, what they hold, and whether they live."""

from collections.abc import Sequence
from typing import Annotated

import typer
from msgspec import Struct
from rich.table import Table
from rich.text import Text

from headrace.bus.redis.inspect.groups import Worker
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
from headrace_cli.wording import some, span

_COLOURS = {"working": "green", "resting": "yellow", "silent": "bold red", "gone": "dim"}


class WorkerLine(Struct, frozen=True):
    """A worker in JSON.

    Attributes:
        state: `working`; `resting`, because its group is paused; `silent` for seconds, and holds entries or has not
            said that it goes; `gone`.
        held: Entries that the bus has it hold.
        slots: The most that it takes; 0 where that is not known.
        said_ms: Milliseconds since it said that it is there; -1 where it is off the roster.
        idle_ms: Milliseconds since it last asked for entries or renewed a lease; -1 where it never did.
    """

    worker: str
    group: str
    state: str
    host: str
    pid: int
    held: int
    slots: int
    said_ms: int
    idle_ms: int


def ps(
    name: Name = "",
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    everyone: Annotated[bool, typer.Option("--all", help="Those that have gone, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List workers: group, host, process, what each holds, when it was last heard of.

    Exit code: 0 where a worker lives, 1 where none does.
    """
    settings = operate_settings(bus_url, namespace)
    raise typer.Exit(run_to_end(_ps(settings, name, with_gone=everyone, as_json=as_json)))


async def _ps(settings: OperateSettings, name: str, *, with_gone: bool, as_json: bool) -> int:
    async with watching(settings, name) as groups:
        moment = await groups.look()
    lines = [_line(worker) for group in moment.groups for worker in group.workers]
    shown = [line for line in lines if with_gone or line.state != "gone"]
    if as_json:
        write_json({"workers": shown})
    else:
        _write(shown)
    return 0 if any(line.state in ("working", "resting") for line in lines) else EXIT_FOUND


def _line(worker: Worker) -> WorkerLine:
    said = worker.presence
    return WorkerLine(
        worker.name,
        worker.group,
        state_of(worker),
        said.host if said else "",
        said.pid if said else 0,
        worker.held,
        said.slots if said else 0,
        worker.said_ms,
        worker.idle_ms,
    )


def state_of(worker: Worker) -> str:
    """Name the state of a worker, see `WorkerLine`."""
    if worker.is_live:
        return "resting" if worker.presence is not None and worker.presence.is_resting else "working"
    return "silent" if worker.held or worker.presence is not None else "gone"


def _write(lines: Sequence[WorkerLine]) -> None:
    out = console()
    table = Table(box=None, pad_edge=False)
    for column in ("group", "worker", "host"):
        table.add_column(column, overflow="fold")
    for column in ("pid", "held", "slots", "heard of"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for line in lines:
        heard_ms = line.said_ms if line.said_ms >= 0 else line.idle_ms
        table.add_row(
            line.group,
            line.worker,
            line.host or "-",
            str(line.pid or "-"),
            f"{line.held:,}",
            str(line.slots or "-"),
            f"{span(heard_ms)} ago" if heard_ms >= 0 else "-",
            Text(line.state, style=_COLOURS[line.state]),
        )
    if lines:
        out.print(table)
    out.print(some(len(lines), "worker") if lines else "no workers")
