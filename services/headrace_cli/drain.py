"""`headrace drain`: waits until a pipe, or a group, has nothing to do."""

import asyncio
import sys
from collections.abc import Sequence
from itertools import count
from typing import Annotated

import typer

from headrace.bus.redis.inspect.groups import Group, Groups
from headrace_cli.ending import run_to_end
from headrace_cli.operate import EXIT_FOUND, AsJson, BusUrl, Namespace, OperateSettings, operate_settings, write_json
from headrace_cli.watching import Name, watching

_LOOK_EVERY_S = 0.2
_FIND_EVERY = 25  # looks between two searches for new groups, which go over all keys


def drain(
    name: Name = "",
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0, help="The most seconds to wait.")] = 60,
    scheduled: Annotated[bool, typer.Option("--scheduled", help="Wait for retries, delays and alarms, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Wait until groups have nothing waiting and nothing in hand; it starts, stops and refuses nothing itself.

    Exit code: 0 where that is so, 1 where the time ran out.
    """
    settings = operate_settings(bus_url, namespace)
    raise typer.Exit(run_to_end(_drain(settings, name, timeout_s, with_scheduled=scheduled, as_json=as_json)))


async def _drain(settings: OperateSettings, name: str, timeout_s: float, *, with_scheduled: bool, as_json: bool) -> int:
    async with watching(settings, name) as groups:
        left = await _left(groups, timeout_s, with_scheduled=with_scheduled)
    if as_json:
        write_json({"is_drained": not left, "left": [_line(group) for group in left]})
    else:
        for group in left:
            paused = ", and it is paused" if group.paused_ms >= 0 else ""
            sys.stdout.write(
                f"{group.name}: {group.waiting:,} waiting, {group.held:,} held, {group.scheduled:,} scheduled{paused}\n"
            )
        sys.stdout.write(f"not drained within {timeout_s:g} s\n" if left else "drained\n")
    return EXIT_FOUND if left else 0


async def _left(groups: Groups, timeout_s: float, *, with_scheduled: bool) -> list[Group]:
    """Give the groups that still have something to do when the time is up."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + timeout_s
    for looks in count(1):
        left = _busy((await groups.look()).groups, with_scheduled=with_scheduled)
        if not left or loop.time() >= until_s:
            return left
        await asyncio.sleep(_LOOK_EVERY_S)
        if looks % _FIND_EVERY == 0:
            await groups.find()
    return []


def _line(group: Group) -> dict[str, str | int]:
    return {"group": group.name, "waiting": group.waiting, "held": group.held, "scheduled": group.scheduled}


def _busy(groups: Sequence[Group], *, with_scheduled: bool) -> list[Group]:
    return [group for group in groups if group.backlog or (with_scheduled and group.scheduled)]
