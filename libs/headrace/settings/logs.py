"""Settings of logs, and the one place that sets logging up: structlog and the standard library, to stderr.

Standard output belongs to a command's answer, so nothing is logged there.
"""

import logging
import sys
from typing import Literal

import structlog
from pydantic import Field
from structlog.typing import EventDict, Processor, WrappedLogger

from headrace.settings.log_hooks import call_log_hooks
from headrace.settings.sources import Settings


class LogSettings(Settings):
    """Settings of whatever logs."""

    log_format: Literal["json", "human"] | None = Field(
        None, description="json or human; without it human on a terminal, else json."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged."
    )


def set_up_logging(settings: LogSettings, service: str) -> None:
    """Have everything that this process logs written to stderr, an event a line; may be called again.

    Args:
        service: Stands in every event as `service`.
    """
    is_human = settings.log_format == "human" or (settings.log_format is None and sys.stderr.isatty())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared = _shared(service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendering(is_human=is_human))
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # loggers made before this call, by imports, must follow it
    )


def _shared(service: str) -> list[Processor]:
    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        call_log_hooks,
    ]


def _rendering(*, is_human: bool) -> list[Processor]:
    without_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if is_human:
        return [without_meta, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [without_meta, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
