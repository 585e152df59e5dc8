"""`headrace pause` and `headrace resume`: a group stops taking work, and goes on."""

import asyncio
import sys
from typing import Annotated

import typer

from headrace.bus.redis.inspect.groups import Groups, Worker
from headrace_cli.ending import run_to_end
from headrace_cli.operate import (
    EXIT_FOUND,
    AsJson,
    BusUrl,
    Namespace,
    OperateSettings,
    bus_of,
    operate_settings,
    write_json,
)
from headrace_cli.watching import group_of, watching
from headrace_cli.wording import some

_LOOK_EVERY_S = 0.1
GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="The group, as PIPE.GROUP.", show_default=False)]


def pause(
    group: GroupName,
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait for its workers.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Pause a group, and wait until its workers take nothing more; what they have in hand is finished.

    It stays paused until it is resumed, also for workers that start later. What comes meanwhile waits in its stream.

    Exit code: 0 where no worker takes anything any more, 1 where one has not said so, 2 for an unknown group.
    """
    settings = operate_settings(bus_url, namespace)
    raise typer.Exit(run_to_end(_pause(settings, group, timeout_s, as_json=as_json)))


async def _pause(settings: OperateSettings, name: str, timeout_s: float, *, as_json: bool) -> int:
    async with watching(settings, "") as groups, bus_of(settings) as bus:
        group_of(await groups.look(), name)
        is_new = await bus.pause(name)
        workers = await _rested(groups, name, timeout_s)
    busy, held = _busy(workers), sum(worker.held for worker in workers)
    if as_json:
        write_json({"group": name, "is_new": is_new, "workers": len(workers), "taking": busy, "held": held})
    else:
        rest = f"{len(workers) - len(busy)} of {some(len(workers), 'worker')} rest"
        sys.stdout.write(f"group {name} is paused: {rest}, {held:,} in hand\n")
    return EXIT_FOUND if busy else 0


async def _rested(groups: Groups, name: str, timeout_s: float) -> tuple[Worker, ...]:
    """Wait until a group's workers rest; gives how they are then, or when the time is up."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + timeout_s
    while True:
        workers = group_of(await groups.look(), name).live
        if not _busy(workers) or loop.time() >= until_s:
            return workers
        await asyncio.sleep(_LOOK_EVERY_S)


def _busy(workers: tuple[Worker, ...]) -> list[str]:
    return [worker.name for worker in workers if worker.presence is None or not worker.presence.is_resting]


def resume(group: GroupName, *, bus_url: BusUrl = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """Resume a group: its workers take entries again within a second.

    Exit code: 0, also where it was not paused; 2 for an unknown group.
    """
    settings = operate_settings(bus_url, namespace)
    raise typer.Exit(run_to_end(_resume(settings, group, as_json=as_json)))


async def _resume(settings: OperateSettings, name: str, *, as_json: bool) -> int:
    async with watching(settings, "") as groups, bus_of(settings) as bus:
        group = group_of(await groups.look(), name)
        was_paused = await bus.resume(name)
    if as_json:
        write_json({"group": name, "was_paused": was_paused, "waiting": group.waiting})
    else:
        before = "" if was_paused else ", and was not paused"
        sys.stdout.write(f"group {name} goes on{before}: {group.waiting:,} waiting\n")
    return 0
