"""`python -m tests.faults.crashing_worker`: the worker, over a bus that kills its process at a point."""

import sys

import structlog
from tests.faults.crashing import CrashingBus, CrashSettings

from headrace.runtime.compose import consuming
from headrace.runtime.consumer import ConsumerOptions
from headrace.runtime.load import load_plan
from headrace.runtime.signals import stop_signals
from headrace.settings.bus import framing
from headrace.settings.main import run_service
from headrace.settings.services import WorkerSettings

_log = structlog.get_logger("headrace.worker")


class CrashingWorkerSettings(WorkerSettings, CrashSettings):
    """Settings of a worker that crashes."""


async def serve(settings: CrashingWorkerSettings) -> None:
    plan, bus = load_plan(settings.app), CrashingBus(settings)
    options = ConsumerOptions(lease_s=settings.lease_s, max_deliveries=settings.max_deliveries)
    with stop_signals() as stopping:
        async with consuming(plan, bus, framing(settings), (settings.group,), options=options):
            _log.info("worker_started")
            await stopping.wait()
    await bus.aclose()


if __name__ == "__main__":
    sys.exit(run_service(CrashingWorkerSettings, serve, None, service="worker", program="crashing_worker"))
