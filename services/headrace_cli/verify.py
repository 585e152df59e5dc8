"""`headrace verify`: whether a server is there and fit, for whoever waits for it before starting."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from headrace.bus.redis.inspect.checks import Check
from headrace.errors import BusUnavailableError
from headrace.settings.fitness import until_fit
from headrace_cli.ending import run_to_end
from headrace_cli.operate import (
    EXIT_FOUND,
    AsJson,
    Namespace,
    OperateSettings,
    operate_settings,
    write_json,
)


def verify(
    bus_url: Annotated[
        str | None, typer.Argument(metavar="URL", help="As redis://HOST:PORT. [HEADRACE_BUS_URL]")
    ] = None,
    *,
    namespace: Namespace = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0, help="The most seconds to wait for it.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Wait until a server can be reached and nothing that Headrace needs of it fails; for init containers.

    What is needed are the doctor's checks, but for those of the moment: latency and memory. Any user of the bus may
    ask; what the server does not tell it fails nothing.

    Exit code: 0 where all is well, 1 where it is not within the time.
    """
    settings = operate_settings(bus_url, namespace)
    raise typer.Exit(run_to_end(_verify(settings, timeout_s, as_json=as_json)))


async def _verify(settings: OperateSettings, timeout_s: float, *, as_json: bool) -> int:
    why, failed = "", list[Check]()
    try:
        failed = await until_fit(settings, timeout_s, asyncio.Event())
    except BusUnavailableError as error:
        why = str(error)
    is_fit = not (why or failed)
    if as_json:
        write_json({"is_fit": is_fit, "unreachable": why, "failed": failed})
    else:
        _write(failed, why)
    return 0 if is_fit else EXIT_FOUND


def _write(failed: Sequence[Check], why: str) -> None:
    if why:
        sys.stderr.write(f"{why}\n")
    elif failed:
        for check in failed:
            sys.stderr.write(f"{check.name}: {check.found}; {check.advice}\n")
    else:
        sys.stdout.write("reachable, and fit\n")
