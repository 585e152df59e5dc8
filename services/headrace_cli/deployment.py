"""What a `run` runs on: this process, a deployment of its own on this host, or one that already runs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from msgspec import Struct

from headrace.bus.redis.purge import delete_namespace
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import random_bytes
from headrace.runtime.client import Client
from headrace.runtime.compose import connected
from headrace.runtime.local import local
from headrace.runtime.reachable import probe
from headrace.settings.bus import MEMORY, framing, open_bus
from headrace.settings.sources import given, read_settings
from headrace_supervisor.deployment import deployed
from headrace_supervisor.host_bus import is_own_broker
from headrace_supervisor.settings import SupervisorSettings

_NAME_BYTES = 4


class RunSettings(SupervisorSettings):
    """Settings of `headrace run`."""


class Target(Struct, frozen=True):
    """What to run on.

    Attributes:
        app: The pipe, as workers load it.
        attach: Start nothing; use what runs.
    """

    app: str
    attach: bool


@asynccontextmanager
async def reached(plan: ExecutionPlan, target: Target, settings: RunSettings) -> AsyncGenerator[Client]:
    """Give a client of the target; what was started for it is stopped when the context closes.

    Raises:
        BusUnavailableError: The bus is away.
        HandoffError: A group's worker does not come up, or does not stay up; in an exception group.
    """
    if target.attach:
        async with _attached(plan, settings) as client:
            yield client
    elif settings.bus_url.startswith(MEMORY):
        async with local(plan) as client:
            yield client
    elif is_own_broker(settings) or "namespace" in settings.model_fields_set:
        async with _started(plan, target.app, settings) as client:
            yield client
    else:
        settings = settings.model_copy(update={"namespace": f"run-{random_bytes(_NAME_BYTES).hex()}"})
        try:
            async with _started(plan, target.app, settings) as client:
                yield client
        finally:
            await delete_namespace(settings.bus_url, settings.namespace)


@asynccontextmanager
async def _attached(plan: ExecutionPlan, settings: RunSettings) -> AsyncGenerator[Client]:
    bus = open_bus(settings)
    try:
        await probe(bus)
        async with connected(plan, bus, framing(settings), partitions=settings.partitions) as client:
            yield client
    finally:
        await bus.aclose()


@asynccontextmanager
async def _started(plan: ExecutionPlan, app: str, settings: RunSettings) -> AsyncGenerator[Client]:
    async with (
        deployed(app, plan, settings) as deployment,
        connected(plan, deployment.bus, framing(settings), partitions=settings.partitions) as client,
    ):
        await deployment.supervisor.ready()
        yield client


def run_settings(**flags: object) -> RunSettings:
    """Read the settings of a run, with what the command line gives over them.

    Raises:
        SettingsError: A setting is wrong.
    """
    settings = read_settings(RunSettings, given(**flags))
    quiet = "log_level" not in settings.model_fields_set  # a command is no service: it says what went wrong
    return settings.model_copy(update={"log_level": "warning"}) if quiet else settings
