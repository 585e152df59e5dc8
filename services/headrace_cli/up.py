"""`headrace up`: a pipe as services on this host, over HTTP: the gateway, and the workers of each group."""

import asyncio
import sys
from collections.abc import Callable
from typing import Annotated

import typer
import uvloop
from pydantic import Field

from headrace.graph.plan import ExecutionPlan
from headrace.runtime.load import load_plan
from headrace.runtime.signals import stop_signals
from headrace.settings.exits import EXIT_FAILED
from headrace.settings.logs import set_up_logging
from headrace.settings.sources import given, read_settings
from headrace_cli.ending import known_error
from headrace_cli.example import invitation
from headrace_cli.options import App, PlacementFile
from headrace_cli.table import shown
from headrace_gateway.server import listen
from headrace_supervisor.deployment import Deployment, deployed
from headrace_supervisor.settings import SupervisorSettings


class UpSettings(SupervisorSettings):
    """Settings of `headrace up`."""

    bus_url: str = Field(
        "tcp://127.0.0.1:0",
        repr=False,
        description="A broker of its own on a port of this machine, 0 for a free one; or a Redis.",
    )


def up(
    app: App,
    *,
    workers: Annotated[
        list[str] | None, typer.Option(help="Worker processes: N for every group, group=N for one; repeatable.")
    ] = None,
    bus: Annotated[
        str | None, typer.Option(help="redis://HOST:PORT to use a Redis that runs; otherwise nothing else has to.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on; 127.0.0.1 unless given.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 8080 unless given, 0 for a free one.")
    ] = None,
    placement: PlacementFile = None,
) -> None:
    """Run a pipe as services on this host: a gateway, and worker processes for each group, until Ctrl-C."""
    counts = ",".join(workers or ()) or None
    settings = _settings(given(bus_url=bus, host=host, port=port, placement=placement, workers=counts))
    set_up_logging(settings, "up")
    plan = load_plan(app, settings.placement)
    with known_error():
        raise typer.Exit(uvloop.run(_serve(app, plan, settings)))


def _settings(flags: dict[str, object]) -> UpSettings:
    settings = read_settings(UpSettings, flags)
    if not _is_watched():
        return settings
    of_table: dict[str, object] = {
        "log_format": settings.log_format or "human"
    }  # of children, too, who see no terminal
    if "log_level" not in settings.model_fields_set:
        of_table["log_level"] = "warning"  # what goes well stands in the table
    return settings.model_copy(update=of_table)


def _is_watched() -> bool:
    return sys.stderr.isatty()


async def _serve(app: str, plan: ExecutionPlan, settings: UpSettings) -> int:
    is_watched = _is_watched()
    output = _write if is_watched else None
    at_once: list[Callable[[], None]] = []
    with (
        stop_signals(forced=lambda: [each() for each in at_once]) as stopping,
        listen(settings.host, settings.port) as listening,
    ):
        async with deployed(app, plan, settings, listening=listening, output=output) as deployment:
            at_once.append(deployment.supervisor.kill)
            async with shown(deployment, is_wanted=is_watched) as give_back:
                at_once.append(give_back)
                set_up_logging(settings, "up")  # above the table, where there is one now
                await _until(stopping, deployment)
                deployment.supervisor.stop()
                await deployment.supervisor.ended()
    return EXIT_FAILED if deployment.supervisor.was_cut_off else 0


async def _until(stopping: asyncio.Event, deployment: Deployment) -> None:
    async with asyncio.TaskGroup() as tasks:
        ready = tasks.create_task(deployment.supervisor.ready())
        stop = tasks.create_task(stopping.wait())
        await asyncio.wait((ready, stop), return_when=asyncio.FIRST_COMPLETED)
        if ready.done() and not stopping.is_set():
            sys.stdout.write(invitation(deployment.plan, deployment.supervisor.url))
            sys.stdout.flush()
        await stopping.wait()
        ready.cancel()


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
