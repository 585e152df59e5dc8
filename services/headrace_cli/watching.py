"""What the commands that look at groups have in common: which groups are meant, and how they are looked at."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from headrace.bus.redis.inspect.groups import Group, Groups, Moment
from headrace.bus.redis.inspect.letters import Wanted
from headrace.errors import SettingsError
from headrace_cli.operate import OperateSettings, inspecting

Name = Annotated[str, typer.Argument(metavar="NAME", help="Only this pipe, or this group as PIPE.GROUP.")]


def wanted_by(name: str) -> Wanted:
    """Read which groups a name means: all for none, a pipe's, or one."""
    pipe, _, group = name.partition(".")
    return Wanted(pipe=pipe, group=group)


@asynccontextmanager
async def watching(settings: OperateSettings, name: str) -> AsyncGenerator[Groups]:
    """Find the groups that a name means, to look at them."""
    async with inspecting(settings) as places:
        groups = Groups(places, wanted_by(name))
        await groups.find()
        yield groups


def group_of(moment: Moment, name: str) -> Group:
    """Give the one group that a name means.

    Raises:
        SettingsError: There is none of that name.
    """
    for group in moment.groups:
        if group.name == name:
            return group
    there = ", ".join(group.name for group in moment.groups) or "none"
    raise SettingsError("GROUP", f"is '{name}', and the groups there are: {there}")
