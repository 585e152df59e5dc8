"""What the commands for operators have in common: where the bus is, how things are written, how a command ends."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from headrace.bus.protocol import Bus
from headrace.bus.redis.inspect.places import Places
from headrace.errors import SettingsError, UnknownRunError
from headrace.settings.bus import MEMORY, BusSettings, open_bus
from headrace.settings.logs import LogSettings, set_up_logging
from headrace.settings.services import PlacementSettings
from headrace.settings.sources import given, read_settings
from headrace.wire.trace import is_trace_id, partition_of

EXIT_FOUND = 1  # something is wrong, or not there
_PIPED_WIDTH = 160  # where stdout is no terminal: wide enough that an id stays in its line

BusUrl = Annotated[
    str | None, typer.Option("--bus-url", "--bus", help="Where the bus is, as redis://HOST:PORT. [HEADRACE_BUS_URL]")
]
Namespace = Annotated[str | None, typer.Option(help="The deployment's, on that server. [HEADRACE_NAMESPACE]")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]


class OperateSettings(BusSettings, LogSettings, PlacementSettings):
    """Settings of the commands for operators."""


def operate_settings(bus_url: str | None, namespace: str | None, **flags: object) -> OperateSettings:
    """Read the settings, with what the command line gives over them, and set logging up.

    Raises:
        SettingsError: A setting is wrong, or the bus is none that another process can look at.
    """
    settings = read_settings(OperateSettings, given(bus_url=bus_url, namespace=namespace, **flags))
    if settings.bus_url.startswith(MEMORY):
        raise SettingsError("bus_url", f"is {MEMORY}, which ends with its process; give redis://HOST:PORT")
    quiet = "log_level" not in settings.model_fields_set
    settings = settings.model_copy(update={"log_level": "warning"}) if quiet else settings
    set_up_logging(settings, "operate")
    return settings


@asynccontextmanager
async def inspecting(settings: BusSettings) -> AsyncGenerator[Places]:
    """Open the bus for looking at it."""
    places = Places(settings.bus_url, settings.namespace)
    try:
        yield places
    finally:
        await places.aclose()


@asynccontextmanager
async def bus_of(settings: BusSettings) -> AsyncGenerator[Bus]:
    """Open the bus for changing it."""
    bus = open_bus(settings)
    try:
        yield bus
    finally:
        await bus.aclose()


def reaching(settings: OperateSettings, partition: int) -> OperateSettings:
    """Give settings with so many partitions that one is among them: where a run lies does not depend on them."""
    return settings.model_copy(update={"partitions": max(settings.partitions, partition + 1)})


def partition_of_run(trace_id: str) -> int:
    """Read the partition of a run.

    Raises:
        UnknownRunError: It is no trace_id.
    """
    if not is_trace_id(trace_id):
        raise UnknownRunError(trace_id)
    return partition_of(trace_id)


def write_json(value: Any) -> None:  # noqa: ANN401 - whatever msgspec encodes
    """Write a value as JSON, for scripts and for people."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.buffer.flush()


def console() -> Console:
    """Give the console that answers are written to."""
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(file=sys.stdout, width=width, markup=False, highlight=False)
