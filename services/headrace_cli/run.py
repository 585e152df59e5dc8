"""`headrace run`: one message, or a file of them, through a pipe."""

import sys
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from headrace.graph.plan import ExecutionPlan
from headrace.runtime.bulk import DEFAULT_BATCH, DEFAULT_WINDOW, run_all
from headrace.runtime.load import load_plan
from headrace.settings.exits import EXIT_FAILED
from headrace.settings.logs import set_up_logging
from headrace_cli.deployment import RunSettings, Target, reached, run_settings
from headrace_cli.ending import run_to_end
from headrace_cli.files import STANDARD, input_from, output_to, say
from headrace_cli.lines import EMPTY_RESULT, answer_line, messages_of
from headrace_cli.options import App, PlacementFile
from headrace_cli.progress import progress_of


class Files(Struct, frozen=True):
    """What a run over a file reads and writes, and the most runs under way at a time."""

    input_path: Path
    output_path: Path | None
    window: int


def run(  # noqa: PLR0913 - a command's parameters are its flags
    app: App,
    message: Annotated[str | None, typer.Argument(help="One message, as JSON; its result is printed.")] = None,
    *,
    input_path: Annotated[
        Path | None, typer.Option("--input", help="A file with a message a line; - is standard input.")
    ] = None,
    output_path: Annotated[
        Path | None, typer.Option("--output", help="Where the answers go, a line each in input order; else to stdout.")
    ] = None,
    bus: Annotated[
        str | None,
        typer.Option(
            help="redis://HOST:PORT, or tcp://127.0.0.1:0, to run on worker processes; otherwise in this one."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes a group.")] = 1,
    attach: Annotated[bool, typer.Option("--attach", help="Use the workers and the reply service that run.")] = False,
    namespace: Annotated[
        str | None, typer.Option(help="The bus's namespace; without it and --attach one for this run alone.")
    ] = None,
    placement: PlacementFile = None,
    window: Annotated[int, typer.Option(min=1, help="The most runs under way at a time.")] = DEFAULT_WINDOW,
) -> None:
    """Run a pipe: one message, or --input with one a line."""
    if (message is None) == (input_path is None):
        raise typer.BadParameter("give one message, or --input with a file of them")
    if input_path is not None and input_path != STANDARD and not input_path.is_file():
        raise typer.BadParameter(f"'{input_path}' is no file", param_hint="--input")
    settings = run_settings(bus_url=bus, namespace=namespace, placement=placement, workers=str(workers))
    set_up_logging(settings, "run")
    plan = load_plan(app, settings.placement)
    target = Target(app, attach)
    if input_path is None:
        raise typer.Exit(run_to_end(_run_one(plan, target, settings, message or "")))
    files = Files(input_path, output_path, window)
    raise typer.Exit(run_to_end(_run_file(plan, target, settings, files)))


async def _run_one(plan: ExecutionPlan, target: Target, settings: RunSettings, message: str) -> int:
    entry = plan.codecs[plan.entry_type].from_json(message.encode())
    async with reached(plan, target, settings) as client:
        [(trace_id, future)] = await client.ask_all([entry])
        result = client.result_json(trace_id, await future) or EMPTY_RESULT
        sys.stdout.buffer.write(result + b"\n")
        sys.stdout.buffer.flush()  # before what was started is stopped, which takes a moment
    return 0


async def _run_file(plan: ExecutionPlan, target: Target, settings: RunSettings, files: Files) -> int:
    with (
        input_from(files.input_path) as lines,
        output_to(files.output_path) as output,
        progress_of(files.input_path) as advance,
    ):
        async with reached(plan, target, settings) as client:
            total = failed = 0
            batch = min(DEFAULT_BATCH, files.window)
            runs = run_all(client, messages_of(plan, lines), window=files.window, batch=batch)
            async with aclosing(runs):
                async for trace_id, terminal in runs:
                    answer, is_result = answer_line(client, trace_id, terminal)
                    output.write(answer + b"\n")
                    total += 1
                    failed += not is_result
                    advance()
    if failed:
        say(f"{failed} of {total} lines have no result")
    return EXIT_FAILED if failed else 0
