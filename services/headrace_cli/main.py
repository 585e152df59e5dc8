"""The `headrace` command: composes one file a command."""

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from headrace.errors import HeadraceError
from headrace.settings.main import EXIT_FAILED, report
from headrace_cli import services
from headrace_cli.completion import completion
from headrace_cli.dev import dev
from headrace_cli.dlq import dlq
from headrace_cli.doctor import doctor
from headrace_cli.drain import drain
from headrace_cli.k8s.command import k8s
from headrace_cli.key import key
from headrace_cli.pause import pause, resume
from headrace_cli.plan import plan
from headrace_cli.ps import ps
from headrace_cli.replay import replay
from headrace_cli.run import run
from headrace_cli.runs import runs
from headrace_cli.scale import scale
from headrace_cli.steer import cancel, signal
from headrace_cli.top import top
from headrace_cli.trace import trace
from headrace_cli.up import up
from headrace_cli.verify import verify

app = typer.Typer(
    name="headrace",
    help="Typed pipelines, in one process or as services over Redis Streams.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(run)
app.command()(dev)
app.command()(up)
app.command()(plan)
app.command()(key)
for operate in (top, ps, runs, trace, doctor, cancel, signal, pause, resume, drain, scale, replay, verify, completion):
    app.command()(operate)
app.add_typer(dlq)
app.add_typer(k8s)
for service in (services.worker, services.reply, services.gateway):
    app.command(context_settings=services.PASS_THROUGH)(service)


@app.callback(invoke_without_command=True)
def headrace(*, show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """Typed pipelines, in one process or as services over Redis Streams."""
    if show_version:
        sys.stdout.write(f"headrace {_version()}\n")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code."""
    try:
        app(arguments)
    except HeadraceError as error:
        return report(error)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else EXIT_FAILED
    return 0


def _version() -> str:
    try:
        return version("headrace")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "(not installed)"
