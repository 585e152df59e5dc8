"""The `headrace` command."""

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]  # pyright: ignore[reportPrivateImportUsage]

from headrace.errors import HeadraceError
from headrace.settings.exits import EXIT_FAILED, report
from headrace_cli.commands import CommandGroup

app = typer.Typer(
    name="headrace",
    cls=CommandGroup,
    help="Typed pipelines, in one process or as services over Redis Streams.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
completion_init()  # a shell that asks runs the command itself, and is answered before any command is


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
