"""Loads and runs the Lua beside this package; no other module runs a script.

A script names its shared parts by `-- @include name` lines; each part is put in once, before what includes it.
"""

from collections.abc import Sequence
from hashlib import sha1
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from redis.exceptions import NoScriptError

from headrace.bus.redis.routes import Commands

_LUA = files("headrace.bus.redis").joinpath("lua")
_INCLUDE = "-- @include "
VERBS = (
    "attend",
    "channel_join",
    "channel_leave",
    "channel_put",
    "channel_take",
    "claim",
    "commit",
    "deliver",
    "due",
    "end",
    "extend",
    "hear",
    "promote",
    "remember",
    "signal",
    "submit",
    "sweep",
    "tell",
    "unspill",
    "unwatch",
    "watch",
)

Value = bytes | str | int


class Scripts:
    """The scripts; a server that does not have one, or has lost it, is given it with the call.

    Args:
        commands: Runs them where their keys are.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._sources = {verb: source(verb) for verb in VERBS}
        # the name that Redis gives a script: it guards nothing
        self._names = {
            verb: sha1(text.encode(), usedforsecurity=False).hexdigest() for verb, text in self._sources.items()
        }

    async def run(self, verb: str, keys: Sequence[str], args: Sequence[Value]) -> Any:  # noqa: ANN401 - a script's own answer
        """Run a script.

        Args:
            verb: One of `VERBS`.
            keys: As its header says; all of one partition.
            args: As its header says.
        """
        try:
            return await self._commands.execute_command("EVALSHA", self._names[verb], len(keys), *keys, *args)
        except NoScriptError:
            return await self._commands.execute_command("EVAL", self._sources[verb], len(keys), *keys, *args)


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
