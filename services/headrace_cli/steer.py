"""`headrace cancel` and `headrace signal`: what an operator does to a run."""

import sys
from typing import Annotated

import typer

from headrace.errors import UnknownRunError, UnknownSignalError
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.sent_signals import signal_codecs
from headrace.ledger.terminal import cancelled
from headrace.ledger.values import RunState
from headrace.runtime.compose import connected
from headrace.runtime.load import load_plan
from headrace.settings.bus import framing
from headrace_cli.ending import run_to_end
from headrace_cli.operate import (
    EXIT_FOUND,
    AsJson,
    BusUrl,
    Namespace,
    OperateSettings,
    bus_of,
    operate_settings,
    partition_of_run,
    reaching,
    write_json,
)
from headrace_cli.options import App, PlacementFile

TraceId = Annotated[str, typer.Argument(metavar="ID", help="The run's trace_id.", show_default=False)]


def cancel(trace_id: TraceId, *, bus_url: BusUrl = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """End a run: when this answers, no further node of it starts.

    Exit code: 0 where the run is cancelled now, 1 where it had ended otherwise or is unknown.
    """
    settings = reaching(operate_settings(bus_url, namespace), partition_of_run(trace_id))
    raise typer.Exit(run_to_end(_cancel(settings, trace_id, as_json=as_json)))


async def _cancel(settings: OperateSettings, trace_id: str, *, as_json: bool) -> int:
    async with bus_of(settings) as bus:
        is_ours = await bus.end(trace_id, cancelled())
        view = await bus.view(trace_id)
    if view is None:
        raise UnknownRunError(trace_id)
    state = view.terminal.state if view.terminal else RunState.OPEN
    if as_json:
        write_json({"trace_id": trace_id, "state": state, "was_open": is_ours})
    else:
        sys.stdout.write(f"run {trace_id} is {state}" + ("\n" if is_ours else ", and had ended before\n"))
    return 0 if state is RunState.CANCELLED else EXIT_FOUND


def signal(  # noqa: PLR0913 - a command's parameters are its flags
    app: App,
    trace_id: TraceId,
    name: Annotated[str, typer.Argument(help="The signal's name.", show_default=False)],
    message: Annotated[str, typer.Argument(metavar="JSON", help="The signal's message.", show_default=False)],
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    placement: PlacementFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a run a signal: what waits for it goes on.

    Exit code: 0 where it was taken, 1 where the run is unknown, has ended, or had this signal already.
    """
    settings = operate_settings(bus_url, namespace, placement=placement)
    settings = reaching(settings, partition_of_run(trace_id))
    plan = load_plan(app, settings.placement)
    codecs = signal_codecs(plan)
    if name not in codecs:
        raise typer.BadParameter(str(UnknownSignalError(plan.pipe, name, tuple(codecs))), param_hint="NAME")
    sent = codecs[name].from_json(message.encode())
    raise typer.Exit(run_to_end(_signal(settings, plan, trace_id, name, sent, as_json=as_json)))


async def _signal(
    settings: OperateSettings, plan: ExecutionPlan, trace_id: str, name: str, sent: object, *, as_json: bool
) -> int:
    async with (
        bus_of(settings) as bus,
        connected(plan, bus, framing(settings), partitions=settings.partitions) as client,
    ):
        is_taken = await client.signal(trace_id, name, sent)
    if as_json:
        write_json({"trace_id": trace_id, "signal": name, "is_taken": is_taken})
    else:
        why = "was taken" if is_taken else "was not taken: the run has ended, or had this signal already"
        sys.stdout.write(f"signal '{name}' {why}\n")
    return 0 if is_taken else EXIT_FOUND
