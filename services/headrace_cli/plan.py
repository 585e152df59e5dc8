"""`headrace plan`: the graph of a pipe with its placement, for people and for tools."""

import json
import sys
from dataclasses import astuple, fields
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from headrace.graph.plan import ExecutionPlan
from headrace.graph.render import Row, as_json, as_mermaid, as_table
from headrace.runtime.load import load_plan
from headrace.settings.services import PlacementSettings
from headrace.settings.sources import given, read_settings
from headrace_cli.options import App, PlacementFile

_PIPED_WIDTH = 200  # where stdout is no terminal, wide enough that a row stays a line


class Format(StrEnum):
    """How a plan is written."""

    TABLE = "table"
    MERMAID = "mermaid"
    JSON = "json"


def plan(
    app: App,
    *,
    placement: PlacementFile = None,
    written_as: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TABLE,
) -> None:
    """Show a pipe's graph: what each node takes and gives, and the group that runs it."""
    compiled = load_plan(app, read_settings(PlacementSettings, given(placement=placement)).placement)
    match written_as:
        case Format.TABLE:
            _write_table(compiled)
        case Format.MERMAID:
            sys.stdout.write(as_mermaid(compiled))
        case Format.JSON:
            sys.stdout.write(json.dumps(as_json(compiled), indent=2) + "\n")


def _write_table(compiled: ExecutionPlan) -> None:
    table = Table(title=f"{compiled.pipe} {compiled.version}", title_justify="left")
    for field in fields(Row):
        table.add_column(field.name.replace("_", " "), overflow="fold")
    for row in as_table(compiled):
        table.add_row(*astuple(row))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PIPED_WIDTH, markup=False).print(table)
