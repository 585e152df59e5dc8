"""Loads and runs the Lua beside this package; no other module runs a script.

A script names its shared parts by `-- @include name` lines; each part is put in once, before what includes it.
"""

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

_LUA = files("headrace.bus.redis").joinpath("lua")
_INCLUDE = "-- @include "
VERBS = ("claim", "commit", "deliver", "due", "end", "extend", "promote", "submit", "unwatch", "watch")

Value = bytes | str | int


class Scripts:
    """The scripts of one client; a server that has lost its script cache is given them again.

    Args:
        client: Runs them.
    """

    def __init__(self, client: Redis) -> None:
        self._scripts: dict[str, AsyncScript] = {verb: client.register_script(source(verb)) for verb in VERBS}

    async def run(self, verb: str, keys: Sequence[str], args: Sequence[Value]) -> Any:  # noqa: ANN401 - a script's own answer
        """Run a script.

        Args:
            verb: One of `VERBS`.
            keys: As its header says.
            args: As its header says.
        """
        return await self._scripts[verb](keys=keys, args=args)


def source(verb: str) -> str:
    """Give a script's whole text, shared parts included."""
    included: dict[str, str] = {}
    text = _resolve(_LUA.joinpath(f"{verb}.lua"), included)
    return "\n".join((*included.values(), text))


def _resolve(part: Traversable, included: dict[str, str]) -> str:
    kept: list[str] = []
    for line in part.read_text().splitlines():
        if line.startswith(_INCLUDE):
            name = line.removeprefix(_INCLUDE)
            if name not in included:
                text = _resolve(_LUA.joinpath("includes", f"{name}.lua"), included)
                included[name] = text
        else:
            kept.append(line)
    return "\n".join(kept)
