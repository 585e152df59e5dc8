"""What the main functions of the services have in common: settings, logging, how they end."""

import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog
import uvloop

from headrace.errors import HeadraceError
from headrace.settings.exits import EXIT_FAILED, report
from headrace.settings.fitness import require_fit
from headrace.settings.flags import parse_settings
from headrace.settings.logs import set_up_logging
from headrace.settings.production import require_secure
from headrace.settings.services import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)

_log = structlog.get_logger("headrace.service")


def run_service(
    settings_class: type[S],
    serve: Callable[[S], Coroutine[Any, Any, None]],
    arguments: Sequence[str] | None,
    *,
    service: str,
    program: str,
) -> int:
    """Run a service until it ends; gives its exit code.

    Args:
        serve: Serves until the process is told to stop; not called where the settings ask to wait for the bus only.
        arguments: The command line; None for the process's own.
        service: Its name in logs.
        program: The command as the user typed it.
    """
    try:
        settings = parse_settings(settings_class, sys.argv[1:] if arguments is None else arguments, program=program)
        require_secure(settings)
        set_up_logging(settings, service)
        uvloop.run(serve(settings) if settings.verify_s is None else require_fit(settings, settings.verify_s))
    except HeadraceError as error:
        return report(error)
    except Exception:  # noqa: BLE001 - the top of the process; logged
        _log.exception("service_crashed")
        return EXIT_FAILED
    return 0
