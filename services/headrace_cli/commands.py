"""The commands by their names, each imported when it is asked for: most need little of the library, and start fast."""

from collections.abc import Iterator, Mapping, MutableMapping
from pkgutil import resolve_name
from typing import Any, cast

import typer
from typer.core import TyperGroup

_PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": list[str]()}
_WHERE = {
    "run": "run:run",
    "dev": "dev:dev",
    "up": "up:up",
    "plan": "plan:plan",
    "key": "key:key",
    "top": "top:top",
    "ps": "ps:ps",
    "runs": "runs:runs",
    "trace": "trace:trace",
    "doctor": "doctor:doctor",
    "cancel": "steer:cancel",
    "signal": "steer:signal",
    "pause": "pause:pause",
    "resume": "pause:resume",
    "drain": "drain:drain",
    "scale": "scale:scale",
    "replay": "replay:replay",
    "verify": "verify:verify",
    "completion": "completion:completion",
    "dlq": "dlq:dlq",
    "k8s": "k8s.command:k8s",
}
_SERVICES = {name: f"services:{name}" for name in ("worker", "reply", "gateway")}


class Commands(Mapping[str, Any]):
    """What the command line's library has for each command."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a command as the library has it, whose type it hides
        if name in _SERVICES:
            return _command(name, _SERVICES[name], _PASS_THROUGH)
        return _command(name, _WHERE[name], {})

    def __iter__(self) -> Iterator[str]:
        return iter((*_WHERE, *_SERVICES))

    def __len__(self) -> int:
        return len(_WHERE) + len(_SERVICES)


class CommandGroup(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(**attributes)
        self.commands = cast("MutableMapping[str, Any]", Commands())

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - the library's own
        """Name the commands, and import none."""
        return list(self.commands)


def _command(name: str, where: str, context: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
    found = resolve_name(f"headrace_cli.{where}")
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False)
    alone.command(name, context_settings=context)(found)
    return typer.main.get_command(alone)
