"""The start of a service's process.

Importing a service and its pipe takes a second or so, in which nobody listens for signals. The first process of a
container has no default for them either: without this one that is stopped then would go on until it is killed.
"""

import os
import signal
from pkgutil import resolve_name
from types import FrameType

_EXIT_BY_SIGNAL = 128


def start(main: str) -> int:
    """Import and run a service's main function; gives its exit code.

    Until the service itself listens, SIGTERM and SIGINT end the process at once, with 128 and their number.

    Args:
        main: As module:function.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    code: int = resolve_name(main)()
    return code


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(_EXIT_BY_SIGNAL + number)
