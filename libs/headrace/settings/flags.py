"""The command line of a service, made from its settings class: a flag a field, and `--help` that names its variable.

Secrets have no flag: the arguments of a process are visible to everybody on its host.
"""

import argparse
import types
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from headrace.errors import SettingsError
from headrace.graph.mistakes import suggest
from headrace.settings.sources import Settings, flag, read_settings, variable

S = TypeVar("S", bound=Settings)

_POSITIONAL = "app"  # `headrace worker app:pipe` reads as `headrace run app:pipe` does


def parse_settings(settings_class: type[S], arguments: Sequence[str], *, program: str) -> S:
    """Read settings with the flags of a command line; `--help` prints them all and ends the process.

    Args:
        program: The command as the user typed it, for the help text.

    Raises:
        SettingsError: A flag or a setting is missing, unknown or malformed.
    """
    parser = _Parser(prog=program, description=settings_class.__doc__, allow_abbrev=False, add_help=True)
    for name, field in _own_first(settings_class):
        _add(parser, name, field)
    known, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        name = unknown[0].partition("=")[0]  # what follows may be a secret
        if not name.startswith("-"):
            raise SettingsError("arguments", "has a value that belongs to no flag")
        raise SettingsError(
            name, f"is not known{suggest(name, [flag(field) for field in settings_class.model_fields])}"
        )
    return read_settings(settings_class, vars(known))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError("arguments", f"cannot be read: {message}")


def _own_first(settings_class: type[Settings]) -> list[tuple[str, FieldInfo]]:
    own = settings_class.__annotations__
    return sorted(settings_class.model_fields.items(), key=lambda item: item[0] not in own)


def _add(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    if _is_secret(field):
        return
    if name == _POSITIONAL:
        parser.add_argument(name, nargs="?", metavar="APP", default=argparse.SUPPRESS, help=field.description)
    options: dict[str, Any] = {"default": argparse.SUPPRESS, "help": _help(name, field)}
    if field.annotation is bool:
        parser.add_argument(flag(name), action=argparse.BooleanOptionalAction, **options)
    else:
        parser.add_argument(flag(name), metavar=_metavar(name), **options)


def _help(name: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    shown = "" if field.is_required() or default in (None, (), "") else f", default {default}"
    return f"{field.description} [{variable(name)}{shown}]".replace("%", "%%")


def _metavar(name: str) -> str:
    return "SECONDS" if name.endswith("_s") else name.rpartition("_")[2].upper()


def _is_secret(field: FieldInfo) -> bool:
    annotation = field.annotation
    members = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return SecretStr in members
