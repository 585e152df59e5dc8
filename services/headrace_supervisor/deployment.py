"""A deployment on one host: its bus, its workers, the gateway where one is wanted, and the reply coordinator.

The coordinator lives in the supervisor, beside the bus that may be there too: a caller's answer then waits for no other
process.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import structlog
from msgspec import Struct

from headrace.bus.protocol import Bus
from headrace.errors import BusError
from headrace.graph.plan import ExecutionPlan
from headrace.reply.coordinator import ReplyCoordinator
from headrace.runtime.compose import beside, instance_name
from headrace_supervisor.child import Output, Spec
from headrace_supervisor.host_bus import HostBus, host_bus
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
    """

    plan: ExecutionPlan
    bus: Bus
    supervisor: Supervisor

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
    with_gateway: bool,
    output: Output | None = None,
) -> AsyncGenerator[Deployment]:
    """Start a deployment; it is stopped in order when the context closes, or when one of its children is given up.

    Args:
        app: The plan's pipe, as its children load it.
        output: Takes what children write; None to have that written where this process writes its errors.

    Raises:
        BusUnavailableError: The bus is away.
        SettingsError: A setting is wrong.
        HandoffError, ChildLostError: A child was given up; in an exception group.
    """
    async with host_bus(settings) as host:
        outlives_us = not host.is_ours
        reach = host.child_settings
        counts = counts_of(settings.workers, list(plan.groups))
        workers = [
            worker_spec(app, group, settings, reach, outlives_us=outlives_us)
            for group, count in counts.items()
            for _ in range(count)
        ]
        gateways = [gateway_spec(app, settings, reach, outlives_us=outlives_us)] if with_gateway else []
        supervisor = _supervisor(plan, gateways, workers, settings, host, output)
        async with beside(host.bus, ReplyCoordinator(host.bus, instance_name("reply")), supervisor):
            yield Deployment(plan, host.bus, supervisor)


def _supervisor(
    plan: ExecutionPlan,
    gateways: Sequence[Spec],
    workers: Sequence[Spec],
    settings: SupervisorSettings,
    host: HostBus,
    output: Output | None,
) -> Supervisor:
    policy, plans = RestartPolicy(crash_limit=settings.crash_limit), {plan.pipe: plan.version}

    async def finished() -> None:
        await _until_done(plan, host.bus, settings.drain_s)

    return Supervisor(
        [Place(spec, plans, policy, output) for spec in gateways],
        [Place(spec, plans, policy, output) for spec in workers],
        finished=finished if host.is_ours else None,  # elsewhere it is done when a worker comes again
    )


async def _until_done(plan: ExecutionPlan, bus: Bus, drain_s: float) -> None:
    clock = asyncio.get_running_loop().time
    until_s = clock() + drain_s
    while left := sum([await bus.backlog(plan.stream(group)) for group in plan.groups]):
        if clock() >= until_s:
            _log.error("drain_cut_off", in_flight=left)
            return
        await asyncio.sleep(_LOOK_S)  # what a bus counts it tells nobody of
