"""The backends by name, and how many tasks each runs at a time by default."""

from typing import Literal

from headrace.executors.backend import Backend
from headrace.executors.capacity import cores
from headrace.executors.inline import Inline
from headrace.executors.threads import Threads

BackendName = Literal["inline", "thread"]

_WAITING_THREADS = 4  # threads also wait, for files and sockets; as the standard library's pool adds
_COROUTINES = 256  # they wait nearly always; as many as a worker has slots


def make_backend(backend: BackendName | Backend) -> tuple[Backend, int]:
    """Make a backend; give it with its default concurrency."""
    match backend:
        case "inline":
            return Inline(), _COROUTINES
        case "thread":
            return Threads(), cores() + _WAITING_THREADS
        case _:
            return backend, cores()
