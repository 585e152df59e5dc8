"""`headrace dev`: a pipe over HTTP in one process, on the memory bus; nothing else has to run.

Nodes run in a thread of their own, so that one that blocks keeps no request from being taken.
"""

import asyncio
import sys
from typing import Annotated

import typer

from headrace.bus.memory.bus import MemoryBus
from headrace.graph.plan import ExecutionPlan
from headrace.runtime.compose import beside, coordinating
from headrace.runtime.consumer import ConsumerOptions
from headrace.runtime.far_bus import far_bus
from headrace.runtime.runner_thread import RunnerThread
from headrace.runtime.signals import stop_signals
from headrace.runtime.sync_runner import SyncRunner
from headrace.settings.logs import set_up_logging
from headrace.settings.services import DevSettings
from headrace.settings.sources import given, read_settings
from headrace.wire.envelope import Framing
from headrace_cli.ending import run_to_end
from headrace_cli.example import invitation
from headrace_cli.options import App, PlacementFile
from headrace_gateway.app import create_app
from headrace_gateway.console.bus_sight import BusSight
from headrace_gateway.console.tally import Tally
from headrace_gateway.main import limits_of, load_plans
from headrace_gateway.server import address_of, listen, serve_http

_DRAIN_S = 5.0
_GRACE_S = 1.0  # over it, for shutdown hooks


def dev(
    app: App,
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 for a free one.")] = 8080,
    placement: PlacementFile = None,
) -> None:
    """Serve a pipe over HTTP in one process, without Redis."""
    settings = read_settings(DevSettings, {"app": (app,), **given(placement=(placement,) if placement else None)})
    set_up_logging(settings, "dev")
    (plan,) = load_plans(settings)
    raise typer.Exit(run_to_end(_serve(plan, settings, host, port)))


async def _serve(plan: ExecutionPlan, settings: DevSettings, host: str, port: int) -> int:
    bus, framing = MemoryBus(), Framing()
    far = far_bus(bus, asyncio.get_running_loop())
    tally = Tally()
    options = ConsumerOptions(drain_s=_DRAIN_S, shows_detail=settings.shows_detail)
    runner = SyncRunner(plan, far, framing, tuple(plan.groups), options=options, observers=(tally,))
    thread = RunnerThread(runner, stop_s=_DRAIN_S + _GRACE_S)
    with stop_signals() as stopping, listen(host, port) as listening:
        async with beside(bus, thread), coordinating(bus):
            await thread.started()

            def started() -> None:
                sys.stdout.write(invitation(plan, address_of(listening)))
                sys.stdout.flush()

            app = create_app(
                [plan],
                bus,
                framing,
                limits=limits_of(settings),
                events_sample=settings.events_sample,
                console=BusSight(bus, "memory", tally),
            )
            await serve_http(app, [listening], stopping, drain_s=_DRAIN_S, on_started=started)
    return 0
