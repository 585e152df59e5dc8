"""`headrace key`: makes an API key of the gateway; it is shown once, its hash goes into the file of keys."""

import sys
from typing import Annotated

import typer

from headrace.errors import SettingsError
from headrace_gateway.api_keys import new_key
from headrace_gateway.caller import scopes_of


def key(
    name: Annotated[str, typer.Argument(help="Who is to hold it.")],
    scopes: Annotated[list[str], typer.Argument(help="What it opens: ACTION:PIPE, with * for any pipe.")],
) -> None:
    """Make an API key of the gateway, and the entry of the file that takes it."""
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise SettingsError("name", "is not of letters, digits, - and _")
    try:
        scopes_of(scopes)
    except ValueError as error:
        raise SettingsError("scopes", f"cannot be read: {error}") from None
    made, digest = new_key(name)
    listed = ", ".join(f'"{scope}"' for scope in scopes)
    sys.stdout.write(f'[{name}]\nsha256 = ["{digest}"]\nscopes = [{listed}]\n')
    sys.stdout.flush()
    sys.stderr.write(f"the key, which nobody can show again: {made}\n")
