"""`headrace completion`: what makes a shell complete commands and flags."""

import sys
from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import (  # type: ignore[attr-defined]  # the library offers it only as a flag
    get_completion_script,  # pyright: ignore[reportPrivateImportUsage]
)

_PROGRAM = "headrace"
_VARIABLE = "_HEADRACE_COMPLETE"  # as the command line's library reads it


class Shell(StrEnum):
    """A shell that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="Whose script it is to be.", show_default=False)],
) -> None:
    """Write the script that makes a shell complete `headrace`: `source <(headrace completion bash)`.

    Exit code: 0; 2 for another shell.
    """
    sys.stdout.write(get_completion_script(prog_name=_PROGRAM, complete_var=_VARIABLE, shell=shell) + "\n")
