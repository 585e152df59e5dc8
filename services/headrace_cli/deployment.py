"""What a `run` runs on: this process, a deployment of its own on Redis, or one that already runs."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from msgspec import Struct

from headrace.bus.redis.purge import delete_namespace
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import random_bytes
from headrace.reply.coordinator import ReplyCoordinator
from headrace.reply.waiters import Waiters
from headrace.runtime.client import Client
from headrace.runtime.compose import beside, connected, instance_name
from headrace.runtime.local import local
from headrace.runtime.reachable import probe
from headrace.settings.bus import MEMORY, BusSettings, framing, open_bus
from headrace.settings.logs import LogSettings
from headrace.settings.services import PlacementSettings
from headrace.settings.sources import given, read_settings, variable
from headrace_cli.workers import WorkerProcess

_NAME_BYTES = 4


class RunSettings(BusSettings, LogSettings, PlacementSettings):
    """Settings of `headrace run`."""


class Deployment(Struct, frozen=True):
    """What to run on.

    Attributes:
        app: The pipe, as workers load it.
        workers: Worker processes a group.
        attach: Start nothing; use what runs.
    """

    app: str
    workers: int
    attach: bool


@asynccontextmanager
async def deployed(plan: ExecutionPlan, deployment: Deployment, settings: RunSettings) -> AsyncGenerator[Client]:
    """Give a client of the deployment; what was started for it is stopped when the context closes.

    Raises:
        BusUnavailableError: The bus is away.
        WorkerDiedError: A worker does not come up; in an exception group.
    """
    if settings.bus_url.startswith(MEMORY) and not deployment.attach:
        async with local(plan) as client:
            yield client
        return
    is_ours = not deployment.attach and "namespace" not in settings.model_fields_set
    if is_ours:
        settings = settings.model_copy(update={"namespace": f"run-{random_bytes(_NAME_BYTES).hex()}"})
    try:
        async with _on_redis(plan, deployment, settings) as client:
            yield client
    finally:
        if is_ours:
            await delete_namespace(settings.bus_url, settings.namespace)


@asynccontextmanager
async def _on_redis(plan: ExecutionPlan, deployment: Deployment, settings: RunSettings) -> AsyncGenerator[Client]:
    frames, bus = framing(settings), open_bus(settings)
    try:
        await probe(bus)
        if deployment.attach:
            async with connected(plan, bus, frames, partitions=settings.partitions) as client:
                yield client
            return
        environment = worker_environment(deployment, settings)
        workers = [WorkerProcess(group, environment) for group in plan.groups for _ in range(deployment.workers)]
        coordinator = ReplyCoordinator(bus, instance_name("reply"))
        waiters = Waiters(bus, instance_name("client"))
        # at the end all answers are there, so all parts are stopped at once
        async with beside(bus, *workers, coordinator, waiters):
            for worker in workers:
                await worker.ready.wait()
            yield Client(plan, bus, waiters, framing=frames, partitions=settings.partitions)
    finally:
        await bus.aclose()


def worker_environment(deployment: Deployment, settings: RunSettings) -> Mapping[str, str]:
    """Give the environment of a worker: ours, with what the command line decided over it."""
    decided = {
        "app": deployment.app,
        "placement": str(settings.placement.absolute()) if settings.placement else "",
        "bus_url": settings.bus_url,
        "namespace": settings.namespace,
        "log_level": settings.log_level,
    }
    return {**os.environ, **{variable(name): value for name, value in decided.items()}}


def run_settings(**flags: object) -> RunSettings:
    """Read the settings of a run, with what the command line gives over them.

    Raises:
        SettingsError: A setting is wrong.
    """
    settings = read_settings(RunSettings, given(**flags))
    quiet = "log_level" not in settings.model_fields_set  # a command is no service: it says what went wrong
    return settings.model_copy(update={"log_level": "warning"}) if quiet else settings
