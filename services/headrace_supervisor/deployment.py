"""A deployment on one host: its bus, its workers, the gateway where one is wanted, and the reply coordinator.

The coordinator lives in the supervisor, beside the bus that may be there too: a caller's answer then waits for no other
process. So does the socket that the gateway listens on: while a gateway is started again callers wait, and none is sent
away.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from socket import socket

import structlog
from msgspec import Struct

from headrace.bus.protocol import Bus
from headrace.errors import BusError
from headrace.graph.plan import ExecutionPlan
from headrace.observe.metrics.exposition import Source, serving_metrics
from headrace.reply.coordinator import ReplyCoordinator
from headrace.runtime.compose import beside, instance_name
from headrace.runtime.levels import Levels
from headrace.runtime.measured import coordinator_samples
from headrace_supervisor.child import Output
from headrace_supervisor.host_bus import HostBus, host_bus
from headrace_supervisor.measured import broker_samples, place_samples
from headrace_supervisor.place import Place
from headrace_supervisor.restarts import RestartPolicy
from headrace_supervisor.settings import SupervisorSettings, counts_of
from headrace_supervisor.specs import gateway_spec, worker_spec
from headrace_supervisor.supervisor import Supervisor

_log = structlog.get_logger("headrace.supervisor")
_LOOK_S = 0.05  # between looks whether what was taken in is done


class Deployment(Struct, frozen=True):
    """A deployment that runs.

    Attributes:
        bus: For this process.
        metrics: The URL of this process's metrics; empty for none.
    """

    plan: ExecutionPlan
    bus: Bus
    supervisor: Supervisor
    metrics: str = ""

    async def backlogs(self) -> dict[str, int]:
        """Count what waits or is in flight, by group; empty while the bus is away."""
        try:
            return {group: await self.bus.backlog(self.plan.stream(group)) for group in self.plan.groups}
        except BusError:
            return {}


@asynccontextmanager
async def deployed(
    app: str,
    plan: ExecutionPlan,
    settings: SupervisorSettings,
    *,
    listening: socket | None = None,
    output: Output | None = None,
) -> AsyncGenerator[Deployment]:
    """Start a deployment; it is stopped in order when the context closes, or when one of its children is given up.

    Args:
        app: The plan's pipe, as its children load it.
        listening: Where a gateway is to listen; it is closed when a stop begins. None for no gateway.
        output: Takes what children write; None to have that written where this process writes its errors.

    Raises:
        BusUnavailableError: The bus is away.
        SettingsError: A setting is wrong.
        HandoffError, ChildLostError: A child was given up; in an exception group.
    """
    async with host_bus(settings) as host:
        places = _Places(app, plan, settings, host, output)
        supervisor = Supervisor(
            places.gateways(listening),
            places.workers(),
            closing=listening.close if listening is not None else None,
            finished=places.finished if host.is_ours else None,  # elsewhere it is done when a worker comes again
        )
        coordinator, levels = ReplyCoordinator(host.bus, instance_name("reply")), Levels(host.bus, plan, plan.groups)
        sources: list[Source] = [
            partial(place_samples, supervisor.places),
            partial(coordinator_samples, coordinator),
            levels.samples,
        ]
        if host.broker is not None:
            sources.append(partial(broker_samples, host.broker))
        parts = (levels,) if settings.metrics_port is not None else ()
        async with (
            serving_metrics(settings.metrics_host, settings.metrics_port, *sources) as metrics,
            beside(host.bus, coordinator, supervisor, *parts),
        ):
            if metrics:
                _log.info("metrics_served", url=metrics)
            yield Deployment(plan, host.bus, supervisor, metrics)


class _Places:
    """Makes the places of a deployment."""

    def __init__(
        self, app: str, plan: ExecutionPlan, settings: SupervisorSettings, host: HostBus, output: Output | None
    ) -> None:
        self._app = app
        self._plan = plan
        self._settings = settings
        self._host = host
        self._output = output
        self._policy = RestartPolicy(crash_limit=settings.crash_limit)
        self._plans = {plan.pipe: plan.version}

    def workers(self) -> list[Place]:
        settings, host = self._settings, self._host
        counts = counts_of(settings.workers, list(self._plan.groups)).items()
        groups = [group for group, count in counts for _ in range(count)]
        specs = [
            worker_spec(
                self._app,
                group,
                settings,
                host.child_settings,
                outlives_us=not host.is_ours,
                metrics_port=_port_after(settings.metrics_port, number),
            )
            for number, group in enumerate(groups, 1)
        ]
        return [Place(spec, self._plans, self._policy, self._output) for spec in specs]

    def gateways(self, listening: socket | None) -> list[Place]:
        if listening is None:
            return []
        host, fd = self._host, listening.fileno()
        spec = gateway_spec(self._app, self._settings, host.child_settings, fd, outlives_us=not host.is_ours)
        return [Place(spec, self._plans, self._policy, self._output)]

    async def finished(self) -> None:
        """Wait until no group has work left, within the drain budget."""
        clock, streams = asyncio.get_running_loop().time, [self._plan.stream(group) for group in self._plan.groups]
        until_s = clock() + self._settings.drain_s
        while left := sum([await self._host.bus.backlog(stream) for stream in streams]):
            if clock() >= until_s:
                _log.error("drain_cut_off", in_flight=left)
                return
            await asyncio.sleep(_LOOK_S)  # of what a bus counts it tells nobody


def _port_after(port: int | None, number: int) -> int | None:
    """Give the port of a worker's metrics: so many after the supervisor's own, or any where that is any."""
    return port + number if port else port
