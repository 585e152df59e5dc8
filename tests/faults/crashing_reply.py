"""`python -m tests.faults.crashing_reply`: the reply service, over a bus that kills its process at a point."""

import sys

import structlog
from tests.faults.crashing import CrashingBus, CrashSettings

from headrace.runtime.compose import coordinating
from headrace.runtime.signals import stop_signals
from headrace.settings.main import run_service
from headrace.settings.services import ReplySettings

_log = structlog.get_logger("headrace.reply")


class CrashingReplySettings(ReplySettings, CrashSettings):
    """Settings of a reply service that crashes."""


async def serve(settings: CrashingReplySettings) -> None:
    bus = CrashingBus(settings)
    with stop_signals() as stopping:
        async with coordinating(bus):
            _log.info("reply_started")
            await stopping.wait()
    await bus.aclose()


if __name__ == "__main__":
    sys.exit(run_service(CrashingReplySettings, serve, None, service="reply", program="crashing_reply"))
