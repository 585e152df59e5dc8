"""Where settings come from: flags, over environment, over file, over defaults; one class defines all four.

A service that was started by a supervisor has a bundle of them, which is over all four.

A field `drain_s` is the flag `--drain-s`, the variable `HEADRACE_DRAIN_S` and the key `drain_s` of the TOML file that
`--config` or `HEADRACE_CONFIG` names. Mistakes are told by the setting's name, never with its value.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from headrace.errors import SettingsError
from headrace.graph.mistakes import suggest
from headrace.settings.bootstrap import BOOTSTRAP_SETTING, take

PREFIX = "HEADRACE_"
FILE_SETTING = "config"

S = TypeVar("S", bound="Settings")


class Settings(BaseSettings):
    """Base of every settings class; read one with `read_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    config: Path | None = Field(None, description="A TOML file with settings; may hold those of several services.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a .env file is the shell's or compose's matter
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = {**env_settings(), **init_settings()}
        path, fd = given.get(FILE_SETTING), given.get(BOOTSTRAP_SETTING)
        from_file = _read_file(Path(path), cls) if path else {}
        bundle = take(int(fd)) if fd else {}
        return (
            InitSettingsSource(settings_cls, bundle),
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, from_file),
        )


def read_settings(settings_class: type[S], over: Mapping[str, Any] | None = None) -> S:
    """Read settings.

    Args:
        over: Values that win over environment and file, by field.

    Raises:
        SettingsError: A setting is missing, unknown or malformed.
    """
    try:
        return settings_class(**(over or {}))
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False, include_input=False)
        first, *others = ((str(mistake["loc"][0]) if mistake["loc"] else "settings", mistake) for mistake in mistakes)
        more = "".join(f"; setting '{name}' {_why(name, mistake['type'], mistake['msg'])}" for name, mistake in others)
        name, mistake = first
        raise SettingsError(name, _why(name, mistake["type"], mistake["msg"]) + more) from None


def given(**flags: object) -> dict[str, object]:
    """Keep the flags that were given, for a command whose own parser gives None for the others."""
    return {name: value for name, value in flags.items() if value is not None}


def variable(setting: str) -> str:
    """Name a setting's environment variable."""
    return PREFIX + setting.upper()


def flag(setting: str) -> str:
    """Name a setting's flag."""
    return "--" + setting.replace("_", "-")


def known_settings() -> set[str]:
    """Name every setting there is, of whatever service."""
    return {name for each in _all_classes(Settings) for name in each.model_fields}


def _why(name: str, kind: str, message: str) -> str:
    if kind == "missing":
        return f"is missing; give {flag(name)}, {variable(name)}, or '{name}' in the file"
    if kind == "extra_forbidden":
        return "is not known"
    return f"is malformed: {message[:1].lower()}{message[1:]}"


def _read_file(path: Path, settings_class: type[Settings]) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(
            FILE_SETTING, f"names '{path}', which cannot be read: {os.strerror(error.errno or 0)}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # the parser's own words may quote a line, and a line may hold a secret
        raise SettingsError(FILE_SETTING, f"names '{path}', which is no TOML") from error
    known = known_settings() - {FILE_SETTING}
    for name in values:
        if name not in known:
            raise SettingsError(name, f"in '{path}' is not known{suggest(name, sorted(known))}")
    return {name: value for name, value in values.items() if name in settings_class.model_fields}


def _all_classes(of: type[Settings]) -> list[type[Settings]]:
    return [of, *(deeper for each in of.__subclasses__() for deeper in _all_classes(each))]
