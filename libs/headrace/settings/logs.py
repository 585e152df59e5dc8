"""Settings of logs, and the one place that sets logging up: structlog and the standard library, to stderr.

Standard output belongs to a command's answer, so nothing is logged there.
"""

import logging
import sys
from collections.abc import Sequence
from functools import partial
from io import StringIO
from typing import Literal, TextIO

import structlog
from pydantic import Field
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from headrace.executors.preparation import prepare_elsewhere
from headrace.kernel.current_call import about, current_call
from headrace.settings.lists import Words
from headrace.settings.log_hooks import call_log_hooks
from headrace.settings.redaction import Redaction, masked
from headrace.settings.sources import Settings


class LogSettings(Settings):
    """Settings of whatever logs."""

    log_format: Literal["json", "human"] | None = Field(
        None, description="json or human; without it human on a terminal, else json."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged."
    )
    log_redact: Words = Field(
        (), description="Names of fields whose values are not logged, beside those of passwords, tokens and keys."
    )


def set_up_logging(settings: LogSettings, service: str) -> None:
    """Have everything that this process logs written to stderr, an event a line; may be called again.

    Nodes that run in other processes log as this one does.

    Args:
        service: Stands in every event as `service`.
    """
    is_human = settings.log_format == "human" or (settings.log_format is None and sys.stderr.isatty())
    log_to_stderr(service, settings.log_level, settings.log_redact, is_human=is_human)
    prepare_elsewhere(
        "logging", partial(log_to_stderr, service, settings.log_level, settings.log_redact, is_human=is_human)
    )


def log_to_stderr(service: str, log_level: str, log_redact: Sequence[str], *, is_human: bool) -> None:
    """Set logging up, as `set_up_logging` does by its settings."""
    level = logging.getLevelNamesMapping()[log_level.upper()]
    redact = Redaction(log_redact)
    shared = _shared(service, redact)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendering(redact, is_human=is_human))
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # loggers made before this call, by imports, must follow it
    )


def _bind_call(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Say of which run and node a line is that a node writes, by whatever logger: a structlog processor."""
    for name, value in about(current_call.get()).items():
        event.setdefault(name, value)
    return event


def _shared(service: str, redact: Redaction) -> list[Processor]:
    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        _bind_call,
        redact,
        call_log_hooks,
    ]


def _rendering(redact: Redaction, *, is_human: bool) -> list[Processor]:
    without_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if is_human:
        colors = sys.stderr.isatty()
        return [without_meta, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_masked_traceback)]
    return [without_meta, structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]


def _masked_traceback(out: TextIO, exc_info: ExcInfo) -> None:
    written = StringIO()
    structlog.dev.plain_traceback(written, exc_info)
    out.write(masked(written.getvalue()))
