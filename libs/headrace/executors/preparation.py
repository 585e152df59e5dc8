"""What another process does before a node's body runs there for the first time, so that it is as its parent is.

Whoever sets a process up says so here, such as who sets its logging up; a node's call takes it along.
"""

import pickle
from collections.abc import Callable

Prepare = Callable[[], object]

_wanted: dict[str, Prepare] = {}
_done: set[bytes] = set()


def prepare_elsewhere(name: str, call: Prepare) -> None:
    """Have other processes make a call before they run nodes for this one.

    Args:
        name: What it sets up; another call under this name takes its place.
        call: Of a module, with arguments that can be pickled.
    """
    _wanted[name] = call


def packed() -> bytes:
    """Give what is wanted as bytes, the same ones as long as nothing changes."""
    return pickle.dumps(tuple(_wanted.values()))


def prepare(wanted: bytes) -> None:
    """Do what `packed` gave, once in this process."""
    if wanted in _done:
        return
    calls: tuple[Prepare, ...] = pickle.loads(wanted)  # noqa: S301 - its parent sent it
    for call in calls:
        call()
    _done.add(wanted)
