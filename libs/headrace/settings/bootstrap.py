"""The bootstrap bundle: all settings of a service, secrets too, handed over once through an inherited pipe.

So a parent starts a service without a secret in its arguments or its environment, which others may see and its own
children would inherit. Whoever packs it reads the settings first, so a mistake is told before anything is started.
"""

import os
from typing import Any

import msgspec
from pydantic import BaseModel, SecretStr

from headrace.errors import SettingsError

BOOTSTRAP_SETTING = "bootstrap_fd"
_LIMIT_BYTES = 1024 * 1024  # a pipe that never ends is no bundle
_OWN = {BOOTSTRAP_SETTING, "config"}  # where settings are read from, which is settled by then


def pack(settings: BaseModel) -> bytes:
    """Make the bundle of a service's settings, every one of them, so that nothing else is asked for any."""
    fields = settings.model_dump(mode="json", exclude=_OWN)
    for name in fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            fields[name] = value.get_secret_value()
    return msgspec.json.encode(fields)


def take(fd: int) -> dict[str, Any]:
    """Read the bundle from a pipe until its other end is closed, and close this one: it can be read once.

    Raises:
        SettingsError: There is no such pipe, or what came through it is no bundle; nothing of it is told.
    """
    try:
        with os.fdopen(fd, "rb") as pipe:
            packed = pipe.read(_LIMIT_BYTES + 1)
    except OSError:
        raise SettingsError(BOOTSTRAP_SETTING, f"is {fd}, which is no pipe that can be read; it is read once") from None
    if len(packed) > _LIMIT_BYTES:
        raise SettingsError(BOOTSTRAP_SETTING, f"gave over {_LIMIT_BYTES} bytes")
    try:
        return msgspec.json.decode(packed, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise SettingsError(BOOTSTRAP_SETTING, "gave no bundle; its writer may have died") from None
